"""From what similarity on are two images one person? The threshold under which a search is empty.

A search asks for the best of many answers, and the best of many wrong ones is far more similar than
a typical wrong one. So the threshold is taken from searches, not from pairs: it is the similarity
at which as many searches would accept their best wrong answer as would reject their best right one.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidzoo.metrics import distance_blocks
from reidzoo.metrics.truth import UNKNOWN_CAMERA

SEARCHES = 1000  # evenly spaced queries are enough for two digits


def search_threshold(
    query: Tensor,
    gallery: Tensor,
    query_identities: Tensor,
    gallery_identities: Tensor,
    query_cameras: Tensor,
    gallery_cameras: Tensor,
) -> float | None:
    """Calibrate on labelled searches under the cross-camera protocol of `metrics.retrieval_scores`.

    Args:
        query: unit rows [Q, D] on any device.
        gallery: unit rows [G, D], likewise.
        query_identities: [Q] int64, negative ones are left out, as in the gallery.
        gallery_identities: [G] int64.
        query_cameras: [Q] int64, -1 unknown.
        gallery_cameras: [G] int64, -1 unknown.

    Returns:
        A cosine similarity, or None where no search has a right answer, or none a wrong one.

    >>> query, gallery = torch.eye(2)[:1], torch.tensor([[0.8, 0.6], [0.6, 0.8]])
    >>> one, none = torch.tensor([1]), torch.tensor([-1, -1])
    >>> threshold = search_threshold(query, gallery, one, torch.tensor([1, 2]), -one, none)
    >>> round(threshold, 3)  # between the right answer's 0.8 and the wrong one's 0.6
    0.7
    """
    known = (query_identities >= 0).nonzero().flatten()
    if not len(known) or not len(gallery):
        return None
    chosen = known[torch.linspace(0, len(known) - 1, min(len(known), SEARCHES)).long()]
    asked, origins = query_identities[chosen].numpy(), query_cameras[chosen].numpy()
    searched, places = gallery_identities.numpy(), gallery_cameras.numpy()
    right, wrong, done = [], [], 0
    for distances in distance_blocks(query[chosen.to(query.device)], gallery):
        part = slice(done, done + len(distances))
        done += len(distances)
        same = asked[part, None] == searched
        seen = same & (origins[part, None] == places) & (places != UNKNOWN_CAMERA)
        similarities = 1 - distances / 2
        right.append(np.where(same & ~seen, similarities, -np.inf).max(1))
        wrong.append(np.where(~same & (searched >= 0), similarities, -np.inf).max(1))
    return equal_errors(np.concatenate(right), np.concatenate(wrong))


def label_threshold(rows: Tensor, labels: Tensor, cameras: Tensor) -> float | None:
    """Calibrate on pseudo-labels: some images of the training set search for the others.

    Args:
        rows: unit rows [N, D].
        labels: [N] int64, -1 outlier: neither right nor wrong.
        cameras: [N] int64, -1 unknown; with fewer than two, answers of one camera count as well.

    >>> rows = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.28, 0.96]])
    >>> labels, cameras = torch.tensor([0, 0, 1, 1]), torch.zeros(4, dtype=torch.int64)
    >>> round(label_threshold(rows, labels, cameras), 2)
    0.7
    """
    if bool((cameras == cameras[:1]).all()):
        cameras = torch.full_like(cameras, UNKNOWN_CAMERA)
    step = max(2, len(rows) // SEARCHES)
    asking = torch.arange(len(rows)) % step == 0
    parts = [(values[asking], values[~asking]) for values in (labels.cpu(), cameras.cpu())]
    asking = asking.to(rows.device)
    return search_threshold(rows[asking], rows[~asking], *parts[0], *parts[1])


def equal_errors(right: Any, wrong: Any) -> float | None:
    """The threshold at which the share of `wrong` above equals the share of `right` below.

    Args:
        right: similarities of best right answers; those that are not finite do not count.
        wrong: similarities of best wrong answers, likewise.

    Returns:
        The middle, when the shares are equal along a gap; None when one side is empty.

    >>> equal_errors([0.9, 0.7], [0.2, 0.5])
    0.6
    """
    right, wrong = (np.sort(finite(values)) for values in (right, wrong))
    if not len(right) or not len(wrong):
        return None
    values = np.unique(np.concatenate([right, wrong]))
    beyond = np.nextafter(values[-1], np.inf)
    between = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, [beyond]])
    rejected = np.searchsorted(right, between) / len(right)
    accepted = 1 - np.searchsorted(wrong, between) / len(wrong)
    excess = accepted - rejected  # falls from 1 to -1
    best = between[np.abs(excess) == np.abs(excess).min()]
    return round(float(best[0] + best[-1]) / 2, 6)


def finite(values: Any) -> NDArray[np.float64]:
    """The finite ones among values, as an array."""
    array = np.asarray(values, dtype=np.float64)
    kept: NDArray[np.float64] = array[np.isfinite(array)]
    return kept
