"""Compiled selection of the k nearest rows from a block of rough scores."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.compiled import compiled, dot


@compiled
def select_nearest(
    first: int,
    last: int,
    offset: int,
    scores: NDArray[Any],
    slack: float,
    rows: NDArray[Any],
    indices: NDArray[Any],
    similarities: NDArray[Any],
) -> None:
    """Fill in the k nearest of rows offset + first..last; `scores` [b, N] err by slack / 2."""
    k = indices.shape[1]
    candidates = np.empty(len(rows), dtype=np.int64)
    exact = np.empty(len(rows), dtype=np.float32)
    for b in range(first, last):
        own = offset + b
        threshold = kth_largest(scores[b], k) - slack
        count = 0
        for j in range(len(rows)):
            if scores[b, j] >= threshold or j == own:
                candidates[count] = j
                exact[count] = dot(rows[own], rows[j])
                if j == own:
                    similarities[own, 0] = exact[count]
                    exact[count] = np.inf  # itself first
                count += 1
        order = np.argsort(-exact[:count], kind="mergesort")  # stable: ties by lower index
        for p in range(k):
            indices[own, p] = candidates[order[p]]
            if p > 0:
                similarities[own, p] = exact[order[p]]


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
