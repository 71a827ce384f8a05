"""MSMT17 as it is distributed: lists beside folders (V1, and V2 with blurred faces), or repacked.

The edition is told by content, never by the folder's name: the common repack in Market layout
is usually called MSMT17_V1 too.
"""

from dataclasses import replace
from pathlib import Path

from reidzoo.data.formats.market import MARKET, read_market
from reidzoo.data.formats.places import ROOT_OPTION, contents, has_folders, images_under, inside
from reidzoo.data.records import Record, Splits
from reidzoo.errors import UserError

EDITIONS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}
LISTS = ("list_train.txt", "list_val.txt", "list_query.txt", "list_gallery.txt")
LOOKED_FOR = (
    f"{', '.join(LISTS)} with train/ and test/ (V1) or mask_train_v2/ and mask_test_v2/ (V2), "
    f"or the repack {MARKET}"
)


def matches(folder: Path) -> bool:
    """Tell whether a folder holds any edition of MSMT17."""
    return edition_of(folder) is not None or MARKET.matches(folder)


def edition_of(folder: Path) -> str | None:
    """Return "V1" or "V2" for a folder with the original lists, None for any other."""
    if not all((folder / name).is_file() for name in LISTS):
        return None
    return next((name for name, folders in EDITIONS.items() if has_folders(folder, folders)), None)


def read_msmt17(folder: Path, validation: bool = True) -> Splits:
    """Read MSMT17 in any of its editions.

    The numbering of identities starts at 0 again in the test set, where other people bear the
    numbers: test identities are moved behind the training ones.

    Args:
        folder: the folder that holds the lists, or the folders of the repack.
        validation: train on list_train and list_val (32,621 images), as all unsupervised papers
            do; else on list_train only (30,248).

    Raises:
        UserError: a list cannot be read, leads outside of `folder`, or fits no image.
    """
    edition = edition_of(folder)
    if edition is None:
        if not validation:
            raise UserError(
                "--data.validation false: the repack in Market layout does not say which training "
                "images are for validation; use the original lists or leave the option out"
            )
        return _separate(replace(read_market(folder), edition="repack in Market layout"))
    train_folder, test_folder = EDITIONS[edition]
    train_lists = ["list_train.txt", "list_val.txt"] if validation else ["list_train.txt"]
    train, train_notes = _read_lists(folder, train_folder, train_lists)
    query, query_notes = _read_lists(folder, test_folder, ["list_query.txt"])
    gallery, gallery_notes = _read_lists(folder, test_folder, ["list_gallery.txt"])
    words = f"{edition} lists, {'train + val' if validation else 'train only'}"
    notes = (*train_notes, *query_notes, *gallery_notes)
    return _separate(Splits(train, query, gallery, edition=words, notes=notes))


def parse_line(line: str, source: str) -> tuple[str, int, int]:
    """Read one line of a list: path, identity, 0-based camera (third field of the base name).

    >>> parse_line("0000/0000_001_15_0303morning_0015_0.jpg 0", "list_train.txt line 1")
    ('0000/0000_001_15_0303morning_0015_0.jpg', 0, 14)
    """
    try:
        path, identity = line.rsplit(maxsplit=1)
        camera = path.replace("\\", "/").rsplit("/", 1)[-1].split("_")[2]
        return path, int(identity), int(camera) - 1
    except (ValueError, IndexError):
        raise UserError(
            f"{source}: expected '<id>/<id>_<number>_<camera>_....jpg <id>', found {line!r}"
        ) from None


def _read_lists(
    folder: Path, images: str, lists: list[str]
) -> tuple[tuple[Record, ...], list[str]]:
    present = set(images_under(folder / images))
    records, missing, notes = [], [], []
    for name in lists:
        for source, line in _lines(folder / name):
            listed, identity, camera = parse_line(line, source)
            path = inside(folder / images, listed, source)
            if path in present:
                records.append(Record(str(folder / images / path), identity, camera))
            else:
                missing.append(path)
    total = len(records) + len(missing)
    if not records:
        raise UserError(
            f"{ROOT_OPTION}: none of the {total:,} images of {' + '.join(lists)} is in "
            f"{folder / images}, which holds {contents(folder / images)}"
        )
    if missing:
        notes.append(
            f"{' + '.join(lists)}: {len(missing):,} of {total:,} images are not in {images}/ and "
            f"left out, such as {missing[0]}"
        )
    return tuple(sorted(records)), notes


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{ROOT_OPTION}: cannot read {path}: {error}") from None
    lines = enumerate(text.splitlines(), start=1)
    return [(f"{path} line {number}", line) for number, line in lines if line.strip()]


def _separate(splits: Splits) -> Splits:
    first = 1 + max(record.identity for record in splits.train)
    query, gallery = (
        tuple(replace(record, identity=record.identity + first) for record in records)
        for records in (splits.query, splits.gallery)
    )
    return replace(splits, query=query, gallery=gallery)
