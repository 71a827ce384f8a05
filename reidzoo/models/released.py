"""Checkpoints that authors released: recognised by their names, described, and renamed.

Source of the names: the public code of Cluster Contrast, HHCL, CALR (with a camera classifier),
SpCL, CA-Jaccard (a fork of Cluster Contrast) and PPLR. All hold a torchvision ResNet in a
`Sequential` (`base.0` ... `base.7`) behind `module.` of DataParallel. The files of the IBN blocks
(`IN`, `BN`) and of the pooling (`gap.p`) could be read in forks of Cluster Contrast only. The
transformers of TransReID-SSL have the names of timm's, and a neck `bottleneck`.

What a file does not say is taken from the published runs: last stride 1, average pooling where
there is no exponent, ImageNet's mean and deviation (TransReID-SSL: 0.5 and 0.5), images of
256 x 128 (PPLR: 384 x 128; transformers: as their positions say).
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from reidzoo.errors import UserError
from reidzoo.models.options import EmbedderOptions

RENAMED = (  # of the file -> of an Embedder
    (r"base\.0\.", "backbone.conv1."),
    (r"base\.1\.", "backbone.bn1."),
    (r"base\.4\.", "backbone.layer1."),
    (r"base\.5\.", "backbone.layer2."),
    (r"base\.6\.", "backbone.layer3."),
    (r"base\.7\.", "backbone.layer4."),
    (r"gap\.p$", "pool.p"),
    (r"feat\.", "neck.embedding."),
    (r"(feat_bn|bnneck|bottleneck)\.", "neck.bn."),
    (r"(?=cls_token$|pos_embed$|patch_embed\.|blocks\.|norm\.)", "backbone.model."),
)
# Heads of training: identity classifiers, CALR's camera classifier, PPLR's necks of parts.
UNUSED = re.compile(r"(classifier\d*|domain_classifier|bnneck\d+)\.")
Blocks = tuple[int, ...]
RESNETS: dict[tuple[bool, Blocks], str] = {  # (bottleneck blocks, blocks in each stage) -> name
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
    (True, (3, 4, 23, 3)): "resnet101",
    (True, (3, 8, 36, 3)): "resnet152",
}
TRANSFORMERS = {384: "vit_small_patch16_224", 768: "vit_base_patch16_224"}  # length -> name
GRIDS = {128: (16, 8), 192: (24, 8), 196: (14, 14)}  # patches -> rows and columns
PATCH = 16
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class Released:
    """A released network.

    Args:
        family: whose names it has.
        tensors: named as an `Embedder` names them.
        height: of the images it was trained on, as published.
    """

    family: str
    tensors: dict[str, Tensor]
    height: int = 256

    def card(self, what: str) -> dict[str, Any]:
        """What a checkpoint of reidzoo says about itself, read off the names and shapes."""
        height, width = self.height, 128
        if "backbone.model.pos_embed" in self.tensors:
            options = describe_transformer(self.tensors, what)
            height, width = (PATCH * count for count in options.tokens or GRIDS[128])
        else:
            options = describe_resnet(self.tensors, what)
        size = {"height": height, "width": width}
        return {"network": asdict(options), "method": f"released: {self.family}"} | size


def recognise(state: Mapping[str, Any]) -> Released | None:
    """Rename the tensors of a released checkpoint; None where it is not one.

    Args:
        state: names to tensors, as in the file; other values are left out.

    >>> import torch
    >>> state = {"module.base.0.weight": torch.ones(1), "module.feat_bn.weight": torch.ones(2)}
    >>> sorted(recognise(state).tensors)
    ['backbone.conv1.weight', 'neck.bn.weight']
    """
    plain = {
        name.removeprefix("module."): value
        for name, value in state.items()
        if isinstance(value, Tensor)
    }
    transformer = {"cls_token", "bottleneck.weight"} <= plain.keys()
    if not transformer and not any(re.match(r"base\.\d+\.", name) for name in plain):
        return None
    used = {name: value for name, value in plain.items() if not UNUSED.match(name)}
    tensors = _fold_bias({_rename(name): value for name, value in used.items()})
    if any(name.startswith("bnneck.") for name in plain):
        return Released("PPLR", tensors, height=384)
    if any(name.startswith("domain_classifier.") for name in plain):
        return Released("CALR", tensors)
    if transformer:
        return Released("TransReID-SSL", tensors)
    return Released("Cluster Contrast, SpCL, HHCL or CA-Jaccard", tensors)


def describe_resnet(tensors: Mapping[str, Tensor], what: str) -> EmbedderOptions:
    """The network that renamed tensors belong to.

    Args:
        tensors: named as an `Embedder` names them.
        what: how an error message begins.

    Raises:
        UserError: the numbers of blocks are those of no ResNet.
    """
    stages: dict[int, set[int]] = {stage: set() for stage in (1, 2, 3, 4)}
    for name in tensors:
        if found := re.match(r"backbone\.layer(\d)\.(\d+)\.", name):
            stages[int(found[1])].add(int(found[2]))
    blocks = tuple(len(numbers) for numbers in stages.values())
    bottleneck = "backbone.layer1.0.conv3.weight" in tensors
    backbone = RESNETS.get((bottleneck, blocks))
    if backbone is None:
        raise UserError(
            f"{what}: its stages have {', '.join(map(str, blocks))} blocks, as no ResNet has; "
            "is the file complete?"
        )
    if "backbone.layer1.0.bn1.IN.weight" in tensors:
        backbone += "_ibn_a"
    linear = tensors.get("neck.embedding.weight")
    return EmbedderOptions(
        backbone=backbone,
        weights=None,
        pooling="gem" if "pool.p" in tensors else "avg",
        embedding=0 if linear is None else len(linear),
    )


def describe_transformer(tensors: Mapping[str, Tensor], what: str) -> EmbedderOptions:
    """The same for a transformer of TransReID-SSL.

    Raises:
        UserError: a stem of convolutions, or of no known length and number of patches.
    """
    if any(name.startswith("backbone.model.patch_embed.conv.") for name in tensors):
        raise UserError(
            f"{what}: its patches come from a stem of convolutions (patch_embed.conv), which is "
            "not built here; take the network without it"
        )
    _, tokens, length = tensors["backbone.model.pos_embed"].shape
    if length not in TRANSFORMERS or tokens - 1 not in GRIDS:
        raise UserError(
            f"{what}: a transformer with {tokens - 1} patches of length {length}; known: "
            f"{', '.join(map(str, GRIDS))} patches of length {', '.join(map(str, TRANSFORMERS))}"
        )
    return EmbedderOptions(
        backbone=TRANSFORMERS[length],
        weights=None,
        pooling="class",
        tokens=GRIDS[tokens - 1],
        mean=HALF,
        std=HALF,
    )


def _rename(name: str) -> str:
    for pattern, ours in RENAMED:
        if found := re.match(pattern, name):
            return ours + name[found.end() :]
    return name


def _fold_bias(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Move the bias of the linear layer into the running mean of the batch norm behind it.

    An `Embedder` has no such bias; in evaluation the rows are the same.
    """
    bias = tensors.pop("neck.embedding.bias", None)
    mean = tensors.get("neck.bn.running_mean")
    if bias is not None and mean is not None and bias.shape == mean.shape:
        tensors["neck.bn.running_mean"] = mean - bias
    return tensors
