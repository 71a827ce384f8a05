"""CALR's local labels: found at once, in its first stage, or read from a file."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from reidzoo.clustering import Clusterer
from reidzoo.errors import UserError
from reidzoo.label_files import read_labels
from reidzoo.methods.state import FeatureBank, PseudoLabels

OPTION = "--method.local_labels"


def check_local_labels(source: str) -> None:
    """Refuse what is neither a word nor a path where something is.

    >>> check_local_labels("cluster")
    """
    if source not in ("cluster", "train") and not Path(source).exists():
        raise UserError(f"{OPTION} {source}: no such file or run; allowed: a path, cluster, train")


def find_local_labels(
    source: str, clusterer: Clusterer, bank: FeatureBank, previous: PseudoLabels | None
) -> Tensor:
    """Labels [N] of each camera's own clustering.

    Args:
        source: `cluster` asks the clusterer; else a file or run, or `train` after its first stage.
        clusterer: of each camera's images.
        bank: features and cameras.
        previous: where the labels of earlier epochs are.
    """
    if source == "cluster":
        return clusterer(bank["global"], bank.cameras)
    if previous is not None:
        return previous.tables["local"]
    return read_local_labels(Path(source), bank.paths).to(bank.cameras.device)


def read_local_labels(path: Path, images: Sequence[str]) -> Tensor:
    """Read the column `local` (or else `label`) of a CSV with a column `path`.

    Images are matched by their path below the common folder.

    Args:
        path: the file, or the folder of a run, which holds it as pseudo_labels.csv.
        images: paths [N] below their common folder.

    Returns:
        [N] int64, -1 where a camera has no local labels.

    Raises:
        UserError: no such columns, or other images.
    """
    return torch.tensor(read_labels(path, images, OPTION, ("local", "label")))
