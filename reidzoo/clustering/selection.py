"""Compiled selection of the k nearest rows from a block of rough scores."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.compiled import compiled, dot


@compiled
def select_nearest(
    first: int,
    last: int,
    scores: NDArray[Any],
    slack: float,
    queries: NDArray[Any],
    base: NDArray[Any],
    own: NDArray[Any],
    indices: NDArray[Any],
    similarities: NDArray[Any],
) -> None:
    """Fill in the k nearest of queries first..last; `scores` [b, M] err by up to slack / 2."""
    k = indices.shape[1]
    candidates = np.empty(len(base), dtype=np.int64)
    exact = np.empty(len(base), dtype=np.float32)
    for b in range(first, last):
        threshold = kth_largest(scores[b], k) - slack
        count = 0
        for j in range(len(base)):
            if scores[b, j] >= threshold or j == own[b]:
                candidates[count] = j
                exact[count] = np.inf if j == own[b] else dot(queries[b], base[j])
                count += 1
        order = np.argsort(-exact[:count], kind="mergesort")  # stable: ties by lower index
        for p in range(k):
            indices[b, p] = candidates[order[p]]
            similarities[b, p] = exact[order[p]]
        if own[b] >= 0:
            similarities[b, 0] = dot(queries[b], base[own[b]])


@compiled
def kth_largest(values: NDArray[Any], k: int) -> Any:
    """Find the k-th largest value with a heap of the k largest so far, the smallest on top."""
    heap: NDArray[Any] = np.full(k, -np.inf, dtype=np.float32)
    for value in values:
        if value > heap[0]:
            sink(heap, value)
    return heap[0]


@compiled
def sink(heap: NDArray[Any], value: float) -> None:
    """Replace the top of a min-heap by `value` and restore the order."""
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= len(heap):
            break
        if child + 1 < len(heap) and heap[child + 1] < heap[child]:
            child += 1
        if value <= heap[child]:
            break
        heap[parent] = heap[child]
        parent = child
    heap[parent] = value
