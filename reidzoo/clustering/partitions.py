"""Clusterers that know the number of clusters and leave nobody out: k-means, agglomerative."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.contracts import Array, CamerasIn
from reidzoo.clustering.jaccard import check_options, jaccard_graph
from reidzoo.clustering.normalisation import Normalise, normalise_rows
from reidzoo.clustering.rows import integers, like

LARGEST_SQUARE = 10_000  # rows whose N x N distances average linkage may hold, one camera's
ALMOST_ALL = 1 - 1e-6  # the largest Jaccard distance that is not "nothing shared"


@dataclass(frozen=True)
class KMeans:
    """k-means on unit rows (scikit-learn's, k-means++ start): every image gets a cluster.

    Args:
        clusters: how many, at most N.
        iterations: at most.
        restarts: the best of so many starts is taken.
        seed: of the starts.
        normalise: camera normalisation of the features before clustering.

    >>> len(set(KMeans(clusters=2)(np.eye(2, dtype=np.float32)[[0, 0, 1]]).tolist()))
    2
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": ("normalise",)}

    clusters: int = 500
    iterations: int = 100
    restarts: int = 1
    seed: int = 0
    normalise: Normalise = "none"

    def __call__(self, features: Array, cameras: Array | None = None) -> Array:
        """Cluster unit rows [N, D] (cameras [N], -1 unknown); labels [N] int64."""
        from sklearn.cluster import KMeans as SklearnKMeans

        rows = normalise_rows(features, cameras, self.normalise).cpu().numpy()
        check_count(self.clusters, len(rows))
        model = SklearnKMeans(
            self.clusters,
            n_init=self.restarts,
            max_iter=self.iterations,
            random_state=self.seed,
        )
        return like(model.fit_predict(rows).astype(np.int64), features)


@dataclass(frozen=True)
class Agglomerative:
    """Agglomerative clustering on the Jaccard distance, as CALR labels one camera's images.

    Distances are N x N: at most 10,000 images. `per_camera` clusters each camera on its own.

    Args:
        clusters: how many; None: N / images_per_cluster, rounded down.
        images_per_cluster: see `clusters`.
        k1: length of the neighbour lists, the image itself included.
        k2: images averaged in local query expansion, the image itself included.
        linkage: "average", "complete" or "single".
        per_camera: cluster within cameras; labels of different cameras are different.
        normalise: camera normalisation of the features before clustering.

    >>> Agglomerative(clusters=2, k1=2, k2=1)(np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]).tolist()
    [1, 1, 0, 0]
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": ("normalise", "per_camera")}

    clusters: int | None = None
    images_per_cluster: int = 5
    k1: int = 15
    k2: int = 4
    linkage: Literal["average", "complete", "single"] = "average"
    per_camera: bool = False
    normalise: Normalise = "none"

    def __post_init__(self) -> None:
        check_options(self.k1, self.k2, 0)
        if self.images_per_cluster < 1:
            raise ValueError(f"images_per_cluster={self.images_per_cluster}; allowed: 1 or more")

    def __call__(self, features: Array, cameras: Array | None = None) -> Array:
        """Cluster unit rows [N, D] (cameras [N], -1 unknown); labels [N] int64."""
        rows = normalise_rows(features, cameras, self.normalise).cpu().numpy()
        if not self.per_camera:
            return like(self._labels(rows), features)
        if cameras is None:
            raise ValueError("per_camera=True needs cameras [N]; give them or switch it off")
        numbers = integers(cameras, "cameras", len(rows))
        labels = np.empty(len(rows), dtype=np.int64)
        used = 0
        for camera in np.unique(numbers):
            own = numbers == camera
            labels[own] = self._labels(rows[own]) + used
            used = labels[own].max() + 1
        return like(labels, features)

    def _labels(self, rows: NDArray[np.float32]) -> NDArray[np.int64]:
        from sklearn.cluster import AgglomerativeClustering

        N = len(rows)
        if N > LARGEST_SQUARE:
            raise ValueError(
                f"{N} images at once; allowed: {LARGEST_SQUARE} (distances are N x N); "
                "use per_camera=True or JaccardDBSCAN"
            )
        clusters = max(1, N // self.images_per_cluster) if self.clusters is None else self.clusters
        check_count(clusters, N)
        if clusters == N:
            return np.arange(N)  # scikit-learn wants at least two rows
        graph = jaccard_graph(rows, self.k1, self.k2, ALMOST_ALL).tocoo()
        distances = np.ones((N, N), dtype=np.float32)
        distances[graph.row, graph.col] = graph.data
        np.fill_diagonal(distances, 0)
        model = AgglomerativeClustering(clusters, metric="precomputed", linkage=self.linkage)
        return model.fit_predict(distances).astype(np.int64)  # type: ignore[no-any-return]


def check_count(clusters: int, N: int) -> None:
    """Refuse a number of clusters that N images cannot fill.

    >>> check_count(2, 2)
    """
    if not 1 <= clusters <= N:
        raise ValueError(f"clusters={clusters} of {N} images; allowed: 1 to {N}")
