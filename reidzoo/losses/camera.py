"""How well a classifier tells cameras, for networks that are meant to make it fail."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from reidzoo import distributed


def camera_loss(
    log_probabilities: Tensor, cameras: Tensor, kind: Literal["prob_ce", "nll"] = "prob_ce"
) -> Tensor:
    """Mean over the images whose camera is known, on all ranks.

    "nll" is the textbook's -log p_i,cam. "prob_ce" is what CALR's released code computes: the
    cross-entropy of the probabilities as if they were logits, ln sum_c exp(p_ic) - p_i,cam, which
    is bounded (specs/calr.md, 2.3).

    Args:
        log_probabilities: [B, V] of the classifier.
        cameras: [B] int64, -1 unknown.
        kind: which of the two.

    Returns:
        scalar; 0 if no camera is known.

    >>> import torch
    >>> even = torch.full((2, 4), 0.25).log()
    >>> camera_loss(even, torch.tensor([0, 3]))  # ln 4 at its most
    tensor(1.3863)
    """
    logits = log_probabilities.exp() if kind == "prob_ce" else log_probabilities
    losses = F.cross_entropy(logits, cameras, reduction="none", ignore_index=-1)
    return distributed.weighted_mean(losses, (cameras >= 0).float())
