"""The textbook, dense and slow: what the sparse engine must agree with."""

import numpy as np
from sklearn.cluster import DBSCAN


def dense_ranks(features, k):
    """Sort every row completely: itself first, then by fp32 similarity, ties by lower index."""
    similarities = (features.astype(np.float64) @ features.astype(np.float64).T).astype(np.float32)
    key = similarities.copy()
    np.fill_diagonal(key, np.inf)
    return np.argsort(-key, axis=1, kind="stable")[:, :k]


def dense_jaccard(features, k1, k2, ranks=None):
    """Follow `specs/pipeline.md` 0.4 word by word, in fp64, with N x N arrays."""
    N = len(features)
    ranks = dense_ranks(features, k1) if ranks is None else ranks[:, :k1]
    half = min(int(np.around(k1 / 2)) + 1, k1)
    reciprocal = [{j for j in ranks[i] if i in ranks[j]} for i in range(N)]
    halves = [{j for j in ranks[i, :half] if i in ranks[j, :half]} for i in range(N)]
    distances = 2 - 2 * (features.astype(np.float64) @ features.astype(np.float64).T)
    V = np.zeros((N, N))
    for i in range(N):
        expanded = set(reciprocal[i])
        for candidate in reciprocal[i]:
            if 3 * len(halves[candidate] & reciprocal[i]) > 2 * len(halves[candidate]):
                expanded |= halves[candidate]
        members = sorted(expanded)
        weights = np.exp(-distances[i, members])
        V[i, members] = weights / weights.sum()
    if k2 > 1:
        V = np.stack([V[ranks[i, :k2]].mean(0) for i in range(N)])
    return distance_of_minima(V)


def distance_of_minima(V):
    shared = np.stack([np.minimum(row, V).sum(1) for row in V])
    return np.maximum(1 - shared / (2 - shared), 0)


def densified(graph):
    """Write a sparse graph as N x N: missing pairs at 1 (explicit zeros stay), diagonal 0."""
    pairs = graph.tocoo()
    dense = np.ones(graph.shape, dtype=np.float32)
    dense[pairs.row, pairs.col] = pairs.data
    np.fill_diagonal(dense, 0)
    return dense


def dense_dbscan(distances, eps, min_samples=4):
    return DBSCAN(eps=eps + 1e-6, min_samples=min_samples, metric="precomputed").fit_predict(
        distances
    )


def identity_rows(N, D=64, identities=None, noise=0.9, seed=0, even=False):
    """Draw unit rows around identity centres, in random order or in turn (as many for each)."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((identities or max(1, N // 12), D))
    names = np.arange(N) % len(centres) if even else generator.integers(0, len(centres), N)
    rows = centres[names]
    rows = rows + noise * generator.standard_normal((N, D))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
