"""Contrast each image with the proxies of its label against the hardest ones of others."""

import torch
from torch import Tensor

BEHIND = 1e4  # moves a logit behind all others and keeps the order of what is moved


def proxy_contrast(logits: Tensor, positive: Tensor, same: Tensor, hardest: int = 50) -> Tensor:
    """Cross-entropy towards every positive proxy, among the positives and the hardest others.

        L_i = -1/|P_i| sum_{p in P_i} ln [ e^z_ip / sum_{q in P_i and H_i} e^z_iq ]

    Where fewer than `hardest` proxies of other labels exist, those of the own label fill H_i, the
    most similar ones first: they were moved to the end of the ranking, not taken out.

    Args:
        logits: [B, R] similarities to all proxies over temperature.
        positive: [B, R] bool, P_i.
        same: [B, R] bool, proxies of the anchor's label, the positives among them.
        hardest: size of H_i.

    Returns:
        [B] losses; 0 for an anchor without positives.

    Source: Terminator8758/CAP-master (all proxies of the label are positive) and yoonkicho/PPLR
    (those of other cameras).

    >>> own = torch.tensor([[True, False, False]])
    >>> proxy_contrast(torch.tensor([[0.0, 0.0, -9.0]]), own, own, hardest=1)
    tensor([0.6931])
    """
    order = logits.detach() - BEHIND * same
    hard = order.topk(min(hardest, logits.shape[1]), dim=1).indices
    met = torch.cat([logits.masked_fill(~positive, -torch.inf), logits.gather(1, hard)], dim=1)
    count = positive.sum(1)
    attraction = logits.where(positive, 0).sum(1) / count.clamp_min(1)
    return (met.logsumexp(1) - attraction).where(count > 0, 0)
