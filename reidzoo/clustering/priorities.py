"""Cluster consensus: how many of several clusterings put two images together, and whom to attract.

For MGCE-HCL (Sun, Li, Li; ACPR 2021), re-implemented from the abstract (`specs/hcl_mgce.md`).
"""

import torch
from torch import Tensor


def pair_priorities(table: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Average the votes of T clusterings on pairs of images: O(T x pairs).

    Args:
        table: labels [T, N] of T clusterings, -1 outlier.
        first: image numbers, of any shape.
        second: image numbers, of as many dimensions; the two broadcast.

    Returns:
        priorities in {0, 1/T, ..., 1}, float32, of the broadcast shape; outliers agree with none.

    >>> import torch
    >>> table = torch.tensor([[0, 0, 1], [0, -1, -1]])
    >>> pair_priorities(table, torch.tensor([0, 0, 1]), torch.tensor([0, 1, 2]))
    tensor([1.0000, 0.5000, 0.0000])
    """
    a, b = table[:, first], table[:, second]
    return ((a == b) & (a >= 0)).float().mean(0)


def choose_positives(
    labels: Tensor, table: Tensor, most: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose images of the same cluster as positives: the highest priorities, ties at random.

    Works through one cluster after the other, 1024 images at a time.

    Args:
        labels: [N], -1 outlier.
        table: labels [T, N] of T clusterings, which decide the priorities.
        most: S, positives per image at most.
        generator: of the ties, on the CPU.

    Returns:
        image numbers [N, S] int64 and their priorities [N, S] float32; where an image has fewer
        positives (an outlier has none) the rest has priority 0.

    >>> labels = torch.tensor([0, -1, 0])
    >>> choose_positives(labels, labels[None], 1, torch.Generator())
    (tensor([[2],
            [0],
            [0]]), tensor([[1.],
            [0.],
            [1.]]))
    """
    positives = labels.new_zeros(len(labels), most)
    priorities = table.new_zeros(len(labels), most, dtype=torch.float32)
    sizes = labels[labels >= 0].bincount().tolist()
    order = labels.sort(stable=True).indices[len(labels) - sum(sizes) :]
    for members in torch.split(order, sizes):
        for anchors in torch.split(members, 1024):
            votes = pair_priorities(table, anchors[:, None], members[None])  # [anchors, members]
            votes[anchors[:, None] == members] = 0  # nobody is its own positive
            ties = torch.rand(votes.shape, generator=generator).to(votes.device)
            best = (votes + ties / (2 * len(table))).topk(min(most, len(members)), dim=1).indices
            found = votes.gather(1, best)
            priorities[anchors, : found.shape[1]] = found
            positives[anchors, : found.shape[1]] = members[best].where(found > 0, 0)
    return positives, priorities
