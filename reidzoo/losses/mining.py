"""Contrast each image with the hardest rows of a bank: JCL's instance loss."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Positive = Literal["hardest", "mean"]


def mined_contrast(
    similarity: Tensor,
    positive: Tensor,
    negative: Tensor,
    temperature: float,
    hardest: int | None = 50,
    pick: Positive = "hardest",
) -> Tensor:
    """One positive against the most similar negatives.

        L_i = -log [ e^p / (e^p + sum_{j in H_i} e^s_ij) ], logits over temperature

    Args:
        similarity: [B, N] of each anchor to the rows of a bank.
        positive: [B, N] bool, rows of the same identity, the anchor's own left out.
        negative: [B, N] bool, rows that may repel.
        temperature: divides the similarities.
        hardest: size of H_i, the most similar negatives; None: all.
        pick: p is the lowest similarity to a positive ("hardest") or their mean.

    Returns:
        [B] losses; 0 for an anchor without positives.

    Source: reconstruction (`specs/jcl.md`, 3.2).

    >>> rows = torch.tensor([[0.9, 0.1, 0.1, -0.5]])
    >>> same = torch.tensor([[True, True, False, False]])
    >>> mined_contrast(rows, same, ~same, temperature=1.0, hardest=1)
    tensor([0.6931])
    """
    anchored = positive.any(1)
    if pick == "hardest":
        near = similarity.masked_fill(~positive, torch.inf).amin(1)
    else:
        near = (similarity * positive).sum(1) / positive.sum(1).clamp_min(1)
    near = near.where(anchored, 0)
    far = similarity.masked_fill(~negative, -torch.inf)
    if hardest is not None:
        far = far.topk(min(hardest, far.shape[1]), dim=1).values
    logits = torch.cat([near[:, None], far], 1) / temperature
    losses = F.cross_entropy(logits, logits.new_zeros(len(logits)).long(), reduction="none")
    return losses.where(anchored, 0)
