"""The memory of selective contrastive learning that several images write into one row."""

from collections.abc import Sequence

import torch
from torch import Tensor

from reidzoo.memory.bank import InstanceMemory
from reidzoo.memory.rows import move_in_turn


class MixtureMemory(InstanceMemory):
    """One row per training image, into which every image writes that has it as a positive.

    Several branches share it. Rows start at zero; features need not be unit.

    Source: pangbo1997/Unsup_ReID.

    >>> memory = MixtureMemory(3, num_features=2, momentum=0.5)
    >>> memory.absorb([torch.tensor([[0.0, 2.0]])], torch.tensor([[0, 2]]))
    >>> memory.rows[:, 1]
    tensor([1., 0., 1.])
    """

    begins_at_zero = True

    @torch.no_grad()
    def absorb(self, branches: Sequence[Tensor], positives: Tensor) -> None:
        """Write features into the rows of their positives, in the order of the released code.

        Args:
            branches: features [B, D] of each branch; the order counts.
            positives: [B, P] int64 rows; the last column is written first.
        """
        for x in branches:
            for column in positives.T.flip(0):
                move_in_turn(self.rows, x, column, self.momentum)

    @torch.no_grad()
    def gradients_in_place(
        self, branches: Sequence[Tensor], chosen: Tensor, weights: Tensor
    ) -> list[Tensor]:
        """Gradients of the loss as the released code gets them, whose backward moves the memory.

        It goes positive by positive in the order of `absorb`, and writes a column before the next
        one is multiplied: a softmax over the old rows meets new rows. This is no gradient of any
        function; it is here to compare with that code. The rows stay as they are.

        Args:
            branches: features [B, D] of each branch, in the order of `absorb`.
            chosen: [B, M] int64 rows that each image meets, positives first.
            weights: [P] of the positives.

        Returns:
            [B, D] per branch.
        """
        moving = self.rows.clone()
        gradients = []
        for x in branches:
            p = self.logits(x).gather(1, chosen).softmax(1)  # [B, M]
            gradient = torch.zeros_like(x)
            for j in reversed(range(len(weights))):
                slope = p.clone()
                slope[:, j] -= 1
                step = (slope[:, None] @ moving[chosen])[:, 0]  # [B, D]
                gradient += weights[j] / (len(x) * self.temperature) * step
                move_in_turn(moving, x, chosen[:, j], self.momentum)
            gradients.append(gradient)
        return gradients
