"""Instance discrimination: two views of an image agree, all other images are negatives."""

import torch
import torch.nn.functional as F
from torch import Tensor


def instance_discrimination(
    anchors: Tensor, candidates: Tensor, own: Tensor, positive: Tensor, temperature: float
) -> Tensor:
    """NT-Xent: each view must find the other view of its image among all other rows.

    Args:
        anchors: [A, D] unit rows.
        candidates: [M, D] unit rows, the anchors among them.
        own: [A] int64, where each anchor itself stands in `candidates` (it is left out).
        positive: [A] int64, where the other view stands.
        temperature: divides the similarities.

    Returns:
        Scalar, mean over anchors.

    Source: Chen et al., SimCLR (ICML 2020), equation 1.

    >>> rows = torch.eye(2).repeat(2, 1)  # views 1 of two images, then views 2
    >>> where = torch.arange(4)
    >>> instance_discrimination(rows, rows, where, where.roll(2), temperature=0.1)
    tensor(9.0833e-05)
    """
    logits = anchors @ candidates.T / temperature
    itself = own[:, None] == torch.arange(len(candidates), device=own.device)
    return F.cross_entropy(logits.masked_fill(itself, -torch.inf), positive)
