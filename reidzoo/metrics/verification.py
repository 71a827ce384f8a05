"""Verification: do two images show the same person? TPR at a fixed FPR, and the equal error rate.

Every pair of a query and a gallery image that retrieval would rank is one trial. A pair is accepted
when its distance is at most the threshold; TPR is the share of accepted pairs of one identity, FPR
that of accepted pairs of two.
"""

from typing import Any, TypedDict

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from reidzoo.machine_code import check_files
from reidzoo.metrics.distances import as_features, distance_blocks
from reidzoo.metrics.truth import UNKNOWN_CAMERA, Truth, match

BINS = 2**20  # of the distance histograms; for unit rows one is 4e-6 wide, about 10 roundings

VerificationScores = TypedDict(
    "VerificationScores",
    {"tpr1e-2": float, "tpr1e-3": float, "tpr1e-4": float, "eer": float, "threshold": float},
)


def verification_scores(
    query: Any,
    gallery: Any,
    query_identities: Any,
    gallery_identities: Any,
    query_cameras: Any,
    gallery_cameras: Any,
) -> VerificationScores:
    """Score all pairs without holding them: two histograms of distances, filled block by block.

    Distances within one of the 2^20 bins count as equal. The ROC is linear between its points, and
    `threshold` is the squared Euclidean distance at which FPR and 1 - TPR meet; the middle when
    they do so along a gap.

    Args:
        query: features [Q, D], array or tensor on any device.
        gallery: features [G, D].
        query_identities: [Q] integers, as the next three.
        gallery_identities: [G].
        query_cameras: [Q], -1 unknown.
        gallery_cameras: [G], -1 unknown.

    Returns:
        `tpr1e-2`, `tpr1e-3`, `tpr1e-4` (best TPR whose FPR is no larger), `eer`, `threshold`.

    Raises:
        ValueError: shapes disagree, features are not finite, or pairs of one kind are missing.

    >>> rows = [[1.0, 0.0]], [[0.8, 0.6], [0.0, 1.0]]
    >>> scores = verification_scores(*rows, [1], [1, 2], [0], [1, 1])
    >>> scores["eer"], round(scores["threshold"], 3)
    (0.0, 1.2)
    """
    truth = match(query_identities, gallery_identities, query_cameras, gallery_cameras)
    blocks = distance_blocks(query, gallery)
    top = sum(
        float(torch.linalg.vector_norm(as_features(name, rows), dim=1).max())
        for name, rows in (("query", query), ("gallery", gallery))
    )
    width = top**2 / BINS or 1.0
    same, different = np.zeros(BINS, dtype=np.int64), np.zeros(BINS, dtype=np.int64)
    done = 0
    for block in blocks:
        part = slice(done, done + len(block))
        _count_pairs(block, truth.of_queries(part), np.float32(1 / width), same, different)
        done += len(block)
    return _read_curve(same, different, width)


@check_files
@numba.njit(cache=True, nogil=True)
def _count_pairs(
    distances: NDArray[np.float32],
    truth: Truth,
    scale: np.float32,
    same: NDArray[np.int64],
    different: NDArray[np.int64],
) -> None:
    """Add a block's pairs [q, G] to the histograms [BINS]; `scale` bins per unit of distance."""
    for q in range(len(distances)):
        bins = np.empty(distances.shape[1], dtype=np.int32)
        for g in range(len(bins)):
            bins[g] = max(0, min(int(distances[q, g] * scale), len(same) - 1))
        for g in range(len(bins)):
            different[bins[g]] += 1
        for g in truth.dropped:
            different[bins[g]] -= 1
        for g in truth.order[truth.first[q] : truth.last[q]]:
            different[bins[g]] -= 1
            camera = truth.query_cameras[q]
            if camera != truth.gallery_cameras[g] or camera == UNKNOWN_CAMERA:
                same[bins[g]] += 1


def _read_curve(
    same: NDArray[np.int64], different: NDArray[np.int64], width: float
) -> VerificationScores:
    """Read the scores off the ROC; point i is the threshold at the lower edge of bin i."""
    pairs, others = int(same.sum()), int(different.sum())
    if not pairs or not others:
        raise ValueError(
            f"{pairs} pairs of one identity under two cameras and {others} of two identities: "
            "verification needs both kinds; check identities and cameras"
        )
    accepted = np.concatenate([[0], np.cumsum(same)])
    mistaken = np.concatenate([[0], np.cumsum(different)])
    excess = mistaken * pairs - (pairs - accepted) * others  # of FPR over 1 - TPR, in integers
    last_below, first_above = np.searchsorted(excess, 0, "right") - 1, np.searchsorted(excess, 0)
    low, high = min(last_below, first_above), max(last_below, first_above)
    rise = excess[high] - excess[low]
    share = -excess[low] / rise if rise else 0.5  # of the way from point `low` to point `high`
    best = [
        accepted[np.searchsorted(mistaken, rate * others, "right") - 1] / pairs
        for rate in (1e-2, 1e-3, 1e-4)
    ]
    return {
        "tpr1e-2": float(best[0]),
        "tpr1e-3": float(best[1]),
        "tpr1e-4": float(best[2]),
        "eer": float(mistaken[low] + share * (mistaken[high] - mistaken[low])) / others,
        "threshold": float(low + share * (high - low)) * width,
    }
