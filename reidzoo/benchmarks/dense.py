"""The textbook: pseudo-labels by dense N x N arrays, in lean numpy and with scikit-learn's DBSCAN.

It follows `specs/pipeline.md` 0.4 from a neighbour table on; three N x N arrays live at its peak.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import DBSCAN

TIE = 1e-6


def dense_labels(
    rows: NDArray[np.float32], ranks: NDArray[np.int64], k2: int, eps: float, min_samples: int
) -> NDArray[np.int64]:
    """Label unit rows [N, D] from their neighbour table [N, k1].

    >>> rows = np.eye(2, dtype=np.float32)[[0, 0, 1]]
    >>> dense_labels(rows, np.array([[0, 1], [1, 0], [2, 0]]), 1, 0.5, 2).tolist()
    [0, 0, -1]
    """
    distances = dense_jaccard(rows, ranks, k2)
    model = DBSCAN(eps=eps + TIE, min_samples=min_samples, metric="precomputed")
    return np.asarray(model.fit_predict(distances), dtype=np.int64)


def dense_jaccard(
    rows: NDArray[np.float32], ranks: NDArray[np.int64], k2: int
) -> NDArray[np.float32]:
    """Jaccard distances [N, N] from the neighbour table [N, k1].

    >>> dense_jaccard(np.eye(2, dtype=np.float32), np.array([[0], [1]]), 1).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    N, k1 = ranks.shape
    half = min(round(k1 / 2) + 1, k1)
    reciprocal = [_mutual(ranks, i) for i in range(N)]
    halves = [_mutual(ranks[:, :half], i) for i in range(N)]
    V = np.zeros((N, N), dtype=np.float32)
    for i in range(N):
        members = [reciprocal[i]]
        for candidate in reciprocal[i]:
            shared = np.isin(halves[candidate], reciprocal[i], assume_unique=True).sum()
            if 3 * shared > 2 * len(halves[candidate]):
                members.append(halves[candidate])
        expanded = np.unique(np.concatenate(members))
        weights = np.exp(2 * (rows[expanded] @ rows[i]) - 2)
        V[i, expanded] = weights / weights.sum()
    if k2 > 1:
        V = np.stack([V[ranks[i, :k2]].mean(0) for i in range(N)])
    having = [np.flatnonzero(V[:, column]) for column in range(N)]
    distances = np.empty((N, N), dtype=np.float32)
    for i in range(N):
        shared_mass = np.zeros(N, dtype=np.float32)
        for column in np.flatnonzero(V[i]):
            others = having[column]
            shared_mass[others] += np.minimum(V[i, column], V[others, column])
        distances[i] = 1 - shared_mass / (2 - shared_mass)
    np.maximum(distances, 0, out=distances)
    return distances


def _mutual(ranks: NDArray[np.int64], i: int) -> NDArray[np.int64]:
    named = (ranks[ranks[i]] == i).any(axis=1)
    return np.asarray(ranks[i][named])
