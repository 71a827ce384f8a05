"""Selective contrastive learning: each image against its neighbours, several of them positive."""

import torch.nn.functional as F
from torch import Tensor


def selective_cross_entropy(logits: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy towards each of the first columns, weighted; mean over the batch.

    `sum_j w_j CE(z, class j)`: the softmax runs over all columns, other positives included.

    Args:
        logits: [B, M], positives first.
        weights: [P], one per positive, P <= M.

    Returns:
        Scalar.

    Source: pangbo1997/Unsup_ReID.

    >>> import torch
    >>> selective_cross_entropy(torch.zeros(1, 4), torch.tensor([0.5]))
    tensor(0.6931)
    """
    log_p = F.log_softmax(logits, dim=1)[:, : len(weights)]
    return -(log_p @ weights).mean()


def with_gradient(value: Tensor, features: Tensor, gradient: Tensor) -> Tensor:
    """Scalar of the given value whose gradient with respect to `features` is the given one.

    >>> import torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with_gradient(torch.tensor(7.0), x, torch.tensor([1.0, -1.0])).backward()
    >>> x.grad
    tensor([ 1., -1.])
    """
    return value.detach() + ((features - features.detach()) * gradient).sum()
