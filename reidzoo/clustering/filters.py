"""Label filters: doubtful clusters become outliers, the rest is numbered 0..C-1."""

import logging
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.contracts import Array, CamerasIn, renumber
from reidzoo.clustering.rows import integers, like

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MinSize:
    """Keep clusters of at least `size` images (CALR: 5).

    >>> MinSize(2)(np.array([0, 1, 1, -1]))
    array([-1,  0,  0, -1])
    """

    size: int = 2

    def __call__(
        self, labels: Array, features: Array | None = None, cameras: Array | None = None
    ) -> Array:
        """Filter labels [N] int64 (-1 outlier)."""
        numbers = integers(labels, "labels")
        return like(_keep(numbers, _sizes(numbers) >= self.size), labels)


@dataclass(frozen=True)
class MinCameras:
    """Keep clusters seen by at least `cameras` cameras (Song et al., ICLR 2025).

    A cluster with an image of unknown camera (-1) is kept. The filter is off when the data has one
    camera, or none known, and when fewer than `min_clusters` clusters would be left (early in
    training most clusters may be of a single camera); the log says so.

    Args:
        cameras: how many cameras a cluster needs.
        min_clusters: give at least as many as the identities in a batch.

    >>> MinCameras(2)(np.array([0, 0, 1, 1]), cameras=np.array([0, 0, 0, 1]))
    array([-1, -1,  0,  0])
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": ()}

    cameras: int = 2
    min_clusters: int = 1

    def __call__(
        self, labels: Array, features: Array | None = None, cameras: Array | None = None
    ) -> Array:
        """Filter labels [N] int64 (-1 outlier) by cameras [N] (-1 unknown)."""
        numbers = integers(labels, "labels")
        if cameras is None:
            raise ValueError("MinCameras needs cameras [N]; give them or drop the filter")
        seen_by = integers(cameras, "cameras", len(numbers))
        if len(np.unique(seen_by[seen_by >= 0])) < 2:
            log.info("MinCameras is off: the data has one camera, or none known")
            return like(numbers, labels)
        kept = _camera_counts(numbers, seen_by) >= self.cameras
        if kept.sum() < self.min_clusters:
            log.warning(
                "MinCameras is skipped: it would leave %d of %d clusters, min_clusters=%d",
                kept.sum(), len(kept), self.min_clusters,
            )  # fmt: skip
            return like(numbers, labels)
        return like(_keep(numbers, kept), labels)


def _sizes(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(labels[labels >= 0])


def _camera_counts(labels: NDArray[np.int64], cameras: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the cameras of each cluster [C]; one with an unknown camera may have any number."""
    inside = labels >= 0
    pairs = np.unique(np.stack([labels[inside], cameras[inside]]), axis=1)
    counts = np.bincount(pairs[0])
    counts[pairs[0, pairs[1] < 0]] = np.iinfo(np.int64).max
    return counts


def _keep(labels: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    inside = labels >= 0
    result = labels.copy()
    result[inside] = np.where(kept[labels[inside]], labels[inside], -1)
    return renumber(result)
