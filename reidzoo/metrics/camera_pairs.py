"""Retrieval from one camera to another: where a model fails, an average over all does not say."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reidzoo.metrics.retrieval import as_blocks, score_blocks
from reidzoo.metrics.truth import UNKNOWN_CAMERA, as_integers, match


class CameraPairs(NamedTuple):
    """Scores of searches from camera a (row) in the images of camera b (column).

    Args:
        cameras: the numbers of the V known cameras, ascending.
        mAP: [V, V] in 0..1, NaN where no query has a right answer (always so for a = b).
        cmc1: [V, V], likewise.
        queries: [V, V] queries that have a right answer.
    """

    cameras: NDArray[np.int64]
    mAP: NDArray[np.float64]  # noqa: N815  as everybody writes it
    cmc1: NDArray[np.float64]
    queries: NDArray[np.int64]


def camera_pair_scores(
    distances: Any,
    query_identities: Any,
    gallery_identities: Any,
    query_cameras: Any,
    gallery_cameras: Any,
) -> CameraPairs:
    """Score every pair of cameras by itself; images of unknown camera are left out.

    Args:
        distances: [Q, G], or an iterable of row blocks [q, G] in query order.
        query_identities: [Q] integers, as the next three.
        gallery_identities: [G].
        query_cameras: [Q], -1 unknown.
        gallery_cameras: [G], -1 unknown.

    Raises:
        ValueError: shapes disagree, a distance is NaN.

    >>> pairs = camera_pair_scores([[0.1, 0.3, 0.2]], [7], [7, 7, 3], [0], [0, 1, 1])
    >>> pairs.mAP.tolist(), pairs.queries.tolist()
    ([[nan, 0.5], [nan, nan]], [[0, 1], [0, 0]])
    """
    asked = as_integers("query_identities", query_identities)
    searched = as_integers("gallery_identities", gallery_identities)
    origins = as_integers("query_cameras", query_cameras)
    places = as_integers("gallery_cameras", gallery_cameras)
    cameras = np.setdiff1d(np.union1d(origins, places), [UNKNOWN_CAMERA])
    scores = np.full((len(asked), len(cameras), 3), np.nan)
    done = 0
    for block in as_blocks(distances):
        part = slice(done, done + len(block))
        done += len(block)
        for column, camera in enumerate(cameras):
            inside = np.flatnonzero(places == camera)
            if len(inside):
                truth = match(asked[part], searched[inside], origins[part], places[inside])
                scores[part, column] = score_blocks([block[:, inside]], truth)
    return _group(scores, origins, cameras)


def _group(
    scores: NDArray[np.float64], origins: NDArray[np.int64], cameras: NDArray[np.int64]
) -> CameraPairs:
    """Average the queries of each camera; scores [Q, V, 3]."""
    counted = ~np.isnan(scores[..., 0])  # [Q, V]
    found = scores[..., 1] <= 1
    of_camera = (origins == cameras[:, None]).astype(np.float64)  # [V, Q]
    queries = of_camera @ counted
    with np.errstate(invalid="ignore"):
        mAP = of_camera @ np.where(counted, scores[..., 0], 0) / queries
        cmc1 = of_camera @ found / queries
    return CameraPairs(cameras, mAP, cmc1, queries.astype(np.int64))
