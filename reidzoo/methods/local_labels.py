"""CALR's local labels from a file, matched to the images by path below their common folder."""

import csv
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from reidzoo.errors import UserError
from reidzoo.files import below_common_folder

OPTION = "--method.local_labels"


def check_exists(path: str) -> None:
    """Refuse a path where nothing is.

    >>> check_exists(".")
    """
    if not Path(path).exists():
        raise UserError(f"{OPTION} {path}: no such file or run; allowed: a path, cluster, train")


def read_local_labels(path: Path, images: Sequence[str]) -> Tensor:
    """Read the column `local` (or else `label`) of a CSV with a column `path`.

    Args:
        path: the file, or the folder of a run, which holds it as pseudo_labels.csv.
        images: paths [N] below their common folder.

    Returns:
        [N] int64, -1 where a camera has no local labels.

    Raises:
        UserError: no such columns, or images that the file does not name.
    """
    file = path / "pseudo_labels.csv" if path.is_dir() else path
    try:
        with file.open(newline="") as opened:
            rows = list(csv.DictReader(opened))
        column = "local" if rows and "local" in rows[0] else "label"
        found = {row["path"]: int(row[column]) for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{OPTION} {file}: cannot be read ({error})") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(
            f"{OPTION} {file}: needs the columns path and local (whole numbers); a run of "
            "--method calr_intra writes them"
        ) from error
    labels = dict(zip(below_common_folder(found), found.values(), strict=True))
    missing = [image for image in images if image not in labels]
    if missing:
        raise UserError(
            f"{OPTION} {file}: {len(missing)} of {len(images)} images are not in it (first: "
            f"{missing[0]}); it must come from the same data set"
        )
    return torch.tensor([labels[image] for image in images])
