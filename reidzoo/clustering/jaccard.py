"""The k-reciprocal Jaccard distance as a sparse graph: every pair that is near enough, no other.

Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding" (CVPR 2017), as the
clustering code of SpCL and Cluster Contrast computes it (`specs/pipeline.md`, 0.4): k1 entries in a
neighbour list, the row itself included. Three steps, each over sparse rows:
each row weighs its expanded k-reciprocal set; rows are averaged over their k2 nearest; the distance
of two rows is 1 - m / (2 - m), m the sum of the minima of their weights.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from reidzoo.clustering.contracts import AnyArray
from reidzoo.clustering.neighbours import knn
from reidzoo.clustering.rows import as_numpy, checked_rows

TIE = (
    1e-6  # distances sit exactly on 1/2 (k2 = 6) or 2/5 (k2 = 4): such a pair is within 1/2 or 2/5
)


class SparseRows(NamedTuple):
    """Rows of a square CSR matrix: starts [N + 1] int64, columns and values [nnz]."""

    starts: NDArray[Any]
    columns: NDArray[Any]
    values: NDArray[Any]


def jaccard_graph(
    features: AnyArray,
    k1: int = 30,
    k2: int = 6,
    max_distance: float = 0.7,
    neighbours: tuple[AnyArray, AnyArray] | None = None,
    backend: Literal["auto", "numba", "torch"] = "auto",
) -> csr_matrix:
    """Compute every k-reciprocal Jaccard distance that is at most `max_distance`.

    Args:
        features: unit rows [N, D].
        k1: length of the neighbour lists, the row itself included (N, where N is smaller).
        k2: rows averaged in local query expansion, the row itself included; 1 switches it off.
        max_distance: what to keep, in [0, 1); pairs that exceed it by at most 1e-6 are kept too.
        neighbours: what `knn(features, k)` returned, k >= k1; computed when missing.
        backend: "numba" (compiled, on the processor) or "torch" (on the tensor's device); "auto"
            takes torch on an accelerator. Distances agree to rounding.

    Returns:
        symmetric CSR [N, N] in host memory: float32 distances, sorted columns, no diagonal. A pair
        at distance 0 is an explicit entry, a missing pair is farther than `max_distance`.

    Raises:
        ValueError: an option outside its range, neighbours of another shape, or bad features.

    >>> rows = np.eye(8, dtype=np.float32)[[0, 0, 0, 1, 1, 1]]
    >>> jaccard_graph(rows, k1=3, k2=1).nnz
    12
    """
    check_options(k1, k2, max_distance)
    rows = checked_rows(features)
    ranks, similarities = neighbour_table(rows, k1, neighbours)
    if backend not in ("auto", "numba", "torch"):
        raise ValueError(f"backend={backend!r}; allowed: auto, numba, torch")
    if backend == "torch" or (backend == "auto" and rows.device.type != "cpu"):
        return _graph_by_torch(rows, ranks, k1, k2, max_distance)
    weights = reciprocal_weights(rows.cpu().numpy(), ranks, similarities, k1)
    if k2 > 1:
        weights = averaged(weights, ranks[:, :k2])
    return near_graph(weights, max_distance)


def check_options(k1: int, k2: int, max_distance: float) -> None:
    """Refuse options that have no meaning, in one line each.

    >>> check_options(30, 6, 0.7)
    """
    if k1 < 1 or k2 < 1:
        raise ValueError(f"k1={k1}, k2={k2}; allowed: 1 or more (the image itself is the first)")
    if not 0 <= max_distance < 1:
        raise ValueError(
            f"max_distance={max_distance}; allowed: 0 <= max_distance < 1 (at 1 all pairs count)"
        )


def neighbour_table(
    rows: Tensor, k1: int, neighbours: tuple[AnyArray, AnyArray] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Take the k1 nearest of each row, from the table given or by `knn`: ranks, similarities.

    >>> neighbour_table(checked_rows(np.eye(2)), 1)[0].tolist()
    [[0], [1]]
    """
    k = min(k1, len(rows))
    found = knn(rows, k) if neighbours is None else neighbours
    ranks, similarities = as_numpy(found[0]), as_numpy(found[1])
    if ranks.ndim != 2 or ranks.shape != similarities.shape or not len(ranks) == len(rows):
        raise ValueError(
            f"neighbours have shapes {ranks.shape} and {similarities.shape} for {len(rows)} rows; "
            "give both results of knn(features, k)"
        )
    if ranks.shape[1] < k:
        raise ValueError(
            f"neighbours have {ranks.shape[1]} columns, k1={k1} needs {k}; ask knn for more"
        )
    if ranks.min() < 0 or ranks.max() >= len(rows):
        raise ValueError(f"neighbours name rows outside 0..{len(rows) - 1}; give those of knn")
    if not np.array_equal(ranks[:, 0], np.arange(len(rows))):
        raise ValueError("neighbours must name the row itself first, as knn does")
    return (
        np.ascontiguousarray(ranks[:, :k], dtype=np.int32),
        np.ascontiguousarray(similarities[:, :k], dtype=np.float32),
    )


def reciprocal_weights(
    rows: NDArray[Any], ranks: NDArray[Any], similarities: NDArray[Any], k1: int
) -> SparseRows:
    """Weigh each row's expanded k-reciprocal set; the weights of a row sum to 1."""
    from reidzoo.clustering import kernels
    from reidzoo.clustering.compiled import over_rows

    half = half_length(k1, ranks.shape[1])
    marks = np.zeros(ranks.shape, dtype=np.uint8)
    over_rows(kernels.mark_mutual, len(ranks), ranks, half, marks)
    return joined(
        over_rows(kernels.weigh_expanded, len(ranks), ranks, similarities, marks, half, rows)
    )


def half_length(k1: int, longest: int) -> int:
    """Length of the half lists, the row itself included: k1 / 2 rounded half to even, plus 1.

    >>> [half_length(k1, k1) for k1 in (1, 15, 17, 20, 30)]
    [1, 9, 9, 11, 16]
    """
    return min(round(k1 / 2) + 1, longest)


def averaged(weights: SparseRows, groups: NDArray[Any]) -> SparseRows:
    """Replace each row by the mean of the rows `groups[i]` [N, g]."""
    from reidzoo.clustering import kernels
    from reidzoo.clustering.compiled import over_rows

    groups = np.ascontiguousarray(groups)
    return joined(over_rows(kernels.average_rows, len(groups), groups, *weights))


def near_graph(weights: SparseRows, max_distance: float) -> csr_matrix:
    """Compute the distances up to `max_distance` between rows of weights that sum to 1."""
    from reidzoo.clustering import overlaps
    from reidzoo.clustering.compiled import over_rows

    N = len(weights.starts) - 1
    by_column = overlaps.transposed(*weights)
    pairs = joined(over_rows(overlaps.near_pairs, N, max_distance + TIE, *weights, by_column))
    lower = overlaps.transposed(*pairs)
    upper = overlaps.transposed(*lower)  # transposed twice: sorted
    return _graph(SparseRows(*overlaps.mirrored(upper, lower)), max_distance)


def _graph_by_torch(
    rows: Tensor, ranks: NDArray[Any], k1: int, k2: int, max_distance: float
) -> csr_matrix:
    from reidzoo.clustering import jaccard_torch

    lists = torch.from_numpy(ranks).to(rows.device, torch.int64)
    weights = jaccard_torch.reciprocal_weights(rows, lists, half_length(k1, lists.shape[1]))
    if k2 > 1:
        weights = jaccard_torch.averaged(weights, lists[:, :k2])
    pairs = jaccard_torch.near_pairs(weights, max_distance + TIE)
    starts = np.concatenate([[0], as_numpy(pairs.lengths).cumsum()])
    columns = as_numpy(pairs.columns.int())
    return _graph(SparseRows(starts, columns, as_numpy(pairs.values)), max_distance)


def _graph(pairs: SparseRows, max_distance: float) -> csr_matrix:
    N = len(pairs.starts) - 1
    graph = csr_matrix((pairs.values, pairs.columns, pairs.starts), shape=(N, N))
    graph.has_canonical_format = True
    graph.max_distance = max_distance  # type: ignore[attr-defined]  # `dbscan` checks eps by it
    return graph


def joined(pieces: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]) -> SparseRows:
    """Join what the ranges of rows returned: (lengths, columns, values) each."""
    from reidzoo.clustering.compiled import starts_of

    lengths, columns, values = zip(*pieces, strict=True)
    if len(pieces) == 1:
        return SparseRows(starts_of(lengths[0]), columns[0], values[0])
    return SparseRows(
        starts_of(np.concatenate(lengths)), np.concatenate(columns), np.concatenate(values)
    )
