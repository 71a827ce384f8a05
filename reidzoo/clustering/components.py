"""Compiled DBSCAN on a CSR graph: a forest of core rows, then the border rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.compiled import compiled


@compiled
def label_rows(
    starts: NDArray[Any],
    columns: NDArray[Any],
    distances: NDArray[Any],
    radius: float,
    min_samples: int,
) -> NDArray[np.int64]:
    """Join core rows within `radius`; roots are the lowest rows, so they number the clusters."""
    N = len(starts) - 1
    is_core = np.zeros(N, dtype=np.bool_)
    for i in range(N):
        near = 1
        for e in range(starts[i], starts[i + 1]):
            near += columns[e] != i and distances[e] <= radius
        is_core[i] = near >= min_samples
    parent = np.arange(N)
    for i in range(N):
        for e in range(starts[i], starts[i + 1]):
            if is_core[i] and is_core[columns[e]] and columns[e] < i and distances[e] <= radius:
                a, b = root_of(parent, i), root_of(parent, columns[e])
                parent[max(a, b)] = min(a, b)
    labels = np.full(N, -1, dtype=np.int64)
    clusters = 0
    for i in range(N):
        if is_core[i]:
            if parent[i] == i:
                labels[i] = clusters
                clusters += 1
            else:
                labels[i] = labels[root_of(parent, i)]
    for i in range(N):
        if not is_core[i]:
            for e in range(starts[i], starts[i + 1]):
                j = columns[e]
                if (
                    is_core[j]
                    and distances[e] <= radius
                    and (labels[i] < 0 or labels[j] < labels[i])
                ):
                    labels[i] = labels[j]
    return labels


@compiled
def root_of(parent: NDArray[Any], i: int) -> int:
    """Follow a row to the root of its tree, halving the path on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
