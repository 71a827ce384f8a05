"""HDBSCAN on the sparse Jaccard graph: no radius to choose, clusters of different density."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix

from reidzoo.clustering.contracts import Array, CamerasIn
from reidzoo.clustering.jaccard import check_options, jaccard_graph
from reidzoo.clustering.normalisation import Normalise, normalise_rows
from reidzoo.clustering.rows import like

FARTHEST = 1.0  # Jaccard distance of images that share nothing


@dataclass(frozen=True)
class HDBSCAN:
    """Hierarchical DBSCAN (Campello et al., 2013; scikit-learn's) on the Jaccard distance.

    Args:
        k1: length of the neighbour lists, the image itself included.
        k2: images averaged in local query expansion, the image itself included.
        min_cluster_size: smaller groups are noise.
        min_samples: neighbours that the density of an image is measured by, itself included.
        max_distance: pairs farther apart count as sharing nothing.
        normalise: camera normalisation of the features before clustering.

    >>> rows = np.eye(8, dtype=np.float32)[[0, 0, 0, 1, 1, 1, 2]]
    >>> HDBSCAN(k1=3, k2=1, min_cluster_size=2, min_samples=2)(rows)
    array([ 0,  0,  0,  1,  1,  1, -1])
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": ("normalise",)}

    k1: int = 30
    k2: int = 6
    min_cluster_size: int = 4
    min_samples: int = 4
    max_distance: float = 0.95
    normalise: Normalise = "none"

    def __post_init__(self) -> None:
        check_options(self.k1, self.k2, self.max_distance)
        if self.min_cluster_size < 2 or self.min_samples < 1:
            raise ValueError(
                f"min_cluster_size={self.min_cluster_size}, min_samples={self.min_samples}; "
                "allowed: at least 2 and at least 1"
            )

    def __call__(self, features: Array, cameras: Array | None = None) -> Array:
        """Cluster unit rows [N, D] (cameras [N], -1 unknown); labels [N] int64, -1 outlier."""
        rows = normalise_rows(features, cameras, self.normalise)
        if len(rows) < max(self.min_samples, self.min_cluster_size):
            return like(np.full(len(rows), -1), features)
        graph = jaccard_graph(rows, self.k1, self.k2, self.max_distance)
        return like(self.labels(graph), features)

    def labels(self, graph: csr_matrix) -> NDArray[np.int64]:
        """Label the rows of a Jaccard graph [N, N]."""
        import sklearn.cluster

        model = sklearn.cluster.HDBSCAN(
            min_cluster_size=self.min_cluster_size,
            min_samples=self.min_samples,
            metric="precomputed",
            metric_params={"max_distance": FARTHEST},
            copy=True,
        )
        return model.fit_predict(_connected(graph)).astype(np.int64)  # type: ignore[no-any-return]


def _connected(graph: csr_matrix) -> csr_matrix:
    """Add the diagonal, and a chain of pairs at distance 1, since a forest is no hierarchy."""
    N = graph.shape[0]
    pairs = graph.tocoo()
    tiny = np.finfo(np.float64).tiny  # scikit-learn takes a stored 0 for a missing pair
    inside = csr_matrix((np.ones(len(pairs.data)), (pairs.row, pairs.col)), shape=(N, N))
    chain = np.arange(N - 1)
    missing = chain[np.asarray(inside[chain, chain + 1]).ravel() == 0]
    rows = np.concatenate([pairs.row, missing, missing + 1, np.arange(N)])
    columns = np.concatenate([pairs.col, missing + 1, missing, np.arange(N)])
    values = np.concatenate(
        [np.maximum(pairs.data, tiny), np.full(2 * len(missing), FARTHEST), np.full(N, tiny)]
    )
    return coo_matrix((values, (rows, columns)), shape=(N, N)).tocsr()
