"""Arithmetic on rows that several memories share: means, order of arrival, moving averages."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cluster_means(features: Tensor, labels: Tensor, num_clusters: int | None = None) -> Tensor:
    """Unit mean of the features of each cluster; outliers (-1) are left out.

    Args:
        features: [N, D] unit rows, fp32.
        labels: [N] int64 in 0..C-1, -1 outlier.
        num_clusters: C; the largest label + 1 when None.

    Returns:
        [C, D] fp32, unit rows (zero for a cluster without members).

    >>> cluster_means(torch.eye(3), torch.tensor([0, -1, 0]))
    tensor([[0.7071, 0.0000, 0.7071]])
    """
    kept = labels >= 0
    C = int(labels.max()) + 1 if num_clusters is None else num_clusters
    sums = features.new_zeros(C, features.shape[1]).index_add_(0, labels[kept], features[kept])
    return F.normalize(sums, dim=1)


def arrival_order(labels: Tensor) -> Tensor:
    """How many earlier entries have the same label: [B] int64.

    >>> arrival_order(torch.tensor([5, 2, 5, 5, 2]))
    tensor([0, 0, 1, 2, 1])
    """
    ordered, order = labels.sort(stable=True)
    position = torch.arange(len(labels), device=labels.device)
    first = torch.searchsorted(ordered, ordered)  # where the run of each label begins
    result = torch.empty_like(position)
    result[order] = position - first
    return result


def move_in_turn(rows: Tensor, features: Tensor, labels: Tensor, momentum: float) -> None:
    """Move rows in place, one feature after the other in batch order.

    `rows[y] <- L2(momentum rows[y] + (1 - momentum) f)` for each (f, y). Labels do not disturb
    each other, so the loop runs over the k-th arrival of every label at once.

    Args:
        rows: [C, D] or [C, S, D] unit rows, fp32, changed in place.
        features: [B, D] or [B, S, D] unit rows, fp32.
        labels: [B] int64, all in 0..C-1.
        momentum: weight of the old row.
    """
    turn = arrival_order(labels)
    for k in range(int(turn.max()) + 1 if len(turn) else 0):
        chosen = (turn == k).nonzero()[:, 0]
        y = labels[chosen]
        rows[y] = F.normalize(momentum * rows[y] + (1 - momentum) * features[chosen], dim=-1)
