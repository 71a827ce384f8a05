"""Arithmetic on rows that several memories share: means, order of arrival, moving averages."""

import torch
import torch.nn.functional as F
from torch import Tensor

from reidzoo.memory.loop import walk


def cluster_means(features: Tensor, labels: Tensor, num_clusters: int | None = None) -> Tensor:
    """Unit mean of the features of each cluster; outliers (-1) are left out.

    Args:
        features: [N, D] unit rows, fp32.
        labels: [N] int64 in 0..C-1, -1 outlier.
        num_clusters: C; the largest label + 1 when None, which waits for the device.

    Returns:
        [C, D] fp32, unit rows (zero for a cluster without members).

    >>> cluster_means(torch.eye(3), torch.tensor([0, -1, 0]))
    tensor([[0.7071, 0.0000, 0.7071]])
    """
    C = int(labels.max()) + 1 if num_clusters is None else num_clusters
    return F.normalize(label_sums(features, labels, C), dim=1)


def label_sums(features: Tensor, labels: Tensor, num_labels: int) -> Tensor:
    """Sum of the features of each label, in batch order, hence the same bits on every rank.

    `index_add_` on CUDA is in no fixed order.

    Args:
        features: [B, D].
        labels: [B] int64; negative ones are left out.
        num_labels: L.

    Returns:
        [L, D].

    >>> label_sums(torch.ones(3, 1), torch.tensor([1, -1, 1]), 2)
    tensor([[0.],
            [2.]])
    """
    sums = features.new_zeros(num_labels, features.shape[1])
    walk(sums, features, labels, keep=1.0, take=1.0, unit=False)
    return sums


def label_slots(labels: Tensor) -> Tensor:
    """Number of smaller labels, which is a number below B of each label's own: [B] int64.

    >>> label_slots(torch.tensor([5, 2, 5, 9, 2]))
    tensor([2, 0, 2, 4, 0])
    """
    return torch.searchsorted(labels.sort().values, labels)


def arrival_order(labels: Tensor) -> Tensor:
    """How many earlier entries have the same label: [B] int64.

    >>> arrival_order(torch.tensor([5, 2, 5, 5, 2]))
    tensor([0, 0, 1, 2, 1])
    """
    ordered, order = labels.sort(stable=True)
    position = torch.arange(len(labels), device=labels.device)
    result = torch.empty_like(position)
    result[order] = position - torch.searchsorted(ordered, ordered)
    return result


def move_in_turn(rows: Tensor, features: Tensor, labels: Tensor, momentum: float) -> None:
    """Move rows in place, one feature after the other in batch order.

    `rows[y] <- L2(momentum rows[y] + (1 - momentum) f)` for each (f, y).

    Args:
        rows: [C, D] or [C, S, D] unit rows, fp32, contiguous, changed in place.
        features: [B, D] or [B, S, D] unit rows.
        labels: [B] int64 in 0..C-1; a negative one moves nothing.
        momentum: weight of the old row.

    >>> rows = torch.tensor([[1.0, 0.0]])
    >>> move_in_turn(rows, torch.tensor([[0.0, 1.0], [5.0, 5.0]]), torch.tensor([0, -1]), 0.5)
    >>> rows
    tensor([[0.7071, 0.7071]])
    """
    walk(rows, features, labels, keep=momentum, take=1 - momentum, unit=True)
