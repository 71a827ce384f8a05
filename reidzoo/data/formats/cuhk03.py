"""CUHK03 with the new protocol (767 / 700 identities), in any of the three forms it comes in.

1. `cuhk03-np`: folders in Market layout, already split, read as they are;
2. an extracted tree `images_detected/1_001_1_01.png` with the protocol's small .mat file;
3. the original `cuhk-03.mat` with the same .mat file: its images are written once, as PNG, to the
   cache, which needs h5py. Training then reads plain files, as with all other sets.

Names are `<pair>_<person>_<view>_<number>.png`. The camera is the view, as everywhere in the
literature: two cameras, although five pairs (ten physical cameras) exist.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from reidzoo.data.cache import build_once, cache_root
from reidzoo.data.formats.market import MARKET, read_market
from reidzoo.data.formats.places import ROOT_OPTION, contents, inside
from reidzoo.data.records import Record, Splits
from reidzoo.errors import UserError

Boxes = Literal["detected", "labeled"]
NAME = re.compile(r"\d+_\d+_([12])_\d+\.png")
LOOKED_FOR = (
    "detected/ or labeled/ in Market layout, or cuhk03_new_protocol_config_<boxes>.mat with "
    "images_<boxes>/ or cuhk-03.mat"
)


def protocol_file(folder: Path, boxes: Boxes) -> Path:
    """Path of the small file that says which image belongs to which split."""
    return folder / f"cuhk03_new_protocol_config_{boxes}.mat"


def matches(folder: Path) -> bool:
    """Tell whether a folder holds CUHK03 in any form."""
    kinds: tuple[Boxes, Boxes] = ("detected", "labeled")
    return any(
        MARKET.matches(folder / kind) or protocol_file(folder, kind).is_file() for kind in kinds
    )


def read_cuhk03(folder: Path, boxes: Boxes = "detected") -> Splits:
    """Read CUHK03, new protocol.

    Args:
        folder: a folder that `matches`.
        boxes: the detector's boxes or those drawn by hand.

    Raises:
        UserError: these boxes are not there, or a file cannot be read.
    """
    if MARKET.matches(folder / boxes):
        return replace(read_market(folder / boxes), edition=f"cuhk03-np, {boxes} boxes")
    if not protocol_file(folder, boxes).is_file():
        raise UserError(
            f"--data.boxes {boxes}: looked for {boxes}/ in Market layout and for "
            f"{protocol_file(folder, boxes)}; found {contents(folder)}"
        )
    images = _image_folder(folder, boxes)
    return _read_protocol(protocol_file(folder, boxes), images, boxes)


def _read_protocol(path: Path, images: Path, boxes: Boxes) -> Splits:
    from scipy.io.matlab import MatReadError, loadmat

    try:
        mat: dict[str, Any] = loadmat(path)
        names = [str(cell[0]) for cell in mat["filelist"].ravel()]
        labels = [int(label) for label in mat["labels"].ravel()]
        rows = {part: mat[f"{part}_idx"].ravel() for part in ("train", "query", "gallery")}
        # MATLAB counts from 1.
        picked = {
            part: [(names[int(row) - 1], labels[int(row) - 1]) for row in rows[part]]
            for part in rows
        }
    except (
        MatReadError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        NotImplementedError,
    ) as error:
        raise UserError(f"{ROOT_OPTION}: cannot read the protocol {path}: {error}") from None
    train, query, gallery = (
        tuple(sorted(_record(images, name, identity, path) for name, identity in picked[part]))
        for part in ("train", "query", "gallery")
    )
    return Splits(train, query, gallery, edition=f"new protocol, {boxes} boxes")


def _record(images: Path, name: str, identity: int, source: Path) -> Record:
    name = inside(images, name, str(source))
    found = NAME.fullmatch(name)
    if found is None:
        raise UserError(f"{source}: expected <pair>_<person>_<view>_<number>.png, found {name!r}")
    if not (images / name).is_file():
        raise UserError(f"{ROOT_OPTION}: {source.name} names {name}, which is not in {images}")
    return Record(str(images / name), identity, int(found[1]) - 1)


def _image_folder(folder: Path, boxes: Boxes) -> Path:
    """Return the folder of extracted images; extract them to the cache where there is none."""
    for extracted in (folder / f"images_{boxes}", folder / boxes):
        if extracted.is_dir():
            return extracted
    archives = (folder / "cuhk-03.mat", folder / "cuhk03_release" / "cuhk-03.mat")
    archive = next((path for path in archives if path.is_file()), None)
    if archive is None:
        raise UserError(
            f"{ROOT_OPTION} {folder}: looked for the images in images_{boxes}/, {boxes}/ and "
            f"cuhk-03.mat; found {contents(folder)}"
        )
    status = archive.stat()
    made_of: dict[str, str | int | float] = {
        "archive": str(archive.resolve()),
        "bytes": status.st_size,
        "modified": status.st_mtime,
        "boxes": boxes,
    }
    place = cache_root() / "cuhk03" / boxes
    return build_once(place, made_of, lambda new: extract(archive, boxes, new))


def extract(archive: Path, boxes: Boxes, place: Path) -> None:
    """Write the images of `cuhk-03.mat` (MATLAB 7.3, that is HDF5) as PNG files.

    Args:
        archive: the original file; images are stored transposed there, [3,W,H] uint8.
        boxes: the cell array to read: 5 camera pairs x persons x 10 images, some cells empty.
        place: an empty folder.

    Raises:
        UserError: h5py is not installed, or the file is not what it should be.
    """
    try:
        import h5py
    except ImportError:
        raise UserError(
            f"{archive} needs h5py: pip install 'reidzoo[cuhk03]', or give an extracted tree"
        ) from None
    from PIL import Image

    try:
        with h5py.File(archive, "r") as mat:
            for pair, pair_cell in enumerate(mat[boxes][()].ravel(), start=1):
                for person, cells in enumerate(mat[pair_cell][()].T, start=1):
                    for number, cell in enumerate(cells, start=1):
                        pixels = mat[cell][()]
                        if pixels.ndim != 3:
                            continue  # an empty cell
                        view = 1 if number <= 5 else 2
                        name = f"{pair}_{person:03d}_{view}_{number:02d}.png"
                        Image.fromarray(pixels.T).save(place / name)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{ROOT_OPTION}: cannot read {archive}: {error}") from None
