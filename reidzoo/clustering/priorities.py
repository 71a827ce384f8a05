"""Cluster consensus: how many of several clusterings put two images together.

For MGCE-HCL (Sun, Li, Li; ACPR 2021), re-implemented from the abstract (`specs/hcl_mgce.md`).
"""

from torch import Tensor


def pair_priorities(table: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Average the votes of T clusterings on pairs of images: O(T x pairs).

    Args:
        table: labels [T, N] of T clusterings, -1 outlier.
        first: image numbers, of any shape.
        second: image numbers, of a shape that broadcasts with `first`.

    Returns:
        priorities in {0, 1/T, ..., 1}, float32, of the broadcast shape; outliers agree with none.

    >>> import torch
    >>> table = torch.tensor([[0, 0, 1], [0, -1, -1]])
    >>> pair_priorities(table, torch.tensor([0, 0, 1]), torch.tensor([0, 1, 2]))
    tensor([1.0000, 0.5000, 0.0000])
    """
    a, b = table[:, first], table[:, second]
    return ((a == b) & (a >= 0)).float().mean(0)
