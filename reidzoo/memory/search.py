"""The memory in which an image looks for its neighbours: whole-image rows and part rows."""

import torch
from torch import Tensor, nn

from reidzoo.memory.bank import InstanceMemory


class NeighbourMemory(nn.Module):
    """Rows `whole` [N, D] and `parts` [N, S, d] of every training image.

    A row follows its own image: `v <- L2(momentum v + (1 - momentum) f)`.

    Args:
        num_features: D.
        share: of the whole-image distance; the parts have the rest.
        momentum: weight of the old row.

    Source: pangbo1997/Unsup_ReID.

    >>> memory = NeighbourMemory(2)
    >>> memory.reset(torch.eye(2), torch.ones(2, 2, 1))
    >>> memory.distance(torch.eye(2), torch.tensor([[[1.0], [1.0]], [[1.0], [-1.0]]]))
    tensor([[0., 1.],
            [2., 1.]])
    """

    def __init__(self, num_features: int, share: float = 0.5, momentum: float = 0.5) -> None:
        super().__init__()
        self.whole = InstanceMemory(0, num_features, momentum)
        self.parts = InstanceMemory(0, num_features, momentum)
        self.share = share

    def __len__(self) -> int:
        return len(self.whole)

    def reset(self, whole: Tensor, parts: Tensor) -> None:
        """Start anew from unit rows [N, D] and [N, S, d]."""
        self.whole.reset(whole)
        self.parts.reset(parts)

    @torch.no_grad()
    def distance(self, whole: Tensor, parts: Tensor) -> Tensor:
        """Squared distances [B, N]: whole images [B, D], and the mean over parts [B, S, d]."""
        far = 2 - 2 * whole @ self.whole.rows.T
        far_parts = 2 - 2 / parts.shape[1] * parts.flatten(1) @ self.parts.rows.flatten(1).T
        return self.share * far + (1 - self.share) * far_parts

    def update(self, whole: Tensor, parts: Tensor, index: Tensor) -> None:
        """Move the rows `index` [B] in batch order."""
        self.whole.update(whole, index)
        self.parts.update(parts, index)
