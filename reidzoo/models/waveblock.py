"""WaveBlock: all rows of a map outside one random band are amplified while training."""

import torch
from torch import Tensor, nn


def wave(maps: Tensor, offset: Tensor | int, rate: float = 1.5, keep: float = 0.3) -> Tensor:
    """Keep a band of rows, multiply the others.

    Source: Wang et al., "Attentive WaveBlock", 2020, and its code.

    Args:
        maps: [B, C, h, w].
        offset: first row of the band, 0 <= offset <= h - round(keep * h); a number, or a scalar
            where the maps are.
        rate: factor of the other rows.
        keep: height of the band as a fraction of h, rounded half to even.

    Returns:
        [B, C, h, w].

    >>> wave(torch.ones(1, 1, 4, 1), offset=1).flatten()
    tensor([1.5000, 1.0000, 1.5000, 1.5000])
    """
    row = torch.arange(maps.shape[2], device=maps.device)[:, None]  # [h, 1]
    inside = (row >= offset) & (row < offset + round(keep * maps.shape[2]))
    return maps * torch.where(inside, 1.0, rate).to(maps.dtype)


class WaveBlock(nn.Module):
    """`wave` with one random offset per call, shared by all images; identity in evaluation.

    Args:
        rate: factor of the other rows.
        keep: height of the band as a fraction of h.

    Attributes:
        active: set to False to pause, see `set_waving`.
    """

    def __init__(self, rate: float = 1.5, keep: float = 0.3) -> None:
        super().__init__()
        self.rate = rate
        self.keep = keep
        self.active = True

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        if not (self.training and self.active):
            return maps
        height = maps.shape[2]
        places = height - round(self.keep * height) + 1
        offset = torch.randint(places, (), device=maps.device)  # drawn there: nobody waits
        return wave(maps, offset, self.rate, self.keep)


def set_waving(network: nn.Module, active: bool) -> None:
    """Switch every WaveBlock of a network on or off; the original starts waving in epoch 10.

    >>> network = nn.Sequential(WaveBlock())
    >>> set_waving(network, False)
    >>> network(torch.ones(1, 1, 2, 1)).flatten()
    tensor([1., 1.])
    """
    for module in network.modules():
        if isinstance(module, WaveBlock):
            module.active = active
