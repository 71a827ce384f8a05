"""Market layout: three flat folders of images named `<identity>_c<camera>...`.

Market-1501, PersonX, VeRi-776, the repacked MSMT17 and cuhk03-np are all written so.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reidzoo.data.formats.places import ROOT_OPTION, contents, has_folders, images_in
from reidzoo.data.records import DISTRACTOR, UNKNOWN_CAMERA, Record, Splits
from reidzoo.errors import UserError

JUNK = -1
# Anchored at the start of the base name: a parent folder such as run12_c3 must not be matched.
NAME = re.compile(r"(-?\d+)_c(\d+)")
CAMERA = re.compile(r"_c(\d+)")


@dataclass(frozen=True)
class Layout:
    """Names of the three folders."""

    train: str = "bounding_box_train"
    query: str = "query"
    gallery: str = "bounding_box_test"

    @property
    def folders(self) -> tuple[str, str, str]:
        """Return the three names in the order train, query, gallery."""
        return (self.train, self.query, self.gallery)

    def matches(self, folder: Path) -> bool:
        """Tell whether a folder has this layout."""
        return has_folders(folder, self.folders)

    def __str__(self) -> str:
        return ", ".join(f"{name}/" for name in self.folders)


MARKET = Layout()
VERI = Layout("image_train", "image_query", "image_test")


def parse_name(name: str) -> tuple[int, int] | None:
    """Read identity and camera number, both as written, from a base name; None without them.

    >>> parse_name("0002_c1s1_000451_03.jpg"), parse_name("-1_c12s3.jpg"), parse_name("cat.jpg")
    ((2, 1), (-1, 12), None)
    """
    found = NAME.match(name)
    return (int(found[1]), int(found[2])) if found else None


def read_market(folder: Path, layout: Layout = MARKET) -> Splits:
    """Read a folder in Market layout.

    Junk (identity -1) is dropped, distractors (identity 0) stay, identities are those on disk,
    cameras are made 0-based. Files whose name says no identity and camera are left out and noted.

    Args:
        folder: the folder that holds the three folders of `layout`.
        layout: what these are called.

    Raises:
        UserError: a folder is empty, or no name in it can be read.
    """
    parts = [_read_part(folder / name) for name in layout.folders]
    # Numbers start at 1 in every published set; a camera 0 says that this one counts from 0.
    base = 0 if any(record.camera == 0 for records, _ in parts for record in records) else 1
    train, query, gallery = (
        tuple(replace(record, camera=record.camera - base) for record in records)
        for records, _ in parts
    )
    notes = [note for _, part in parts for note in part]
    if base == 0:
        notes.append("camera numbers start at 0 on disk and are kept as they are")
    return Splits(train, query, gallery, edition="Market layout", notes=tuple(notes))


def _read_part(folder: Path) -> tuple[list[Record], list[str]]:
    records, strange = [], []
    for name in images_in(folder):
        parsed = parse_name(name)
        if parsed is None:
            strange.append(name)
        elif parsed[0] != JUNK:
            records.append(Record(str(folder / name), *parsed))
    if not records:
        raise UserError(
            f"{ROOT_OPTION}: no image in {folder} is named <identity>_c<camera>...; "
            f"it holds {contents(folder)}"
        )
    odd = f"{folder.name}: {len(strange)} files left out, named without identity and camera"
    return records, [f"{odd}: {strange[0]}"] if strange else []


def relabel_cameras(splits: Splits) -> Splits:
    """Number the cameras 0, 1, ... in the order of those seen (PersonX has 3, 4, 8, 10, 11, 12).

    >>> sparse = Splits(train=(Record("a.jpg", 1, 2), Record("b.jpg", 1, 11)))
    >>> [record.camera for record in relabel_cameras(sparse).train]
    [0, 1]
    """
    everything = splits.train + splits.query + splits.gallery
    seen = sorted({record.camera for record in everything} - {UNKNOWN_CAMERA})
    new = {old: camera for camera, old in enumerate(seen)} | {UNKNOWN_CAMERA: UNKNOWN_CAMERA}

    def renamed(records: Sequence[Record]) -> tuple[Record, ...]:
        return tuple(replace(record, camera=new[record.camera]) for record in records)

    return replace(
        splits,
        train=renamed(splits.train),
        query=renamed(splits.query),
        gallery=renamed(splits.gallery),
    )


def add_distractors(splits: Splits, folder: Path) -> Splits:
    """Add the 500k distractors of Market-1501 to the gallery.

    All get identity 0 whatever their name says: under -1 they would silently vanish. The camera
    is read from the name where it is there.

    Args:
        splits: what `read_market` returned.
        folder: the folder `images` of the unpacked distractors.

    Raises:
        UserError: the folder is not there or has no images.
    """
    if not folder.is_dir():
        raise UserError(
            f"--data.distractors true: there is no folder {folder}; unpack distractors_500k.zip "
            "there or leave the option out"
        )
    extra = []
    for name in images_in(folder):
        found = CAMERA.search(name)
        camera = int(found[1]) - 1 if found else UNKNOWN_CAMERA
        extra.append(Record(str(folder / name), DISTRACTOR, camera))
    return replace(
        splits,
        gallery=tuple(sorted([*splits.gallery, *extra])),
        edition=f"{splits.edition}, {len(extra):,} distractors",
    )
