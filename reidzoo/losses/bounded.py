"""Cross-entropy with SpCL's two small constants, in the log domain."""

import math

import torch
from torch import Tensor


def bounded_cross_entropy(logits: Tensor, labels: Tensor, epsilon: float = 1e-6) -> Tensor:
    """Cross-entropy that neither divides by zero nor takes the logarithm of zero.

    With p = exp(s_y) / (sum_l exp(s_l) + epsilon), the loss is -log(p + epsilon), mean over the
    batch: at most -log(epsilon), and its gradient fades for images that are hopelessly far away.

    Args:
        logits: [B, L] fp32; -inf leaves a label out.
        labels: [B] int64 in 0..L-1, none of them left out.
        epsilon: both constants.

    Returns:
        Scalar.

    Source: yxgeee/SpCL (masked softmax).

    >>> bounded_cross_entropy(torch.tensor([[0.0, 50.0]]), torch.tensor([0]))
    tensor(13.8155)
    """
    tiny = logits.new_full((), math.log(epsilon))
    total = torch.logaddexp(logits.logsumexp(1), tiny)
    log_p = logits.gather(1, labels[:, None])[:, 0] - total
    return -torch.logaddexp(log_p, tiny).mean()
