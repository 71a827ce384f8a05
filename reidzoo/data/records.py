"""What a reader returns: records (one image each), in the three splits of a data set."""

from dataclasses import dataclass, field

UNKNOWN_CAMERA = -1
UNKNOWN_IDENTITY = -2  # not -1, which means junk on disk
DISTRACTOR = 0  # stays in the gallery and always counts as a wrong answer


@dataclass(frozen=True, order=True, slots=True)
class Record:
    """One image: where it is and what is known about it."""

    path: str
    identity: int = UNKNOWN_IDENTITY
    camera: int = UNKNOWN_CAMERA


@dataclass(frozen=True, slots=True)
class Splits:
    """The images of a data set; each split is sorted by path, junk (identity -1) is left out.

    Args:
        train: training images; identities as on disk (they serve diagnostics only, never training).
        query: query images, one search each.
        gallery: images searched in; identity 0 marks distractors.
        edition: which variant was found on disk, in words ("V1 lists, train + val"), for the card.
        notes: one line each about what was odd (counts that differ, unreadable files).
    """

    train: tuple[Record, ...]
    query: tuple[Record, ...] = ()
    gallery: tuple[Record, ...] = ()
    edition: str = ""
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Counts:
    """Official numbers of a data set: images and identities of each split."""

    train: int
    train_identities: int
    query: int
    query_identities: int
    gallery: int
    cameras: int
