"""ResNets as feature maps: torchvision's, their IBN-a variants, and a small one."""

from functools import partial
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from reidzoo.errors import UserError
from reidzoo.models.attention import build_attention
from reidzoo.models.options import EmbedderOptions
from reidzoo.models.weights import OPTION, load_weights

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
IBN_RELEASE = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0"
IBN_HASHES = {
    "resnet18_ibn_a": "2f571257",
    "resnet34_ibn_a": "94bc1577",
    "resnet50_ibn_a": "d9d0bb7b",
    "resnet101_ibn_a": "59ea0ac6",
}


class ResNetTrunk(nn.Module):
    """Stem and four stages of a ResNet, its weights under torchvision's names.

    Args:
        conv1: first convolution.
        maxpool: what follows its batch norm and ReLU.
        stages: four modules of residual blocks.
        widths: channels after each stage.
    """

    def __init__(
        self, conv1: nn.Conv2d, maxpool: nn.Module, stages: list[nn.Module], widths: list[int]
    ) -> None:
        super().__init__()
        self.conv1 = conv1
        self.bn1 = nn.BatchNorm2d(conv1.out_channels)
        self.relu: nn.Module = nn.ReLU(inplace=True)
        self.maxpool = maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.attention2, self.attention3 = nn.Sequential(), nn.Sequential()
        self.widths = widths
        self.num_features = widths[-1]

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, num_features, h, w]."""
        maps: Tensor = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        maps = self.attention2(self.layer2(self.layer1(maps)))
        maps = self.attention3(self.layer3(maps))
        maps = self.layer4(maps)
        return maps

    def adapt(self, options: EmbedderOptions) -> None:
        """Take the stem's ReLU away, put attention and waves after stages 2 and 3, as asked.

        Pretrained weights are loaded before.
        """
        if not options.stem_relu:
            self.relu = nn.Identity()
        self.attention2 = build_attention(options, self.widths[1])
        self.attention3 = build_attention(options, self.widths[2])


class InstanceBatchNorm(nn.Module):
    """IBN: instance norm on the first half of the channels, batch norm on the others.

    Source: Pan et al., "Two at Once", ECCV 2018; the names of the parts are those of its weights.

    >>> InstanceBatchNorm(8)(torch.randn(2, 8, 3, 3)).shape
    torch.Size([2, 8, 3, 3])
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        split = num_features // 2
        self.IN = nn.InstanceNorm2d(split, affine=True)
        self.BN = nn.BatchNorm2d(num_features - split)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        split = self.IN.num_features
        return torch.cat([self.IN(maps[:, :split]), self.BN(maps[:, split:])], dim=1)


def build_resnet(options: EmbedderOptions) -> ResNetTrunk:
    """Build torchvision's ResNet, or its IBN-a variant, and load its weights.

    The variant replaces the first norm of every block of stages 1 to 3. A last stride of 1 also
    un-strides the down-sampling branch.

    >>> options = EmbedderOptions("resnet18_ibn_a", weights=None)
    >>> build_resnet(options)(torch.zeros(2, 3, 64, 32)).shape
    torch.Size([2, 512, 4, 2])
    """
    name = options.backbone.removesuffix("_ibn_a")
    net: Any = getattr(torchvision.models, name)(weights=None)
    stages = [net.layer1, net.layer2, net.layer3, net.layer4]
    if name != options.backbone:
        for stage in stages[:3]:
            for block in stage:
                block.bn1 = InstanceBatchNorm(block.bn1.num_features)
    if options.last_stride == 1:
        for layer in net.layer4.modules():
            if isinstance(layer, nn.Conv2d):
                layer.stride = (1, 1)
    widths = [net.fc.in_features // shrink for shrink in (8, 4, 2, 1)]
    trunk = ResNetTrunk(net.conv1, net.maxpool, stages, widths)
    load_weights(trunk, options, partial(_fetch_imagenet, options.backbone))
    trunk.adapt(options)
    return trunk


def build_small(options: EmbedderOptions) -> ResNetTrunk:
    """Build the network of the synthetic people: four basic blocks on a stem of stride 2.

    0.31 M parameters at the default width of 16; random weights are He fan-out.

    >>> build_small(EmbedderOptions("small", weights=None))(torch.zeros(2, 3, 64, 32)).shape
    torch.Size([2, 128, 8, 4])
    """
    if options.weights == "imagenet":
        raise UserError(
            f"{OPTION} imagenet: the backbone 'small' has none; use {OPTION} null or a local file"
        )
    width = options.width or 16
    widths = [width, 2 * width, 4 * width, 8 * width]
    strides = (1, 2, 2, options.last_stride)
    stages: list[nn.Module] = [
        nn.Sequential(_basic_block(before, after, stride))
        for before, after, stride in zip([width, *widths], widths, strides, strict=False)
    ]
    conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
    trunk = ResNetTrunk(conv1, nn.Identity(), stages, widths)
    for layer in trunk.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    load_weights(trunk, options, dict)
    trunk.adapt(options)
    return trunk


def _basic_block(before: int, after: int, stride: int) -> nn.Module:
    shortcut = None
    if stride != 1 or before != after:
        conv = nn.Conv2d(before, after, 1, stride=stride, bias=False)
        shortcut = nn.Sequential(conv, nn.BatchNorm2d(after))
    block: nn.Module = BasicBlock(before, after, stride, shortcut)
    return block


def _fetch_imagenet(name: str) -> Any:
    """Download, or take from torch's cache, the V1 weights that the published runs start from."""
    if name in RESNETS:
        weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
        return weights.get_state_dict(check_hash=True, weights_only=True)
    if name not in IBN_HASHES:
        raise LookupError(f"no {name} weights are published")
    url = f"{IBN_RELEASE}/{name}-{IBN_HASHES[name]}.pth"
    return torch.hub.load_state_dict_from_url(
        url, map_location="cpu", check_hash=True, weights_only=True
    )
