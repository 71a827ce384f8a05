"""The silhouette of a clustering on a sparse distance graph: how good are labels, without truth."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reidzoo.clustering.contracts import AnyArray, Array
from reidzoo.clustering.jaccard import jaccard_graph
from reidzoo.clustering.rows import as_numpy, integers

ALL_PAIRS = 1 - 1e-6  # the largest Jaccard distance below "nothing in common"


def jaccard_silhouette(features: Array, labels: AnyArray, k1: int = 15, k2: int = 4) -> float:
    """The silhouette of labels [N] on the Jaccard distances of unit rows [N, D].

    >>> rows = np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 1, 1]]
    >>> jaccard_silhouette(rows, np.array([0, 0, 0, 1, 1, 1]), k1=3, k2=1)
    1.0
    """
    graph = jaccard_graph(features, k1=k1, k2=k2, max_distance=ALL_PAIRS)
    return silhouette(graph, as_numpy(labels))


def silhouette(graph: csr_matrix, labels: NDArray[np.int64]) -> float:
    """Mean silhouette coefficient of the rows that are in a cluster.

    (b - a) / max(a, b), with a the mean distance to the own cluster and b that to the nearest
    other one; 0 for a cluster of one. A pair that is missing in the graph is at distance 1.

    Args:
        graph: symmetric CSR [N, N] of distances, no diagonal, as `jaccard_graph` makes it.
        labels: [N], -1 outlier.

    Returns:
        -1 to 1; -1 where there are fewer than two clusters.

    Source: Rousseeuw, 1987; CALR's choice of an epoch.

    >>> silhouette(csr_matrix((4, 4)), np.array([0, 0, 1, 1]))
    0.0
    """
    numbers = integers(labels, "labels", graph.shape[0])
    kept = np.flatnonzero(numbers >= 0)
    y = numbers[kept]
    sizes = np.bincount(y)
    if len(sizes) < 2:
        return -1.0
    near = graph[kept][:, kept].tocsr(copy=True)
    near.data = 1 - near.data  # what a pair is nearer than 1: sums need no missing pairs
    member = csr_matrix((np.ones(len(y)), (np.arange(len(y)), y)))
    shared = (near @ member).tocoo()  # [n, C] sums over clusters
    own = shared.col == y[shared.row]
    within = np.bincount(shared.row[own], shared.data[own], len(y))
    a = 1 - within / np.maximum(sizes[y] - 1, 1)
    across = np.zeros(len(y))
    np.maximum.at(across, shared.row[~own], (shared.data / sizes[shared.col])[~own])
    b = 1 - across
    widths = (b - a) / np.maximum(np.maximum(a, b), np.finfo(np.float64).tiny)
    return float(np.where(sizes[y] > 1, widths, 0).mean())
