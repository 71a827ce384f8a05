"""Compiled kernels of the k-reciprocal Jaccard distance: neighbour table in, sparse rows out.

A kernel works on rows first..last and returns what it made as (lengths of its rows, columns,
values). Scratch arrays of length N are marked with the number of the row that used them last, so
nothing needs to be cleared between rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.compiled import compiled, dot

HALF = 2  # mark of a neighbour that is mutual within the half lists as well


@compiled
def mark_mutual(
    first: int, last: int, ranks: NDArray[Any], half: int, marks: NDArray[np.uint8]
) -> None:
    """Mark neighbours [N, k1] that also name the row: 1 within k1, HALF within the first `half`."""
    k1 = ranks.shape[1]
    for i in range(first, last):
        for p in range(k1):
            other = ranks[ranks[i, p]]
            for q in range(k1):
                if other[q] == i:
                    marks[i, p] = HALF if p < half and q < half else 1
                    break


@compiled
def weigh_expanded(
    first: int,
    last: int,
    ranks: NDArray[Any],
    similarities: NDArray[Any],
    marks: NDArray[Any],
    half: int,
    rows: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Weigh the expanded k-reciprocal set of each row by a softmax of minus squared distances."""
    k1 = ranks.shape[1]
    lengths = np.zeros(last - first, dtype=np.int64)
    columns = np.empty((last - first) * k1, dtype=np.int32)
    values = np.empty((last - first) * k1, dtype=np.float32)
    place = np.full(len(ranks), -1, dtype=np.int64)  # i * k1 + p where ranks[i, p] is the column
    taken = np.full(len(ranks), -1, dtype=np.int32)
    end = 0
    for i in range(first, last):
        room = end + k1 * (half + 1)
        if room > len(columns):
            columns, values = grown(columns, room), grown(values, room)
        start = end
        for p in range(k1):
            place[ranks[i, p]] = i * k1 + p
            if marks[i, p] and taken[ranks[i, p]] != i:
                taken[ranks[i, p]] = i
                columns[end] = ranks[i, p]
                end += 1
        for p in range(k1):
            if marks[i, p] and is_mostly_shared(i, ranks[i, p], place, ranks, marks, half):
                for q in range(half):
                    column = ranks[ranks[i, p], q]
                    if marks[ranks[i, p], q] == HALF and taken[column] != i:
                        taken[column] = i
                        columns[end] = column
                        end += 1
        total = 0.0
        for e in range(start, end):
            p = place[columns[e]] - i * k1
            similarity = similarities[i, p] if 0 <= p < k1 else dot(rows[i], rows[columns[e]])
            values[e] = np.exp(np.float32(2) * similarity - np.float32(2))
            total += values[e]
        for e in range(start, end):
            values[e] /= np.float32(total)
        lengths[i - first] = end - start
    return lengths, columns[:end].copy(), values[:end].copy()


@compiled
def is_mostly_shared(
    i: int,
    candidate: int,
    place: NDArray[Any],
    ranks: NDArray[Any],
    marks: NDArray[Any],
    half: int,
) -> bool:
    """Tell whether more than 2/3 of the candidate's half set are k-reciprocal neighbours of i."""
    k1 = ranks.shape[1]
    size = shared = 0
    for q in range(half):
        if marks[candidate, q] == HALF:
            size += 1
            p = place[ranks[candidate, q]] - i * k1
            if 0 <= p < k1 and marks[i, p]:
                shared += 1
    return 3 * shared > 2 * size


@compiled
def average_rows(
    first: int,
    last: int,
    groups: NDArray[Any],
    starts: NDArray[Any],
    columns: NDArray[Any],
    values: NDArray[Any],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Average the sparse rows groups[i] [k2] for each i, adding them in the order given."""
    lengths = np.zeros(last - first, dtype=np.int64)
    new_columns = np.empty(2 * (starts[last] - starts[first]), dtype=np.int32)
    new_values = np.empty(len(new_columns), dtype=np.float32)
    sums = np.zeros(len(groups), dtype=np.float64)
    end = 0
    for i in range(first, last):
        room = end
        for member in groups[i]:
            room += starts[member + 1] - starts[member]
        if room > len(new_columns):
            new_columns, new_values = grown(new_columns, room), grown(new_values, room)
        start = end
        for member in groups[i]:
            for e in range(starts[member], starts[member + 1]):
                if sums[columns[e]] == 0:
                    new_columns[end] = columns[e]
                    end += 1
                sums[columns[e]] += values[e]
        for e in range(start, end):
            new_values[e] = sums[new_columns[e]] / groups.shape[1]
            sums[new_columns[e]] = 0
        lengths[i - first] = end - start
    return lengths, new_columns[:end].copy(), new_values[:end].copy()


@compiled
def grown(array: NDArray[Any], needed: int) -> NDArray[Any]:
    """Copy into an array of at least `needed` entries, half as long again."""
    longer = np.empty(max(needed, len(array) + len(array) // 2), dtype=array.dtype)
    longer[: len(array)] = array
    return longer
