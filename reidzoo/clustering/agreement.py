"""PPLR's cross agreement: do an image's neighbours stay the same when only a part is looked at?"""

import torch
from torch import Tensor

from reidzoo.clustering.contracts import Array
from reidzoo.clustering.neighbours import knn
from reidzoo.clustering.rows import checked_rows, like


def cross_agreement(features: Array, parts: Array, k: int = 20) -> Array:
    """Compare neighbour lists, without the image itself: intersection over union.

    Args:
        features: unit rows [N, D].
        parts: unit rows [N, S, d].
        k: length of the lists; at most N - 1.

    Returns:
        [N, S] float32 in 0..1, of the kind given.

    Source: yoonkicho/PPLR.

    >>> import numpy as np
    >>> angles = np.array([0.0, 0.1, 0.3, 0.7])
    >>> rows = np.stack([np.cos(angles), np.sin(angles)], 1)
    >>> cross_agreement(rows, np.stack([rows, rows[[0, 3, 1, 2]]], 1), k=1)
    array([[1., 0.],
           [1., 0.],
           [1., 0.],
           [1., 1.]], dtype=float32)
    """
    whole = checked_rows(features)
    own = nearest_others(whole, k)
    lists = [nearest_others(checked_rows(parts[:, s]), k) for s in range(parts.shape[1])]
    return like(torch.stack([overlap(own, other) for other in lists], dim=1), features)


def nearest_others(rows: Tensor, k: int) -> Tensor:
    """Neighbours [N, k] of unit rows, the row itself left out."""
    return knn(rows, min(k + 1, len(rows)))[0][:, 1:]


def overlap(lists: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of two lists [N, k] without repetitions: [N] float32.

    >>> overlap(torch.tensor([[1, 2, 3]]), torch.tensor([[3, 4, 1]]))
    tensor([0.5000])
    """
    both = torch.cat([lists, others], dim=1).sort(dim=1).values
    shared = (both[:, 1:] == both[:, :-1]).sum(1)
    return shared / (both.shape[1] - shared)
