"""Compiled last step of re-ranking: Jaccard distances of queries, mixed into the original ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.compiled import compiled


@compiled
def mix_jaccard(
    starts: NDArray[Any],
    columns: NDArray[Any],
    values: NDArray[Any],
    by_column: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    share: float,
    distances: NDArray[np.float32],
) -> None:
    """Replace distances [q, G] by share * distance + (1 - share) * Jaccard.

    Row q of the queries' weights is starts[q]..starts[q + 1] of columns and values; `by_column` are
    the gallery's weights, transposed. Rows sum to 1, so the Jaccard distance is 1 - m / (2 - m)
    with m the sum of the minima.
    """
    column_starts, members, weights = by_column
    shared = np.empty(distances.shape[1], dtype=np.float32)
    one, two, rest = np.float32(1), np.float32(2), np.float32(1 - share)
    for q in range(len(distances)):
        shared[:] = 0
        for e in range(starts[q], starts[q + 1]):
            for f in range(column_starts[columns[e]], column_starts[columns[e] + 1]):
                shared[members[f]] += min(values[e], weights[f])
        for g in range(len(shared)):
            jaccard = max(np.float32(0), one - shared[g] / (two - shared[g]))
            distances[q, g] = rest * jaccard + np.float32(share) * distances[q, g]
