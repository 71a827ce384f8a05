"""Checkpoints that authors released: recognised by their names, described, and renamed.

Source of the names: the public code of Cluster Contrast, HHCL, CALR (with a camera classifier),
SpCL, CA-Jaccard (a fork of Cluster Contrast) and PPLR. All hold a torchvision ResNet in a
`Sequential` (`base.0` ... `base.7`) behind `module.` of DataParallel. The files of the IBN blocks
(`IN`, `BN`) and of the pooling (`gap.p`) could be read in forks of Cluster Contrast only.

What a file does not say is taken from the published runs: last stride 1, average pooling where
there is no exponent, ImageNet's mean and deviation, images of 256 x 128 (PPLR: 384 x 128).
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
    (r"(feat_bn|bnneck)\.", "neck.bn."),
)
# Heads of training: identity classifiers, CALR's camera classifier, PPLR's necks of parts.
UNUSED = re.compile(r"(classifier\d*|domain_classifier|bnneck\d+)\.")
RESNETS = {  # (bottleneck blocks, blocks in each stage) -> name
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
    (True, (3, 4, 23, 3)): "resnet101",
    (True, (3, 8, 36, 3)): "resnet152",
}


@dataclass(frozen=True)
class Released:
    """A released network.

    Args:
        family: whose names it has.
        tensors: named as an `Embedder` names them.
        height: of the images it was trained on, as published.
        width: likewise.
    """

    family: str
    tensors: dict[str, Tensor]
    height: int = 256
    width: int = 128

    def card(self, what: str) -> dict[str, Any]:
        """What a checkpoint of reidzoo says about itself, read off the names and shapes."""
        options = describe_network(self.tensors, what)
        size = {"height": self.height, "width": self.width}
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
    if not any(re.match(r"base\.\d+\.", name) for name in plain):
        return None
    used = {name: value for name, value in plain.items() if not UNUSED.match(name)}
    tensors = _fold_bias({_rename(name): value for name, value in used.items()})
    if any(name.startswith("bnneck.") for name in plain):
        return Released("PPLR", tensors, height=384)
    if any(name.startswith("domain_classifier.") for name in plain):
        return Released("CALR", tensors)
    return Released("Cluster Contrast, SpCL, HHCL or CA-Jaccard", tensors)


def describe_network(tensors: Mapping[str, Tensor], what: str) -> EmbedderOptions:
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
