"""Retrieval: mAP, CMC and mINP under the single-query, cross-camera protocol of person ReID.

Gallery images of the query's identity and camera are removed; an unknown camera (-1) equals no
other; distractors stay; images of negative identity (junk, unknown) and queries without any right
answer are left out. Source: the evaluators of cluster-contrast-reid and SpCL (specs/pipeline.md,
0.9); mINP: Ye et al., "Deep Learning for Person Re-Identification", 2021.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

import numba
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reidzoo.metrics.counting import rank_answers
from reidzoo.metrics.distances import distance_blocks
from reidzoo.metrics.truth import Truth, match


class RetrievalScores(TypedDict):
    """Scores in 0..1, averaged over the queries that have a right answer, and each query's AP."""

    mAP: float
    mINP: float
    cmc1: float
    cmc5: float
    cmc10: float
    ap: NDArray[np.float64]  # [Q], NaN where the gallery holds no right answer


def retrieval_scores(
    query: Any,
    gallery: Any,
    query_identities: Any,
    gallery_identities: Any,
    query_cameras: Any,
    gallery_cameras: Any,
) -> RetrievalScores:
    """Search every query in the gallery by squared Euclidean distance and score the rankings.

    Distances are float32 and made block by block: about 0.1 GB beyond the features.

    Args:
        query: features [Q, D], array or tensor on any device.
        gallery: features [G, D].
        query_identities: [Q] integers, as the next three.
        gallery_identities: [G].
        query_cameras: [Q], -1 unknown.
        gallery_cameras: [G], -1 unknown.

    Raises:
        ValueError: shapes disagree, features are not finite, or no query has a right answer.

    >>> scores = retrieval_scores([[1., 0.]], [[0., 1.], [.8, .6]], [5], [3, 5], [0], [1, 1])
    >>> scores["mAP"], scores["cmc1"], scores["mINP"]
    (1.0, 1.0, 1.0)
    """
    return retrieval_scores_from_distances(
        distance_blocks(query, gallery),
        query_identities,
        gallery_identities,
        query_cameras,
        gallery_cameras,
    )


def retrieval_scores_from_distances(
    distances: Any,
    query_identities: Any,
    gallery_identities: Any,
    query_cameras: Any,
    gallery_cameras: Any,
) -> RetrievalScores:
    """Score given distances.

    AP treats equal distances as one threshold, as scikit-learn's `average_precision_score` does;
    CMC and mINP order by (distance, gallery position).

    Args:
        distances: [Q, G], array or tensor; or an iterable of row blocks [q, G] in query order, such
            as `clustering.reranked_distances` makes, so that the whole matrix never exists.
        query_identities: [Q] integers, as the next three.
        gallery_identities: [G].
        query_cameras: [Q], -1 unknown.
        gallery_cameras: [G], -1 unknown.

    Raises:
        ValueError: shapes disagree, a distance is NaN, or no query has a right answer.

    >>> retrieval_scores_from_distances([[.1, .2, .3]], [1], [1, 2, 1], [0], [1, 1, -1])["ap"]
    array([0.83333333])
    """
    truth = match(query_identities, gallery_identities, query_cameras, gallery_cameras)
    return _average(score_blocks(as_blocks(distances), truth))


def as_blocks(distances: Any) -> Iterable[NDArray[Any]]:
    """Row blocks of distances as arrays of float32 or float64; a whole matrix is one block.

    >>> [block.dtype.name for block in as_blocks([[1, 2], [3, 4]])]
    ['float64']
    """
    nested = isinstance(distances, list | tuple) and distances and np.ndim(distances[0]) == 1
    whole = nested or isinstance(distances, Tensor | np.ndarray)
    for block in [distances] if whole else distances:
        if isinstance(block, Tensor):
            block = (block.float() if block.element_size() < 4 else block).detach().cpu()
        array = np.asarray(block)
        yield array.astype(np.promote_types(array.dtype, np.float32), copy=False)


def score_blocks(blocks: Iterable[NDArray[Any]], truth: Truth) -> NDArray[np.float64]:
    """One row per query: AP, rank of the first right answer, inverse penalty; [Q, 3].

    A query without a right answer has NaN.

    >>> truth = match([1, 5], [1, 2], [0, 0], [1, 1])
    >>> score_blocks(as_blocks([[0.3, 0.1], [0.2, 0.4]]), truth)
    array([[0.5, 2. , 0.5],
           [nan, nan, nan]])
    """
    rows, columns = truth.shape
    scores = np.empty((rows, 3))
    done = 0
    for block in blocks:
        part = slice(done, done + len(block))
        done += len(block)
        if block.ndim != 2 or block.shape[1] != columns or done > rows:
            raise ValueError(
                f"distances have shape {block.shape} (rows so far {done}), but there are {rows} "
                f"query and {columns} gallery identities"
            )
        if block.size and np.isnan(block.min()):
            bad = part.start + int(np.isnan(block).any(axis=1).argmax())
            raise ValueError(f"distances hold NaN in row {bad}: look at this query's features")
        _score_block(block, truth, part, scores)
    if done != rows:
        raise ValueError(f"distances have {done} rows, but there are {rows} query identities")
    return scores


def _score_block(
    block: NDArray[Any], truth: Truth, part: slice, scores: NDArray[np.float64]
) -> None:
    """Share a block's queries among threads; plain ones, which a later fork does not trip over."""
    # get_num_threads() would start numba's OpenMP layer, which raises torch's threads, too.
    threads: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    bounds = np.linspace(0, len(block), threads + 1).astype(int)

    def score(first: int, last: int) -> None:
        queries = slice(part.start + first, part.start + last)
        rank_answers(block[first:last], truth.of_queries(queries), scores[queries])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(score, bounds[:-1], bounds[1:]))  # list: an exception comes out here


def _average(scores: NDArray[np.float64]) -> RetrievalScores:
    counted = scores[~np.isnan(scores[:, 0])]
    if not len(counted):
        raise ValueError(
            f"none of the {len(scores)} queries has a right answer: the gallery holds no image of "
            "its identity under another camera; check identities and cameras"
        )
    ap, first, inp = counted.T
    return {
        "mAP": float(ap.mean()),
        "mINP": float(inp.mean()),
        "cmc1": float((first <= 1).mean()),
        "cmc5": float((first <= 5).mean()),
        "cmc10": float((first <= 10).mean()),
        "ap": scores[:, 0].copy(),
    }
