"""What a network is made of, in plain values: the command line's `--method.network.*`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from reidzoo.errors import UserError, nearest

PoolingName = Literal["gem", "avg", "max", "class"]
AttentionName = Literal["none", "cbam", "nonlocal"]


@dataclass(frozen=True)
class EmbedderOptions:
    """Settings of an `Embedder`; JSON-able, so that a checkpoint can carry them as text.

    Args:
        backbone: "resnet18" ... "resnet152", the same with "_ibn_a", "small" (the network of the
            synthetic people), or any timm name ("timm:NAME" where torchvision has one too).
        weights: "imagenet", a local file (.pth, .ckpt, .safetensors), or null for random weights.
        last_stride: stride of the last stage of the ResNets and of "small", 1 or 2; a timm
            backbone keeps its own.
        pooling: generalised mean with a trainable exponent, average, or maximum; "class" takes a
            transformer's class token instead.
        stripes: horizontal stripes pooled separately and concatenated.
        embedding: length of a linear layer between pooling and neck; 0 leaves it out.
        tokens: rows and columns of patches that a transformer's positions are made for, 16 and 8
            for 256 x 128 pixels in patches of 16; null: its own (others are interpolated).
        width: channels of the first stage of "small" (null: 16).
        attention: block after stages 2 and 3 of a ResNet or of "small".
        waveblock: wave the maps of stages 2 and 3 while training.
        stem_relu: ReLU after the first batch norm of a ResNet or of "small"; CAP's has none.
        samples_per_bn: batch norm statistics over groups of so many images; null: the whole batch.
        mean: per channel, of images in [0, 1].
        std: per channel, of images in [0, 1].

    >>> EmbedderOptions(backbone="resnet18", weights=None).pooling
    'gem'
    """

    backbone: str = "resnet50"
    weights: str | None = "imagenet"
    last_stride: int = 1
    pooling: PoolingName = "gem"
    stripes: int = 1
    embedding: int = 0
    tokens: tuple[int, int] | None = None
    width: int | None = None
    attention: AttentionName = "none"
    waveblock: bool = False
    stem_relu: bool = True
    samples_per_bn: int | None = None
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        for name, allowed in (
            ("pooling", get_args(PoolingName)),
            ("attention", get_args(AttentionName)),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise UserError(f"--method.network.{name} {value}: {nearest(value, allowed)}")
        for name, least in (("stripes", 1), ("embedding", 0), ("width", 1), ("samples_per_bn", 2)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"--method.network.{name} {value}: must be at least {least}")
        if self.tokens is not None and min(self.tokens) < 1:
            raise UserError(f"--method.network.tokens {list(self.tokens)}: must be at least [1,1]")
        if self.last_stride not in (1, 2):
            raise UserError(f"--method.network.last_stride {self.last_stride}: allowed: 1, 2")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EmbedderOptions":
        """Undo `dataclasses.asdict`, also after a trip through JSON.

        >>> import dataclasses, json
        >>> options = EmbedderOptions(stripes=4, mean=(0.45, 0.45, 0.45))
        >>> text = json.dumps(dataclasses.asdict(options))
        >>> EmbedderOptions.from_dict(json.loads(text)) == options
        True
        """
        known = [field.name for field in fields(cls)]
        for name in values:
            if name not in known:
                raise UserError(f"network option {name!r} is unknown: {nearest(name, known)}")
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**plain)
