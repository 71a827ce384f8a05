"""Label smoothing as HHCL defines it: the spare mass goes to the most confusing clusters."""

import torch.nn.functional as F
from torch import Tensor


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Cross-entropy against softened targets, mean over the batch.

    With k = C // 50 > 1, the target gets 1 - epsilon and each of the k highest-scoring clusters
    epsilon / k more (the target may be among them); otherwise epsilon is spread over all clusters.

    Args:
        logits: [B, C] fp32.
        labels: [B] int64 in 0..C-1.
        epsilon: mass taken from the target, 0 <= epsilon < 1; 0 is plain cross-entropy.

    Returns:
        Scalar.

    Source: bupt-ai-cz/HHCL-ReID.

    >>> import torch
    >>> smoothed_cross_entropy(torch.zeros(1, 4), torch.tensor([2]), 0.1)
    tensor(1.3863)
    """
    if epsilon == 0:
        return F.cross_entropy(logits, labels)
    k = logits.shape[1] // 50
    if k <= 1:
        return F.cross_entropy(logits, labels, label_smoothing=epsilon)
    log_p = F.log_softmax(logits, dim=1)
    hardest = logits.detach().topk(k, dim=1).indices
    spread = log_p.gather(1, hardest).mean(1)
    target = log_p.gather(1, labels[:, None])[:, 0]
    return -((1 - epsilon) * target + epsilon * spread).mean()
