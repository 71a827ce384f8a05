"""How well a classifier tells cameras, for networks that are meant to make it fail."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor


def camera_losses(
    log_probabilities: Tensor, cameras: Tensor, kind: Literal["prob_ce", "nll"] = "prob_ce"
) -> Tensor:
    """Loss of each image's camera.

    "nll" is the textbook's -log p_i,cam. "prob_ce" is what CALR's released code computes: the
    cross-entropy of the probabilities as if they were logits, ln sum_c exp(p_ic) - p_i,cam, which
    is bounded (specs/calr.md, 2.3).

    Args:
        log_probabilities: [B, V] of the classifier.
        cameras: [B] int64, -1 unknown.
        kind: which of the two.

    Returns:
        [B]; 0 where the camera is not known.

    >>> import torch
    >>> even = torch.full((2, 4), 0.25).log()
    >>> camera_losses(even, torch.tensor([0, -1]))  # ln 4 at its most
    tensor([1.3863, 0.0000])
    """
    logits = log_probabilities.exp() if kind == "prob_ce" else log_probabilities
    return F.cross_entropy(logits, cameras, reduction="none", ignore_index=-1)
