"""One's own crops in a plain folder: no split, no identities, cameras from whatever says them."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reidzoo.data.formats.places import ROOT_OPTION, contents, images_under, natural
from reidzoo.data.formats.table import PARTS, Row, read_table
from reidzoo.data.records import UNKNOWN_CAMERA, UNKNOWN_IDENTITY, Record, Splits
from reidzoo.errors import UserError
from reidzoo.images import read_image

CAMERA_IN_NAME = re.compile(r"_c(\d+)")
IDENTITY_IN_NAME = re.compile(r"(-?\d+)_c\d")
JUNK = "-1"
DISTRACTOR = "0"

Described = list[tuple[Path, Row]]


@dataclass(frozen=True)
class FolderRules:
    """How to learn the camera and identity of an image; the first rule that knows one wins.

    Args:
        pattern: regular expression with the named groups `cam` and / or `pid`, searched in the
            base name.
        table: CSV with the columns `path,camera[,identity][,split]`.
        camera_from: "parent": one sub-folder per camera; "name": `_c<digits>` in the base name;
            "none": cameras are unknown unless pattern or table say them.
    """

    pattern: str | None = None
    table: str | None = None
    camera_from: Literal["name", "parent", "none"] = "name"


def read_folder(
    folder: Path, rules: FolderRules, labelled: str | None = None, decode: bool = True
) -> Splits:
    """Read a plain folder, recursively, in the order of its paths.

    Cameras are numbered from 0 in the natural order of their names; identities are kept where all
    are whole numbers, else numbered from 1. Files that cannot be decoded are left out and noted.

    Args:
        folder: the images to train on.
        rules: where cameras and identities come from.
        labelled: a folder of images with identities to evaluate on, absolute or relative to
            `folder`. One that lies inside `folder` is not trained on, except `folder` itself.
        decode: find out which files cannot be decoded; whoever reads each file once may not need
            to know before.

    Raises:
        UserError: no image, a rule that cannot work, a table that leads outside of the folder.
    """
    table = _read_rules(folder, rules)
    described, notes = _describe(folder, rules, table, decode=decode)
    absent = [path for path in table if not os.path.isfile(path)]  # noqa: PTH113  too long a name
    if absent:
        notes.append(f"--data.table: {len(absent)} images are not there, such as {absent[0]}")
    parts = {part: [item for item in described if item[1].split == part] for part in PARTS}
    if labelled is not None:
        place = Path(os.path.normpath(folder / Path(labelled).expanduser()))
        if not place.is_dir():
            raise UserError(f"--data.labelled {labelled}: there is no folder {place}")
        if place == folder:
            notes.append(f"--data.labelled {labelled}: evaluated on images that are trained on")
        else:
            parts["train"] = [item for item in parts["train"] if not item[0].is_relative_to(place)]
        test, test_notes = _describe(place, rules, table, identify=True)
        notes += [note for note in test_notes if note not in notes]
        parts["query"], parts["gallery"] = _evaluation_parts(test, labelled)
    return _number(parts, tuple(notes))


def _read_rules(folder: Path, rules: FolderRules) -> dict[Path, Row]:
    """Check the pattern and read the table."""
    if rules.pattern is not None:
        try:
            groups = set(re.compile(rules.pattern).groupindex)
        except re.error as error:
            raise UserError(
                f"--data.pattern {rules.pattern!r} is no regular expression: {error}"
            ) from None
        if not groups & {"cam", "pid"}:
            raise UserError(
                f"--data.pattern {rules.pattern!r} has neither of the groups (?P<cam>...) and "
                "(?P<pid>...)"
            )
    return read_table(rules.table, folder) if rules.table else {}


def _describe(
    folder: Path,
    rules: FolderRules,
    table: dict[Path, Row],
    identify: bool = False,
    decode: bool = True,
) -> tuple[Described, list[str]]:
    """Say of each image in a folder what the rules know; names tell identities if `identify`."""
    paths, notes = _images(folder, decode)
    described = []
    for path in paths:
        camera, identity = _from_pattern(rules.pattern, path.name)
        row = table.get(path, Row())
        camera = camera or row.camera or _from_place(rules.camera_from, path, folder)
        identity = identity or row.identity
        if identify and identity is None and (found := IDENTITY_IN_NAME.match(path.name)):
            identity = found[1]
        described.append((path, Row(camera, identity, row.split)))
    return described, notes


def _images(folder: Path, decode: bool) -> tuple[list[Path], list[str]]:
    """List the images, only those that can be decoded to their end if asked; note the others."""
    paths = [folder / name for name in images_under(folder)]
    if not paths:
        raise UserError(f"{ROOT_OPTION}: {folder} has no images; it holds {contents(folder)}")
    if not decode:
        return paths, []
    with ThreadPoolExecutor() as pool:
        sound = dict(zip(paths, pool.map(_is_readable, paths), strict=True))
    good = [path for path in paths if sound[path]]
    bad = [path.relative_to(folder).as_posix() for path in paths if not sound[path]]
    if not good:
        raise UserError(f"{ROOT_OPTION}: none of the {len(bad)} images in {folder} can be decoded")
    more = f" and {len(bad) - 10} more" if len(bad) > 10 else ""
    note = f"{len(bad)} files cannot be decoded and are left out: {', '.join(bad[:10])}{more}"
    return good, [note] if bad else []


def _is_readable(path: Path) -> bool:
    try:
        read_image(path)
    except UserError:
        return False
    return True


def _from_pattern(pattern: str | None, name: str) -> tuple[str | None, str | None]:
    found = re.search(pattern, name) if pattern else None
    groups = found.groupdict() if found else {}
    return groups.get("cam"), groups.get("pid")


def _from_place(rule: str, path: Path, folder: Path) -> str | None:
    if rule == "parent":
        parent = path.parent.relative_to(folder).as_posix()
        return None if parent == "." else parent
    found = CAMERA_IN_NAME.search(path.name) if rule == "name" else None
    return str(int(found[1])) if found else None


def _evaluation_parts(described: Described, labelled: str) -> tuple[Described, Described]:
    """Take one query per identity and camera, of identities that two or more cameras saw.

    The gallery is the whole folder: images of the same person and camera are never counted, so
    that a query does not find itself, and one image per camera is enough to be found.
    """
    known = [item for item in described if item[1].identity is not None]
    views: dict[str | None, dict[str, tuple[Path, Row]]] = defaultdict(dict)
    for path, row in known:
        if row.camera is not None and row.identity not in (JUNK, DISTRACTOR):
            views[row.identity].setdefault(row.camera, (path, row))
    query = [item for cameras in views.values() if len(cameras) > 1 for item in cameras.values()]
    if not query:
        raise UserError(
            f"--data.labelled {labelled}: no identity is seen by two cameras; identities are read "
            "from names <identity>_c<camera>, --data.pattern (group pid) or --data.table"
        )
    return query, known


def _number(parts: dict[str, Described], notes: tuple[str, ...]) -> Splits:
    """Turn names of cameras and identities into numbers, the same ones in all splits."""
    rows = [row for items in parts.values() for _, row in items]
    cameras = sorted({row.camera for row in rows if row.camera is not None}, key=natural)
    camera_numbers = {name: number for number, name in enumerate(cameras)}
    identity_numbers = _identity_numbers(row.identity for row in rows)

    def records(part: str) -> tuple[Record, ...]:
        return tuple(
            sorted(
                Record(
                    str(path),
                    UNKNOWN_IDENTITY if row.identity is None else identity_numbers[row.identity],
                    UNKNOWN_CAMERA if row.camera is None else camera_numbers[row.camera],
                )
                for path, row in parts[part]
                if row.identity != JUNK
            )
        )

    shown = ", ".join(cameras[:8]) + (", ..." if len(cameras) > 8 else "")
    edition = f"{len(cameras)} cameras ({shown})" if cameras else "cameras unknown"
    blind = sum(row.camera is None for row in rows)
    if cameras and blind:
        notes += (f"{blind} images have no camera",)
    return Splits(records("train"), records("query"), records("gallery"), edition, notes)


def _identity_numbers(names: Iterable[str | None]) -> dict[str, int]:
    """Number identities: whole numbers stay, other names count from 1 (0 marks distractors).

    >>> _identity_numbers(["anna", "0", "bert", None])
    {'0': 0, 'anna': 1, 'bert': 2}
    """
    known = {name for name in names if name is not None} - {JUNK}
    if all(name.isdecimal() for name in known):
        return {name: int(name) for name in sorted(known, key=natural)}
    others = sorted(known - {DISTRACTOR}, key=natural)
    return {DISTRACTOR: 0} | {name: number for number, name in enumerate(others, start=1)}
