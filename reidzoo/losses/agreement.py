"""PPLR's two refinements of pseudo-labels, by how far part features agree with global ones."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def part_guided_cross_entropy(
    logits: Tensor, part_logits: Tensor, labels: Tensor, agreement: Tensor, own_share: float = 0.5
) -> Tensor:
    """Cross-entropy of the global branch against labels mixed with what the parts predict.

        q_i = b onehot(y_i) + (1-b) sum_s softmax_s(a_i)_s softmax(z_is)

    Args:
        logits: [B, C] of the global branch.
        part_logits: [B, S, C] of the parts; they get no gradient.
        labels: [B] int64 in 0..C-1.
        agreement: [B, S] scores a, in 0..1.
        own_share: weight b of the pseudo-label.

    Returns:
        Scalar, mean over the batch.

    Source: yoonkicho/PPLR (part-guided label refinement).

    >>> sure = torch.tensor([[[9.0, -9.0]]])  # a part that has no doubt about cluster 0
    >>> part_guided_cross_entropy(torch.zeros(1, 2), sure, torch.tensor([1]), torch.ones(1, 1))
    tensor(0.6931)
    """
    weights = agreement.softmax(1)[:, None]  # [B, 1, S]
    predicted = (weights @ part_logits.softmax(2))[:, 0].detach()  # [B, C]
    own = torch.zeros_like(logits).scatter(1, labels[:, None], 1)
    return F.cross_entropy(logits, own_share * own + (1 - own_share) * predicted)


def agreement_smoothed_cross_entropy(logits: Tensor, labels: Tensor, agreement: Tensor) -> Tensor:
    """Cross-entropy as far as a part agrees with the whole, for the rest nearness to uniform.

        L = mean_is [ a_is CE(z_is, y_i) + (1 - a_is) KL(uniform || softmax(z_is)) ]

    Args:
        logits: [B, S, C] of the parts.
        labels: [B, S] int64 in 0..C-1.
        agreement: [B, S] scores a, in 0..1.

    Returns:
        Scalar, mean over images and parts.

    Source: yoonkicho/PPLR (agreement-aware label smoothing).

    >>> logits, labels = torch.zeros(1, 2, 4), torch.tensor([[0, 0]])
    >>> agreement_smoothed_cross_entropy(logits, labels, torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    log_p = F.log_softmax(logits, dim=-1)
    own = -log_p.gather(-1, labels[..., None])[..., 0]
    uniform = -math.log(logits.shape[-1]) - log_p.mean(-1)
    return (agreement * own + (1 - agreement) * uniform).mean()
