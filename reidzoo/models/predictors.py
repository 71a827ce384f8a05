"""What predicts a view from another one: from row to row, or from masked map to map.

Both answer alike: what the student predicts, what the teacher saw, and where that counts.
"""

import torch
from torch import Tensor, nn

from reidzoo.models.pooling import at_least_fp32, full_precision


class Predictor(nn.Module):
    """From one view's row to the other's, for the student only.

    Args:
        num_features: D.
        hidden: units of the hidden layer.

    >>> Predictor(16, hidden=4)(torch.randn(2, 16)).shape
    torch.Size([2, 16])
    """

    def __init__(self, num_features: int, hidden: int = 512) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(num_features, hidden, bias=False),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, num_features),
        )

    def ask(
        self, maps: Tensor, rows: Tensor, taught: Tensor, answers: Tensor, keep: Tensor
    ) -> dict[str, Tensor]:
        """What the teacher saw in the other view is predicted from this one.

        Args:
            maps: of the student [2B, C, h, w], two views of each image one after the other.
            rows: of the student [2B, D].
            taught: the teacher's maps.
            answers: the teacher's rows.
            keep: [2B, 1, h, w] bool, False where a view is lost.

        Returns:
            predicted and target, whose last dimension is compared, and asked, the weight of each.
        """
        other = torch.arange(len(rows), device=rows.device) ^ 1
        asked = torch.ones(len(rows), device=rows.device)
        return {"predicted": self(rows), "target": answers[other], "asked": asked}

    def forward(self, rows: Tensor) -> Tensor:
        """[B, D] -> [B, D] fp32."""
        with full_precision(rows):
            predicted: Tensor = self.layers(at_least_fp32(rows))
        return predicted


class RegionPredictor(nn.Module):
    """From a masked map to the whole map, with 1 x 1 convolutions.

    A 1 x 1 convolution sees nothing at a dropped position, so those hold the mean of the kept
    ones first.

    Args:
        channels: C.
        hidden: channels in between.

    >>> keep = torch.ones(2, 1, 4, 2, dtype=torch.bool)
    >>> RegionPredictor(16, hidden=4)(torch.randn(2, 16, 4, 2), keep).shape
    torch.Size([2, 16, 4, 2])
    """

    def __init__(self, channels: int, hidden: int = 512) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
        )

    def ask(
        self, maps: Tensor, rows: Tensor, taught: Tensor, answers: Tensor, keep: Tensor
    ) -> dict[str, Tensor]:
        """As `Predictor.ask`, with the whole map of the teacher where the student's was lost."""
        return {
            "predicted": self(maps, keep).flatten(2).mT,  # [2B, h w, C]
            "target": taught.flatten(2).mT,
            "asked": (~keep).flatten(1).float(),  # [2B, h w]
        }

    def forward(self, maps: Tensor, keep: Tensor) -> Tensor:
        """Maps [B, C, h, w], keep [B, 1, h, w] bool -> [B, C, h, w]."""
        count = keep.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        mean = (maps * keep).sum(dim=(2, 3), keepdim=True) / count
        predicted: Tensor = self.layers(torch.where(keep, maps, mean.to(maps.dtype)))
        return predicted
