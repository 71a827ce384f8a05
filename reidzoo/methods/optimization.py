"""Optimiser and learning-rate schedule, as plain values that the command line can set."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn


@dataclass(frozen=True)
class Optimization:
    """Optimiser and schedule; the defaults are those of the Cluster Contrast family.

    Args:
        optimizer: adam, adamw or sgd (with Nesterov momentum 0.9).
        lr: learning rate.
        weight_decay: on every trainable parameter, batch norm included, as the field does.
        schedule: step (times `gamma` every `step_epochs`), cosine (to 0 at the last epoch) or
            constant.
        step_epochs: epochs between two steps of `schedule=step`.
        gamma: factor of one step.
        warmup_epochs: epochs of linear growth before the schedule takes full effect.
        warmup_start: factor of the first of them; null: 1 / (warmup_epochs + 1).
    """

    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = 3.5e-4
    weight_decay: float = 5e-4
    schedule: Literal["step", "cosine", "constant"] = "step"
    step_epochs: int = 20
    gamma: float = 0.1
    warmup_epochs: int = 0
    warmup_start: float | None = None

    def factor(self, epoch: int, epochs: int) -> float:
        """What `lr` is multiplied by in an epoch (from 0) of a run of `epochs`.

        >>> [Optimization(step_epochs=2, gamma=0.5).factor(epoch, 6) for epoch in range(6)]
        [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
        >>> slow = Optimization(warmup_epochs=2, warmup_start=0.01)
        >>> [slow.factor(epoch, 6) for epoch in range(4)]
        [0.01, 0.505, 1.0, 1.0]
        """
        start = self.warmup_start
        if start is None:
            start = 1 / (self.warmup_epochs + 1)
        warm = min(1.0, start + (1 - start) * epoch / max(self.warmup_epochs, 1))
        if self.schedule == "step":
            return float(warm * self.gamma ** (epoch // self.step_epochs))
        if self.schedule == "cosine":
            return warm * 0.5 * (1 + math.cos(math.pi * epoch / max(epochs, 1)))
        return warm

    def build(self, parameters: Iterable[nn.Parameter], epochs: int) -> dict[str, Any]:
        """Optimiser and per-epoch scheduler in the form that Lightning takes."""
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        optimizer: torch.optim.Optimizer
        if self.optimizer == "sgd":
            optimizer = torch.optim.SGD(
                trained, self.lr, momentum=0.9, nesterov=True, weight_decay=self.weight_decay
            )
        else:
            kind = torch.optim.Adam if self.optimizer == "adam" else torch.optim.AdamW
            optimizer = kind(trained, self.lr, weight_decay=self.weight_decay)
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda epoch: self.factor(epoch, epochs)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler}}
