"""Ranks of the right answers by counting smaller distances: no sort of the gallery."""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from reidzoo.machine_code import check_files
from reidzoo.metrics.truth import UNKNOWN_CAMERA, Truth

Floats = NDArray[np.float64]


@check_files
@numba.njit(cache=True, nogil=True)
def rank_answers(distances: NDArray[Any], truth: Truth, scores: Floats) -> None:
    """Score each query of a block.

    It releases the GIL: threads may score parts of a block, each query by itself.

    Args:
        distances: [q, G] without NaN.
        truth: of these q queries.
        scores: filled [q, 3]: average precision, rank of the first right answer, and right answers
            over the rank of the last one; NaN for a query without a right answer.
    """
    for q in range(len(distances)):
        row = distances[q].copy()
        candidates = truth.order[truth.first[q] : truth.last[q]]
        camera = truth.query_cameras[q]
        answers = np.empty(len(candidates), dtype=np.int64)
        found = 0
        for g in candidates:
            if camera == truth.gallery_cameras[g] and camera != UNKNOWN_CAMERA:
                row[g] = np.nan  # NaN is neither smaller nor larger: it is never counted
            else:
                answers[found] = g
                found += 1
        for g in truth.dropped:
            row[g] = np.nan
        _score(row, answers[:found], scores[q])


@check_files
@numba.njit(cache=True, nogil=True)
def _score(row: NDArray[Any], answers: NDArray[np.int64], score: Floats) -> None:
    """Average precision, first rank and inverse penalty of one query into `score` [3]."""
    if len(answers) == 0:
        score[:] = np.nan
        return
    precisions = 0.0
    nearest = farthest = answers[0]
    for g in answers:  # ascending, so equal distances go by gallery position
        right = 0
        for other in answers:
            right += row[other] <= row[g]
        precisions += right / _count_up_to(row, row[g])
        if row[g] < row[nearest]:
            nearest = g
        if row[g] >= row[farthest]:
            farthest = g
    score[0] = precisions / len(answers)
    score[1] = _rank(row, nearest)
    score[2] = len(answers) / _rank(row, farthest)


@check_files
@numba.njit(cache=True, nogil=True)
def _count_up_to(values: NDArray[Any], limit: float) -> int:
    """How many values are <= limit; indices and a 32-bit counter let the compiler vectorise."""
    count = np.int32(0)
    for i in range(len(values)):
        count = np.int32(count + (values[i] <= limit))
    return int(count)


@check_files
@numba.njit(cache=True, nogil=True)
def _count_below(values: NDArray[Any], limit: float) -> int:
    """How many values are < limit."""
    count = np.int32(0)
    for i in range(len(values)):
        count = np.int32(count + (values[i] < limit))
    return int(count)


@check_files
@numba.njit(cache=True, nogil=True)
def _rank(row: NDArray[Any], g: int) -> int:
    """Place of gallery position g, from 1, in the order of (distance, position)."""
    return 1 + _count_up_to(row[:g], row[g]) + _count_below(row[g + 1 :], row[g])
