"""What cameras tell about features and clusters: the camera gap, and the spread of each cluster."""

import numpy as np
import torch
from numpy.typing import NDArray

from reidzoo.clustering.contracts import AnyArray
from reidzoo.clustering.rows import checked_rows, integers

BLOCK = 1024  # rows that are held in double precision at once


def camera_gap(features: AnyArray, cameras: AnyArray) -> float:
    """Compare pairs across cameras and pairs of one camera: difference of mean squared distances.

    O(N D): a mean inner product over pairs is that of two sums. Pairs of an image with itself count
    for neither side; images of unknown camera (-1) are left out.

    Args:
        features: unit rows [N, D].
        cameras: [N] integers, -1 unknown.

    Returns:
        mean over pairs of different cameras minus mean over pairs of one camera; NaN where there
        are no such pairs.

    >>> rows = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    >>> camera_gap(rows, np.array([0, 0, 1, 1]))
    2.0
    """
    rows = checked_rows(features)
    numbers = torch.from_numpy(integers(cameras, "cameras", len(rows))).to(rows.device)
    counts = torch.bincount(numbers[numbers >= 0]).double()
    sums = torch.zeros(len(counts), rows.shape[1], dtype=torch.float64, device=rows.device)
    total = sums.new_zeros(())  # inner products of the images with themselves
    for part, own in zip(torch.split(rows, BLOCK), torch.split(numbers, BLOCK), strict=True):
        known = part[own >= 0].double()
        sums.index_add_(0, own[own >= 0], known)
        total += known.square().sum()
    own_pairs = (counts * (counts - 1)).sum()
    all_pairs = counts.sum() * (counts.sum() - 1)
    own = sums.square().sum() - total
    across = sums.sum(0).square().sum() - total - own
    return float(2 * (own / own_pairs - across / (all_pairs - own_pairs)))


def camera_weights(labels: AnyArray, cameras: AnyArray) -> NDArray[np.float32]:
    """Weigh clusters by how evenly cameras see them: ln(1 + camera entropy) (CALR).

    Args:
        labels: [N] in 0..C-1, -1 outlier.
        cameras: [N].

    Returns:
        [C] float32; a cluster of a single camera has weight 0.

    >>> camera_weights(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])).round(3)
    array([0.   , 0.527], dtype=float32)
    """
    numbers = integers(labels, "labels")
    seen_by = integers(cameras, "cameras", len(numbers))
    inside = numbers >= 0
    pairs, counts = np.unique(
        np.stack([numbers[inside], seen_by[inside]]), axis=1, return_counts=True
    )
    shares = counts / np.bincount(numbers[inside])[pairs[0]]
    return np.log1p(np.bincount(pairs[0], -shares * np.log(shares))).astype(np.float32)
