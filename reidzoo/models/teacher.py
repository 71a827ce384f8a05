"""A moving average of a network: it follows the student and is never trained."""

import copy
from typing import Any

import torch
from torch import nn


class Teacher(nn.Module):
    """A copy of a network without gradient, in evaluation mode for ever.

    Its state dict is the network's under "network."; nothing else is kept. Move it after the
    optimiser step; after loading weights into the student, `update(student, 0)` copies them.

    Args:
        student: what is copied.

    >>> student = nn.Linear(1, 1)
    >>> teacher = Teacher(student).train()
    >>> teacher.training, teacher(torch.ones(1, 1)).requires_grad
    (False, False)
    """

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(student).requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Teacher":
        """Stay in evaluation mode, whatever the parent module is put in."""
        super().train(False)
        return self

    @torch.no_grad()
    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Whatever the network does, without a graph."""
        return self.network(*inputs, **options)

    @torch.no_grad()
    def update(self, student: nn.Module, momentum: float) -> None:
        """Parameters <- momentum * own + (1 - momentum) * student's; buffers are copied.

        Args:
            student: a network of the same structure.
            momentum: 0 copies, 1 changes parameters not at all.
        """
        for own, other in zip(self.network.parameters(), student.parameters(), strict=True):
            own.lerp_(other, 1 - momentum)
        for kept, moved in zip(self.network.buffers(), student.buffers(), strict=True):
            kept.copy_(moved)


def ramped_momentum(step: int, final: float = 0.999) -> float:
    """Momentum that lets an early teacher follow fast: min(1 - 1 / (step + 1), final).

    >>> ramped_momentum(0), ramped_momentum(3), ramped_momentum(10_000)
    (0.0, 0.75, 0.999)
    """
    return min(1 - 1 / (step + 1), final)
