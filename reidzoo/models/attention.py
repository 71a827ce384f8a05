"""Attention on maps: CBAM, the dot-product non-local block, and where they meet WaveBlock."""

import torch
from torch import Tensor, nn

from reidzoo.models.options import EmbedderOptions
from reidzoo.models.waveblock import WaveBlock


class CBAM(nn.Module):
    """Channel attention, then spatial attention; the caller adds the residual.

    Source: Woo et al., ECCV 2018, as Attentive WaveBlock uses it.

    Args:
        channels: C.
        reduction: the hidden layer of the channel attention has C / reduction units.

    >>> CBAM(32)(torch.randn(2, 32, 8, 4)).shape
    torch.Size([2, 32, 8, 4])
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.channel = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )
        self.spatial = nn.Sequential(
            nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1, momentum=0.01)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        mean, peak = maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))
        gate = torch.sigmoid(self.channel(mean) + self.channel(peak))  # [B, C]
        gated = maps * gate[:, :, None, None]
        planes = torch.cat([gated.amax(1, keepdim=True), gated.mean(1, keepdim=True)], dim=1)
        attended: Tensor = gated * torch.sigmoid(self.spatial(planes))
        return attended


class NonLocal(nn.Module):
    """Every position sees every other one, weighted by a dot product (no softmax).

    Source: Wang et al., CVPR 2018, as Attentive WaveBlock uses it, except that the convolution in
    front of the batch norm has no bias. The identity until the norm's weight leaves 0, so it may
    join a pretrained network.

    Args:
        channels: C; the products are taken in C / 2 channels.

    >>> maps = torch.randn(2, 8, 4, 2)
    >>> NonLocal(8)(maps).equal(maps)
    True
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Conv2d(channels, inner, 1)
        self.g = nn.Conv2d(channels, inner, 1)
        self.out = nn.Conv2d(inner, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        theta, phi, g = (f(maps).flatten(2) for f in (self.theta, self.phi, self.g))  # [B, C/2, hw]
        attention = theta.transpose(1, 2) @ phi / theta.shape[2]  # [B, hw, hw]
        gathered = (attention @ g.transpose(1, 2)).transpose(1, 2)  # [B, C/2, hw]
        update: Tensor = self.bn(self.out(gathered.reshape(len(maps), -1, *maps.shape[2:])))
        return maps + update


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        update: Tensor = self.block(maps)
        return maps + update


def build_attention(options: EmbedderOptions, channels: int) -> nn.Sequential:
    """What follows a stage: CBAM comes before the wave, the non-local block after it.

    Args:
        options: `attention` and `waveblock`.
        channels: of the stage.

    Returns:
        [B, C, h, w] -> [B, C, h, w]; empty, hence the identity, for plain networks.

    >>> [type(m).__name__ for m in build_attention(EmbedderOptions(waveblock=True), 8)]
    ['WaveBlock']
    """
    waves: list[nn.Module] = [WaveBlock()] if options.waveblock else []
    if options.attention == "cbam":
        return nn.Sequential(Residual(CBAM(channels)), *waves)
    if options.attention == "nonlocal":
        return nn.Sequential(*waves, NonLocal(channels))
    return nn.Sequential(*waves)
