"""Labels in CSV files, matched to the images they are about wherever those lie now."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reidzoo.errors import UserError
from reidzoo.files import below_common_folder


def read_labels(
    path: str | Path, images: Sequence[str], option: str, columns: Sequence[str] = ("label",)
) -> list[int]:
    r"""Read one whole number per image from a CSV, whatever order and folder it was written in.

    Args:
        path: a file with a column `path`, or the folder of a run, which has pseudo_labels.csv.
        images: paths below their common folder, by which the file's are matched to them.
        option: how an error message begins.
        columns: names of the column, the first one that the file has.

    Returns:
        labels of the images, -1 or more.

    Raises:
        UserError: the file cannot be read, lacks a column, holds something else than whole numbers
            of -1 or more, names an image twice, or names other images.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "labels.csv"
    >>> _ = file.write_text("path,label\n/old/b/2.jpg,7\n/old/a/1.jpg,-1\n")
    >>> read_labels(file, ["a/1.jpg", "b/2.jpg"], "--method.labels")
    [-1, 7]
    """
    file = Path(path).expanduser()
    file = file / "pseudo_labels.csv" if file.is_dir() else file
    what = f"{option} {file}"
    paths, labels = _read_columns(file, columns, what)
    try:
        names = below_common_folder(paths)
    except ValueError as error:
        raise UserError(f"{what}: column path: some are absolute, some relative") from error
    _check_same_images(names, images, what)
    found = dict(zip(names, labels, strict=True))
    return [found[image] for image in images]


def _read_columns(file: Path, columns: Sequence[str], what: str) -> tuple[list[str], list[int]]:
    """The column `path`, and whole numbers of -1 or more in the first of `columns` there is."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as opened:
            reader = csv.DictReader(opened)
            header = reader.fieldnames or ()
            column = next((name for name in columns if name in header), columns[0])
            if "path" not in header:
                raise KeyError("path")
            pairs = [(row["path"], int(row[column])) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{what}: cannot be read ({error})") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{what}: needs the columns path and {column} (a whole number in each row, -1 for "
            "outliers), as in pseudo_labels.csv of a run"
        ) from error
    lowest = min((label for _, label in pairs), default=0)
    if lowest < -1:
        raise UserError(f"{what}: {column} {lowest}; allowed: 0, 1, ... and -1 for outliers")
    return [path for path, _ in pairs], [label for _, label in pairs]


def _check_same_images(names: Sequence[str], images: Sequence[str], what: str) -> None:
    """Refuse names that are not exactly those of the images, each once."""
    counts, known = Counter(names), set(images)
    missing = [image for image in images if image not in counts]
    unknown = [name for name in counts if name not in known]
    twice = [name for name, count in counts.items() if count > 1]
    problems = (
        (missing, f"{len(missing)} of {len(images)} images are not in it"),
        (unknown, f"{len(unknown)} of its images are not in the data"),
        (twice, f"{len(twice)} images are in it more than once"),
    )
    for found, problem in problems:
        if found:
            hint = "" if found is twice else "; made from other images than those of the data now"
            raise UserError(f"{what}: {problem} (first: {found[0]}){hint}")
