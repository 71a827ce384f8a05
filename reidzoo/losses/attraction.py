"""Attraction of pairs against repulsion of everything else: the loss of HCL."""

import torch
import torch.nn.functional as F
from torch import Tensor

NOTHING = -1e4  # a logit whose exponential is 0


def pair_attraction(positives: Tensor, weights: Tensor, negatives: Tensor) -> Tensor:
    """Pull each anchor to its positives, one by one, against the same set of negatives.

        L_i = sum_j w_ij -log [ e^p_ij / (e^p_ij + sum_n e^q_in) ] / sum_j w_ij

    Args:
        positives: [B, S] logits p of each anchor's positives.
        weights: [B, S] non-negative; 0 leaves a pair out.
        negatives: [B, M] logits q of each anchor's negatives; -inf leaves one out.

    Returns:
        [B] losses; 0 for an anchor without positives.

    Source: reconstruction (`specs/hcl_mgce.md`).

    >>> pair_attraction(torch.tensor([[0.0, 9.0]]), torch.tensor([[1.0, 0.0]]), torch.zeros(1, 3))
    tensor([1.3863])
    """
    # Finite, and never empty: the gradient of logsumexp over nothing but -inf is NaN.
    repulsion = F.pad(negatives, (0, 1), value=-torch.inf).clamp_min(NOTHING).logsumexp(1)
    losses = F.softplus(repulsion[:, None] - positives)  # [B, S]
    return (weights * losses).sum(1) / weights.sum(1).clamp_min(1e-12)
