"""Scores of a labelled data set from its features: while training and in `reidzoo.evaluate`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidzoo.clustering.reranking import reranked_distances
from reidzoo.data.records import Record, Splits
from reidzoo.gallery.calibration import search_threshold
from reidzoo.metrics import (
    camera_pair_scores,
    distance_blocks,
    retrieval_scores_from_distances,
    verification_scores,
)

Truths = tuple[Tensor, Tensor, Tensor, Tensor]


def truth(records: Sequence[Record]) -> tuple[Tensor, Tensor]:
    """Identities and cameras of records, both [N] int64."""
    identities = torch.tensor([record.identity for record in records])
    return identities, torch.tensor([record.camera for record in records])


def truths(splits: Splits) -> Truths:
    """Identities of query and gallery, then their cameras, in the order that all scores take."""
    query, gallery = truth(splits.query), truth(splits.gallery)
    return query[0], gallery[0], query[1], gallery[1]


def score_splits(
    query: Tensor, gallery: Tensor, splits: Splits, rerank: bool = False
) -> dict[str, float]:
    """Score unit rows [Q, D] against [G, D] under the single-query protocol.

    Args:
        query: rows of `splits.query`.
        gallery: rows of `splits.gallery`.
        splits: who is on the images, and which camera took them.
        rerank: rank by k-reciprocal neighbours instead of plain distances.

    Returns:
        `mAP`, `mINP`, `cmc1`, `cmc5`, `cmc10` in 0..1, and `threshold`, the similarity from which
        on an answer counts as a match (left out when it cannot be calibrated).
    """
    return score_queries(query, gallery, splits, rerank)[0]


def score_queries(
    query: Tensor, gallery: Tensor, splits: Splits, rerank: bool = False
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """The same with the average precision of each query, [Q], NaN without a right answer."""
    known = truths(splits)
    scores = retrieval_scores_from_distances(_distances(query, gallery, rerank), *known)
    plain = {name: float(scores[name]) for name in ("mAP", "mINP", "cmc1", "cmc5", "cmc10")}
    threshold = search_threshold(query, gallery, *known)
    return plain if threshold is None else plain | {"threshold": threshold}, scores["ap"]


def score_verification(query: Tensor, gallery: Tensor, splits: Splits) -> dict[str, float]:
    """Are two images one person? `tpr1e-2` .. `tpr1e-4`, `eer`, and `eer_threshold`.

    The threshold is the cosine similarity at which both kinds of error are equally frequent among
    pairs. A search compares with many images: use `threshold` of `score_splits` for it.
    """
    scores: dict[str, Any] = dict(verification_scores(query, gallery, *truths(splits)))
    scores["eer_threshold"] = 1 - scores.pop("threshold") / 2  # of squared distances
    return scores


def score_cameras(
    query: Tensor, gallery: Tensor, splits: Splits, rerank: bool = False
) -> list[dict[str, float]]:
    """One row per pair of cameras that has right answers: `query`, `gallery`, `queries`, scores."""
    pairs = camera_pair_scores(_distances(query, gallery, rerank), *truths(splits))
    return [
        {
            "query": int(pairs.cameras[a]),
            "gallery": int(pairs.cameras[b]),
            "queries": int(pairs.queries[a, b]),
            "mAP": float(pairs.mAP[a, b]),
            "cmc1": float(pairs.cmc1[a, b]),
        }
        for a, b in np.argwhere(pairs.queries > 0)
    ]


def _distances(query: Tensor, gallery: Tensor, rerank: bool) -> Any:
    return reranked_distances(query, gallery) if rerank else distance_blocks(query, gallery)
