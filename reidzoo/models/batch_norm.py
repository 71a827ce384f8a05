"""Batch norm over groups of images, and statistics for networks that start from random weights."""

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _GhostBatchNorm(_BatchNorm):
    """Train on statistics of contiguous chunks; the running ones come from the first chunk.

    This is what `nn.DataParallel` did to the published numbers: every replica normalised its own
    part of the batch, and the buffers of replica 0 survived. A lone last row joins the chunk
    before it, since one row has no variance. In eval mode it is ordinary batch norm, and the
    state dict is that of ordinary batch norm.
    """

    def __init__(self, num_features: int, samples_per_bn: int, eps: float = 1e-5) -> None:
        super().__init__(num_features, eps=eps)
        self.samples_per_bn = samples_per_bn

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (the name of the parent class)
        """[B, C, ...] -> the same shape."""
        if not self.training or len(input) <= self.samples_per_bn + 1:
            return super().forward(input)
        sizes = [len(chunk) for chunk in torch.split(input, self.samples_per_bn)]
        if sizes[-1] == 1:
            sizes[-2:] = [sizes[-2] + 1]
        first, *others = torch.split(input, sizes)
        chunks = [super().forward(first)]
        for chunk in others:
            chunks.append(
                F.batch_norm(chunk, None, None, self.weight, self.bias, True, 0.0, self.eps)
            )
        return torch.cat(chunks)

    def extra_repr(self) -> str:
        return f"{self.num_features}, samples_per_bn={self.samples_per_bn}"


class GhostBatchNorm1d(_GhostBatchNorm, nn.BatchNorm1d):
    """Ghost batch norm of rows [B, C].

    >>> GhostBatchNorm1d(8, samples_per_bn=16)(torch.randn(64, 8)).shape
    torch.Size([64, 8])
    """


class GhostBatchNorm2d(_GhostBatchNorm, nn.BatchNorm2d):
    """Ghost batch norm of maps [B, C, h, w].

    >>> GhostBatchNorm2d(8, samples_per_bn=4)(torch.randn(8, 8, 2, 2)).shape
    torch.Size([8, 8, 2, 2])
    """


class _GhostBatchNormAct2d(GhostBatchNorm2d):
    """timm's batch norm with dropout and activation inside, in groups."""

    def __init__(self, norm: Any, samples_per_bn: int) -> None:
        super().__init__(norm.num_features, samples_per_bn, norm.eps)
        self.drop, self.act = norm.drop, norm.act

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        activated: Tensor = self.act(self.drop(super().forward(input)))
        return activated


def use_ghost_batch_norm(module: nn.Module, samples_per_bn: int | None) -> None:
    """Replace every batch norm inside `module` by a ghost one with the same weights and buffers.

    None leaves the module as it is.

    >>> network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    >>> use_ghost_batch_norm(network, 16)
    >>> network[1].samples_per_bn
    16
    """
    if samples_per_bn is None:
        return
    for name, child in module.named_children():
        if not isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            use_ghost_batch_norm(child, samples_per_bn)
            continue
        ghost: _GhostBatchNorm
        if hasattr(child, "act"):  # timm's BatchNormAct2d; importing timm takes two seconds
            ghost = _GhostBatchNormAct2d(child, samples_per_bn)
        else:
            kind = GhostBatchNorm1d if isinstance(child, nn.BatchNorm1d) else GhostBatchNorm2d
            ghost = kind(child.num_features, samples_per_bn, child.eps)
        ghost.momentum = child.momentum
        ghost.load_state_dict(child.state_dict())
        ghost.bias.requires_grad_(child.bias.requires_grad)
        setattr(module, name, ghost)


@torch.no_grad()
def calibrate_batch_norm(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of a network with random weights from a few batches.

    Eval mode with the initial statistics (mean 0, variance 1) would embed every image alike, and
    the first clustering would find one cluster. The statistics become the plain average over the
    batches (not the moving one, which keeps .9^n of the initial values). Only the batch norms are
    put in training mode, so nothing random happens; modes and momenta are restored.

    Args:
        network: any module that maps a batch to anything.
        batches: a few batches [B, 3, H, W], as the network takes them, on its device.

    >>> network = nn.Sequential(nn.BatchNorm1d(1)).eval()
    >>> calibrate_batch_norm(network, [torch.tensor([[2.0], [4.0]]), torch.tensor([[4.0], [6.0]])])
    >>> network[0].running_mean
    tensor([4.])
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    modes = {module: module.training for module in network.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for a cumulative average
        norm.train()
    for batch in batches:
        network(batch)
    for norm in norms:
        norm.momentum = momenta[norm]
    for module, training in modes.items():
        module.training = training
