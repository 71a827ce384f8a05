"""k-reciprocal re-ranking of a search, exact and sparse: never all pairs at once.

Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding" (CVPR 2017), as
`utils/rerank.py` of SpCL and Cluster Contrast computes it for evaluation. It differs from the graph
of `jaccard.py`: lists have k1 neighbours beside the row itself, squared distances are squared once
more and divided by the largest one of the row, and the result is mixed with these distances.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from reidzoo.clustering.contracts import Array
from reidzoo.clustering.jaccard import SparseRows, averaged, neighbour_table, reciprocal_weights
from reidzoo.clustering.products import exact_product
from reidzoo.clustering.rows import checked_rows

BLOCK_BYTES = 64 << 20  # of products at a time


def reranked_distances(
    query: Array, gallery: Array, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> Iterator[NDArray[np.float32]]:
    """Re-rank the gallery for every query; `metrics.retrieval_scores_from_distances` takes these.

    Neighbours are sought among query and gallery together, as the paper does, so the result for a
    query depends on the other queries.

    Args:
        query: unit rows [Q, D], array or tensor of any float type and device.
        gallery: unit rows [G, D], likewise.
        k1: neighbours in a list, the row itself not counted.
        k2: rows averaged in local query expansion, the row itself included; 1 switches it off.
        weight: share of the original distance in the result, 0..1; the rest is Jaccard's.

    Yields:
        blocks [q, G] of distances in query order, from 0 (same) to 1.

    Raises:
        ValueError: an option outside its range, or rows not finite, not unit, or not of one length.

    >>> query, gallery = np.eye(3)[:1], np.eye(3)
    >>> [block.tolist() for block in reranked_distances(query, gallery, k1=1, k2=1)]
    [[[0.0, 1.0, 1.0]]]
    """
    if k1 < 1 or k2 < 1 or not 0 <= weight <= 1:
        raise ValueError(f"k1={k1}, k2={k2}, weight={weight}; allowed: k1, k2 >= 1, weight 0 to 1")
    asked, searched = checked_rows(query), checked_rows(gallery)
    if asked.shape[1] != searched.shape[1] or asked.device != searched.device:
        raise ValueError(
            f"query rows [{asked.shape[1]}] on {asked.device} and gallery rows "
            f"[{searched.shape[1]}] on {searched.device}; embed both with one network"
        )
    rows = torch.cat([asked, searched])
    ranks, similarities = neighbour_table(rows, k1 + 1)
    farthest = farthest_squares(rows)
    weights = sharpened(reciprocal_weights(rows.cpu().numpy(), ranks, similarities, k1), farthest)
    if k2 > 1:
        weights = averaged(weights, ranks[:, :k2])
    return _blocks(asked, searched, weights, farthest, weight)


def farthest_squares(rows: Tensor) -> NDArray[np.float32]:
    """Square of the largest squared distance of each row [N] to any other; at least 1e-12.

    >>> farthest_squares(torch.eye(2)).tolist()
    [4.0, 4.0]
    """
    least = torch.ones(len(rows), device=rows.device)
    step = max(1, BLOCK_BYTES // (4 * len(rows)))
    for first in range(0, len(rows), step):
        similarities = exact_product(rows[first : first + step], rows[first:])
        torch.minimum(least[first:], similarities.amin(0), out=least[first:])
        here = least[first : first + step]
        torch.minimum(here, similarities.amin(1), out=here)
    return (2 - 2 * least).square().clamp_min(1e-12).cpu().numpy()


def sharpened(weights: SparseRows, farthest: NDArray[np.float32]) -> SparseRows:
    """Turn a softmax of -d into one of -d^2 / farthest, row by row.

    A row's weights hold its distances d: each is the own weight, of distance 0, times exp(-d).
    """
    row = np.repeat(np.arange(len(farthest)), np.diff(weights.starts))
    logs = np.log(weights.values)
    own = logs[weights.columns == row]  # once in every row, so this is [N]
    values = np.exp(-np.square(own[row] - logs) / farthest[row])
    values /= np.add.reduceat(values, weights.starts[:-1])[row]
    return weights._replace(values=values)


def _blocks(
    asked: Tensor,
    searched: Tensor,
    weights: SparseRows,
    farthest: NDArray[np.float32],
    share: float,
) -> Iterator[NDArray[np.float32]]:
    from reidzoo.clustering.mixing import mix_jaccard

    Q, G = len(asked), len(searched)
    begin = weights.starts[Q]
    in_gallery = csr_matrix(
        (weights.values[begin:], weights.columns[begin:], weights.starts[Q:] - begin),
        shape=(G, Q + G),
    ).tocsc()
    by_column = in_gallery.indptr, in_gallery.indices, in_gallery.data
    step = max(1, BLOCK_BYTES // (4 * G))
    for first in range(0, Q, step):
        own = slice(first, first + step)
        block = (2 - 2 * exact_product(asked[own], searched)).square().cpu().numpy()
        block /= farthest[:Q][own, None]
        starts = weights.starts[first : first + len(block) + 1]
        mix_jaccard(starts, weights.columns, weights.values, by_column, share, block)
        yield block
