"""Camera confusion: a classifier of cameras whose gradient is reversed on its way back."""

from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.models.pooling import full_precision


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, alpha: float) -> Tensor:
        ctx.alpha = alpha
        return rows.view_as(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.alpha * gradients[0], None


def reverse_gradient(rows: Tensor, alpha: float = 1.0) -> Tensor:
    """Identity forwards, the gradient times -alpha backwards.

    Source: Ganin and Lempitsky, ICML 2015.

    >>> x = torch.ones(1, requires_grad=True)
    >>> reverse_gradient(3 * x, alpha=0.5).backward()
    >>> x.grad
    tensor([-1.5000])
    """
    reversed_rows: Tensor = _ReverseGradient.apply(rows, alpha)
    return reversed_rows


class CameraClassifier(nn.Module):
    """Guess the camera of an embedding: two hidden layers with batch norm.

    Source: CALR's released code; its biases in front of a batch norm are left out.

    Args:
        num_features: D.
        num_cameras: V.
        hidden: units of each hidden layer.

    >>> CameraClassifier(8, num_cameras=3)(torch.randn(4, 8)).shape
    torch.Size([4, 3])
    """

    def __init__(self, num_features: int, num_cameras: int, hidden: int = 100) -> None:
        super().__init__()
        self.hidden = hidden
        self.first = nn.Sequential(
            nn.Linear(num_features, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()
        )
        self.second = nn.Sequential(
            nn.Linear(hidden, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, num_cameras),
        )

    def forward(
        self, rows: Tensor, alpha: float = 1.0, keep: Tensor | None = None, dropout: float = 0.0
    ) -> Tensor:
        """Log-probabilities of the cameras.

        Dropout is an argument, not drawn here, so that it can be the same on any number of ranks.

        Args:
            rows: [B, D].
            alpha: rows get -alpha times the gradient.
            keep: [B, hidden] bool, units of the first hidden layer that are not dropped.
            dropout: the share that is dropped, which scales the others up.

        Returns:
            [B, V] fp32.
        """
        with full_precision(rows):
            units = self.first(
                reverse_gradient(rows.to(self.first.get_parameter("0.weight")), alpha)
            )
            if keep is not None:
                units = units * keep / (1 - dropout)
            logits: Tensor = self.second(units)
            return logits.log_softmax(dim=1)
