"""A CSV that says what is known about each image: `path,camera[,identity][,split]`."""

import csv
from dataclasses import dataclass
from pathlib import Path

from reidzoo.data.formats.places import inside
from reidzoo.errors import UserError, nearest

OPTION = "--data.table"
PARTS = ("train", "query", "gallery")


@dataclass(frozen=True)
class Row:
    """What a table, or any other rule, says about one image; None is unknown."""

    camera: str | None = None
    identity: str | None = None
    split: str = "train"


def read_table(table: str, folder: Path) -> dict[Path, Row]:
    """Read a table; keys are paths below the folder of images.

    Args:
        table: path of the CSV, relative to the working directory or to `folder`.
        folder: what the paths in it are relative to; none may lead outside.

    Raises:
        UserError: no such file, columns missing, a bad path or split, two rows that disagree.
    """
    path = next((p for p in (Path(table).expanduser(), folder / table) if p.is_file()), None)
    if path is None:
        raise UserError(f"{OPTION} {table}: no such file, neither here nor in {folder}")
    rows: dict[Path, Row] = {}
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front of the first column's name.
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            columns = [column.strip().lower() for column in reader.fieldnames or []]
            reader.fieldnames = columns
            if not {"path", "camera"} <= set(columns):
                raise UserError(
                    f"{OPTION} {table}: needs the columns path,camera (and, if known, identity, "
                    f"split), found {','.join(columns) or 'an empty file'}"
                )
            for cells in reader:
                source = f"{OPTION} {table} line {reader.line_num}"
                key, row = _parse(cells, folder, source)
                if rows.setdefault(key, row) != row:
                    raise UserError(f"{source}: {key} was already described differently above")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{OPTION} {table}: cannot be read as CSV in UTF-8: {error}") from None
    return rows


def _parse(cells: dict[str, str | None], folder: Path, source: str) -> tuple[Path, Row]:
    columns = ("path", "camera", "identity", "split")
    known = {name: (cells.get(name) or "").strip() for name in columns}
    split = known["split"].lower() or "train"
    if split not in PARTS:
        raise UserError(f"{source}: split {split!r}; {nearest(split, PARTS)}")
    key = folder / inside(folder, known["path"], source)
    return key, Row(known["camera"] or None, known["identity"] or None, split)
