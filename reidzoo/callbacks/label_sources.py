"""Labels that no clusterer found: true identities, or a file."""

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.contracts import renumber
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.errors import UserError
from reidzoo.files import below_common_folder
from reidzoo.label_files import read_labels
from reidzoo.methods.base import Method


def true_labels(method: Method, data: ReIDDataModule) -> NDArray[np.int64]:
    """The identities [N], numbered 0..C-1, as if a clusterer had found them.

    Raises:
        UserError: the data has no identities, or the method does not train on clusters.
    """
    option = "--cluster.oracle true"
    if method.labels_from is not None:
        raise UserError(f"{option}: --method.labels gives other labels; choose one")
    if not data.has_identities:
        raise UserError(f"{option}: the data has no identities to train on")
    check_uses_clusterer(method, option)
    return renumber(data.identities.numpy())


def given_labels(method: Method, data: ReIDDataModule) -> NDArray[np.int64]:
    """The labels [N] that `--method.labels` names, numbered 0..C-1, -1 outlier.

    Raises:
        UserError: the method does not train on clusters, the file is not about these images, or
            there are fewer than two clusters in it.
    """
    option = f"--method.labels {method.labels_from}"
    check_uses_clusterer(method, option)
    images = below_common_folder(record.path for record in data.splits.train)
    labels = renumber(np.array(read_labels(str(method.labels_from), images, "--method.labels")))
    if labels.max() < 1:
        raise UserError(f"{option}: {labels.max() + 1} clusters; training needs 2 or more")
    return labels


def check_uses_clusterer(method: Method, option: str) -> None:
    """Refuse other labels for a method that makes its own kind."""
    if not method.uses_clusterer:
        raise UserError(
            f"{option}: {type(method).__name__} makes labels of its own kind; use a method that "
            "takes them from its clusterer, such as cluster_contrast or hhcl"
        )
