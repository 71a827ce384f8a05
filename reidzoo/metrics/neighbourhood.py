"""What is nearest to an image: looked up for some images of a set, among all of it."""

from typing import NamedTuple

import torch
from torch import Tensor

BLOCK = 256  # rows whose similarities to all others are held at once


class Neighbourhood(NamedTuple):
    """The nearest other images of some images.

    Args:
        rows: [M] int64, the images that were looked at.
        similarities: [M, k] cosines, falling.
        indices: [M, k] int64, whom they belong to.
    """

    rows: Tensor
    similarities: Tensor
    indices: Tensor


def evenly_spaced(N: int, count: int) -> Tensor:
    """Choose at most `count` of N positions, first and last among them; the same every time.

    >>> evenly_spaced(10, 4)
    tensor([0, 3, 6, 9])
    """
    return torch.linspace(0, N - 1, min(N, count), dtype=torch.float64).long()


def nearest_others(features: Tensor, rows: Tensor, k: int) -> Neighbourhood:
    """Find the k images nearest to each of some images, never the image itself; O(M N D) time.

    Args:
        features: unit rows [N, D], fp32.
        rows: [M] int64, the images that are looked at.
        k: neighbours of each; N - 1 where there are fewer.

    >>> features = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> nearest_others(features, torch.tensor([0, 2]), 1).indices
    tensor([[1],
            [1]])
    """
    k = min(k, len(features) - 1)
    rows = rows.to(features.device)
    found = []
    for part in torch.split(rows, BLOCK):
        similarity = features[part] @ features.T
        similarity[torch.arange(len(part), device=part.device), part] = -torch.inf
        found.append(similarity.topk(k))
    similarities, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Neighbourhood(rows, similarities, indices)
