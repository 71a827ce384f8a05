"""Compiled search for all pairs of sparse rows that share enough mass: no N x N, no misses."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.compiled import compiled
from reidzoo.clustering.kernels import grown


@compiled
def near_pairs(
    first: int,
    last: int,
    limit: float,
    starts: NDArray[Any],
    columns: NDArray[Any],
    values: NDArray[Any],
    by_column: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Find for each row the later rows at Jaccard distance <= limit: lengths, rows, distances.

    The rows sum to 1, so the distance is 1 - m / (2 - m) with m the sum of their minima. Minima
    are added column by column over `by_column`, the transposed rows; pairs that share no column
    are never looked at. (Measured and left out: prefix filtering, which adds up a fourth of the
    minima and saves nothing once the inner loop has no branch.)
    """
    column_starts, members, weights = by_column
    least = 2 * (1 - limit) / (2 - limit) - 1e-6  # the m of `limit`, and room to round
    lengths = np.zeros(last - first, dtype=np.int64)
    found = np.empty(16 * (last - first), dtype=np.int32)
    distances = np.empty(16 * (last - first), dtype=np.float32)
    shared = np.zeros(len(starts), dtype=np.float64)
    touched = np.empty(len(starts), dtype=np.int32)
    cursor = column_starts[:-1].copy()  # the first member of a column that is not below the row
    for column in range(len(cursor)):
        own = members[column_starts[column] : column_starts[column + 1]]
        cursor[column] += np.searchsorted(own, first)
    end = 0
    for i in range(first, last):
        count = 0
        for e in range(starts[i], starts[i + 1]):
            cursor[columns[e]] += 1  # past i itself
            for f in range(cursor[columns[e]], column_starts[columns[e] + 1]):
                before = shared[members[f]]
                touched[count] = members[f]
                count += before == 0  # no branch: it would be mispredicted every second time
                shared[members[f]] = before + min(values[e], weights[f])
        if end + count > len(found):
            found, distances = grown(found, end + count), grown(distances, end + count)
        start = end
        for j in touched[:count]:
            mass = shared[j]
            shared[j] = 0
            if mass >= least:
                distance = max(0.0, 1 - mass / (2 - mass))
                if distance <= limit:
                    found[end], distances[end] = j, distance
                    end += 1
        lengths[i - first] = end - start
    return lengths, found[:end].copy(), distances[:end].copy()


@compiled
def transposed(
    starts: NDArray[Any], columns: NDArray[Any], values: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Transpose a square CSR matrix; entries ascend in the rows of the result."""
    N = len(starts) - 1
    new_starts = np.zeros(N + 1, dtype=np.int64)
    for column in columns:
        new_starts[column + 1] += 1
    new_starts = np.cumsum(new_starts)
    cursor = new_starts[:-1].copy()
    new_columns = np.empty(len(columns), dtype=np.int32)
    new_values = np.empty(len(columns), dtype=np.float32)
    for i in range(N):
        for e in range(starts[i], starts[i + 1]):
            place = cursor[columns[e]]
            cursor[columns[e]] += 1
            new_columns[place], new_values[place] = i, values[e]
    return new_starts, new_columns, new_values


@compiled
def mirrored(
    upper: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    lower: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Join the two strict triangles of a symmetric CSR matrix, row by row."""
    starts = upper[0] + lower[0]
    columns = np.empty(starts[-1], dtype=np.int32)
    values = np.empty(starts[-1], dtype=np.float32)
    for i in range(len(starts) - 1):
        end = starts[i]
        for triangle_starts, triangle_columns, triangle_values in (lower, upper):
            for e in range(triangle_starts[i], triangle_starts[i + 1]):
                columns[end], values[end] = triangle_columns[e], triangle_values[e]
                end += 1
    return starts, columns, values
