"""Any timm model as a backbone: convolutional maps, channels-last maps and grids of tokens."""

import logging
from typing import Any

import timm
from torch import Tensor, nn

from reidzoo.errors import UserError
from reidzoo.models.options import EmbedderOptions
from reidzoo.models.weights import fetch_or_refuse, load_weights

logger = logging.getLogger(__name__)


class TimmBackbone(nn.Module):
    """A timm model without its classifier, whose output is brought to [B, C, h, w].

    Args:
        model: a timm model with `forward_features`.
        class_token: take the class token as a map of one position, not the patches.
    """

    def __init__(self, model: Any, class_token: bool = False) -> None:
        super().__init__()
        self.model = model
        self.class_token = class_token
        self.num_features: int = model.num_features
        self.channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, num_features, h, w], of patches or of the class token alone."""
        try:
            out: Tensor = self.model.forward_features(image)
        except AssertionError as error:  # timm's word for a size that the patches do not fit
            raise UserError(f"--data.height, --data.width: {error}") from error
        if self.class_token:
            return out[:, 0, :, None, None]
        if out.dim() == 3:
            tokens = out[:, getattr(self.model, "num_prefix_tokens", 0) :]
            height, width = self.model.patch_embed.dynamic_feat_size(tuple(image.shape[-2:]))
            return tokens.transpose(1, 2).reshape(len(out), -1, height, width)
        return out.permute(0, 3, 1, 2) if self.channels_last else out


def build_timm(options: EmbedderOptions) -> TimmBackbone:
    """Build a timm model by name and load its weights.

    >>> options = EmbedderOptions("timm:resnet18", weights=None)
    >>> build_timm(options).num_features
    512
    """
    if options.attention != "none" or options.waveblock:
        raise UserError(
            f"--method.network.attention and .waveblock need a torchvision ResNet or 'small', "
            f"not --method.network.backbone {options.backbone}"
        )
    name = options.backbone.removeprefix("timm:")
    if options.weights == "imagenet":
        # The hub's client warns ten times before it gives up; the error below says it once.
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
        model = fetch_or_refuse(name, lambda: _create(name, pretrained=True))
    else:
        model = _create(name, pretrained=False)
    if options.tokens is not None:
        _set_tokens(model, options)
    if options.weights != "imagenet":
        load_weights(model, options, dict)
    if options.pooling == "class" and getattr(model, "cls_token", None) is None:
        raise UserError(f"--method.network.pooling class: {name} has no class token")
    if options.pooling == "gem" and getattr(model, "num_prefix_tokens", None) is not None:
        logger.warning(
            "--method.network.pooling gem drops the negative values of %s's tokens; use avg", name
        )
    return TimmBackbone(model, options.pooling == "class")


def _set_tokens(model: Any, options: EmbedderOptions) -> None:
    """Make the positions those of a grid of patches."""
    if not hasattr(model, "set_input_size") or not hasattr(model, "pos_embed"):
        raise UserError(f"--method.network.tokens: {options.backbone} has no positions of patches")
    rows, columns = options.tokens or (0, 0)
    height, width = model.patch_embed.patch_size
    model.set_input_size(img_size=(rows * height, columns * width))


def _create(name: str, pretrained: bool) -> Any:
    """Build for any image size, in whichever way the model's family spells it."""
    spellings: list[dict[str, Any]] = [{"dynamic_img_size": True}, {"strict_img_size": False}]
    for flexible in spellings:
        try:
            return timm.create_model(name, pretrained=pretrained, num_classes=0, **flexible)
        except TypeError:  # the family has no such keyword
            continue
    return timm.create_model(name, pretrained=pretrained, num_classes=0)
