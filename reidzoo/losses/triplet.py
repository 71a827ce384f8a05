"""Batch-hard triplets with a soft margin."""

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_triplet(anchors: Tensor, candidates: Tensor, same: Tensor) -> Tensor:
    """ln(1 + e^(d_p - d_n)): the farthest image of the own label against the nearest of others.

    Args:
        anchors: [A, D] rows; distances are Euclidean and rows need not be unit.
        candidates: [M, D], the anchors among them.
        same: [A, M] bool, whether a candidate has the anchor's label.

    Returns:
        Scalar, mean over anchors; an anchor that meets no other label adds 0.

    Source: Hermans et al., "In Defense of the Triplet Loss" (2017), as in yoonkicho/PPLR.

    >>> rows = torch.tensor([[0.0], [1.0], [2.0]])
    >>> same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    >>> soft_triplet(rows[:1], rows, same[:1])  # 1 to its own, 2 to the other
    tensor(0.3133)
    """
    exact = "donot_use_mm_for_euclid_dist"  # a product loses what is left of near pairs
    distance = torch.cdist(anchors, candidates, compute_mode=exact)  # [A, M]
    farthest = distance.masked_fill(~same, -torch.inf).amax(1)
    nearest = distance.masked_fill(same, torch.inf).amin(1)
    return F.softplus(farthest - nearest).mean()
