"""From a name to a backbone."""

import difflib
from typing import TYPE_CHECKING

from reidzoo.errors import UserError
from reidzoo.models.options import EmbedderOptions
from reidzoo.models.resnets import RESNETS, ResNetTrunk, build_resnet, build_small

if TYPE_CHECKING:
    from reidzoo.models.timm_backbone import TimmBackbone


def build_backbone(options: EmbedderOptions) -> "ResNetTrunk | TimmBackbone":
    """Build what `options.backbone` names: a module [B, 3, H, W] -> [B, num_features, h, w].

    Args:
        options: torchvision's name wins where timm has the same one; "timm:" asks for timm's.

    Raises:
        UserError: an unknown name, or weights that cannot be had.

    >>> build_backbone(EmbedderOptions("small", weights=None)).num_features
    128
    """
    name = options.backbone
    if name == "small" or name.removesuffix("_ibn_a") in RESNETS:
        if options.pooling == "class" or options.tokens is not None:
            raise UserError(
                f"--method.network.pooling class and .tokens need a transformer, not "
                f"--method.network.backbone {name}"
            )
        return build_small(options) if name == "small" else build_resnet(options)

    import timm  # takes two seconds, and most runs need none of it

    from reidzoo.models.timm_backbone import build_timm

    if timm.is_model(name.removeprefix("timm:")):
        return build_timm(options)
    ours = ["small", *RESNETS, *(f"{resnet}_ibn_a" for resnet in RESNETS)]
    close = difflib.get_close_matches(name, [*ours, *timm.list_models()], n=1)
    raise UserError(
        f"--method.network.backbone {name}: allowed: {', '.join(ours)}, or any timm model"
        + (f"; did you mean {close[0]}?" if close else "")
    )
