"""What looks odd in a data set, said in notes of one line: counts first, then known traps."""

from dataclasses import replace

from reidzoo.data.records import (
    DISTRACTOR,
    UNKNOWN_CAMERA,
    UNKNOWN_IDENTITY,
    Counts,
    Record,
    Splits,
)


def counts_of(splits: Splits) -> Counts:
    """Count images and identities as the official tables do.

    Distractors are no identity; a camera is one that was seen in any split.

    >>> counts_of(Splits(train=(Record("a.jpg", 1, 0), Record("b.jpg", 1, 2)))).cameras
    2
    """
    everything = splits.train + splits.query + splits.gallery
    return Counts(
        train=len(splits.train),
        train_identities=len(identities(splits.train)),
        query=len(splits.query),
        query_identities=len(identities(splits.query)),
        gallery=len(splits.gallery),
        cameras=len({record.camera for record in everything} - {UNKNOWN_CAMERA}),
    )


def identities(records: tuple[Record, ...]) -> set[int]:
    """Return the known identities among records."""
    return {record.identity for record in records} - {UNKNOWN_IDENTITY}


def count_notes(splits: Splits, official: Counts | None) -> tuple[str, ...]:
    """Compare with the official counts: one note that shows both wherever they differ.

    >>> official = Counts(2, 1, 0, 0, 0, 1)
    >>> count_notes(Splits(train=(Record("a.jpg", 1, 0),)), official)
    ('counts differ from the official ones: train 1 (official 2)',)
    """
    if official is None:
        return ()
    found = counts_of(splits)
    pairs = {
        name.replace("_", " "): (getattr(found, name), getattr(official, name))
        for name in Counts.__slots__
    }
    odd = [
        f"{name} {here} (official {there})"
        for name, (here, there) in pairs.items()
        if here != there
    ]
    return (f"counts differ from the official ones: {', '.join(odd)}",) if odd else ()


def trap_notes(splits: Splits) -> tuple[str, ...]:
    """Name the traps that training and evaluation would fall into in silence."""
    notes = []
    lost = identities(splits.query) - identities(splits.gallery)
    if lost and splits.gallery:
        notes.append(f"{len(lost)} query identities are not in the gallery and not scored")
    if any(record.identity == DISTRACTOR for record in splits.query):
        notes.append("some query images have identity 0, which marks distractors")
    seen = {record.camera for record in splits.train}
    tested = {record.camera for record in splits.query + splits.gallery}
    unseen = sorted(tested - seen - {UNKNOWN_CAMERA})
    if splits.train and unseen:
        which = ", ".join(map(str, unseen))
        notes.append(
            f"cameras {which} (counted from 0) have no training images; if they should have some, "
            "check where camera ids come from"
        )
    # With a known camera the rule "same identity and camera" keeps a query from finding itself.
    blind = {record for record in splits.query if record.camera == UNKNOWN_CAMERA}
    selves = blind & set(splits.gallery)
    if selves:
        notes.append(f"{len(selves)} query images without a camera find themselves in the gallery")
    return tuple(notes)


def with_notes(splits: Splits, official: Counts | None = None) -> Splits:
    """Add the notes about counts and traps to what a reader returned."""
    notes = splits.notes + count_notes(splits, official) + trap_notes(splits)
    return replace(splits, notes=notes)
