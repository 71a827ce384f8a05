"""From maps to rows: pooling over horizontal stripes, then the neck, both in full precision."""

from typing import Any

import torch
from torch import Tensor, nn

from reidzoo.models.options import PoolingName


def full_precision(tensor: Tensor) -> Any:
    """Switch autocast off where `tensor` lives: rows, memories and logits are fp32."""
    return torch.autocast(tensor.device.type, enabled=False)


def at_least_fp32(tensor: Tensor) -> Tensor:
    """Half precision becomes fp32; fp64 stays, for `--trainer.precision 64-true`.

    >>> at_least_fp32(torch.zeros(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class Pooling(nn.Module):
    """Pool a map over each of `stripes` horizontal stripes and concatenate, top to bottom.

    The generalised mean is mean(clamp(x, 1e-6)^p)^(1/p) with one trainable exponent p.

    Args:
        kind: "gem", "avg", "max", or "class" (the map is one class token: nothing to pool).
        stripes: number of stripes S; heights differ by one row where S does not divide h.

    >>> Pooling("avg", stripes=2)(torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]]))
    tensor([[2., 6.]])
    """

    def __init__(self, kind: PoolingName = "gem", stripes: int = 1) -> None:
        super().__init__()
        self.kind = kind
        self.stripes = stripes
        if kind == "gem":
            self.p = nn.Parameter(torch.full((1,), 3.0))

    def forward(self, maps: Tensor, keep: Tensor | None = None) -> Tensor:
        """Pool.

        Args:
            maps: [B, C, h, w], any float type.
            keep: [B, 1, h, w] bool, the positions to pool over; None pools over all of them.

        Returns:
            [B, C * stripes] fp32; zeros for a stripe without a kept position.

        Raises:
            ValueError: fewer rows than stripes.
        """
        if maps.shape[2] < self.stripes:
            raise ValueError(
                f"a map with {maps.shape[2]} rows cannot be cut into {self.stripes} stripes; "
                f"use taller images or fewer stripes (--method.network.stripes)"
            )
        with full_precision(maps):
            values = at_least_fp32(maps)
            if keep is None:
                parts = [self._pool(part) for part in values.tensor_split(self.stripes, dim=2)]
            else:
                pairs = zip(
                    values.tensor_split(self.stripes, dim=2),
                    keep.tensor_split(self.stripes, dim=2),
                    strict=True,
                )
                parts = [self._pool_kept(part, kept) for part, kept in pairs]
            return torch.cat(parts, dim=1)

    def _pool(self, values: Tensor) -> Tensor:
        if self.kind == "max":
            return values.amax(dim=(2, 3))
        if self.kind in ("avg", "class"):
            return values.mean(dim=(2, 3))
        return values.clamp(min=1e-6).pow(self.p).mean(dim=(2, 3)).pow(1 / self.p)

    def _pool_kept(self, values: Tensor, keep: Tensor) -> Tensor:
        count = keep.sum(dim=(2, 3))  # [B, 1]
        if self.kind == "max":
            pooled = values.masked_fill(~keep, -torch.inf).amax(dim=(2, 3))
            return pooled.masked_fill(count == 0, 0)
        if self.kind in ("avg", "class"):
            return (values * keep).sum(dim=(2, 3)) / count.clamp(min=1)
        powers = values.clamp(min=1e-6).pow(self.p) * keep
        mean = powers.sum(dim=(2, 3)) / count.clamp(min=1)
        # The root of 0 has no gradient: an empty stripe takes a harmless value, then 0.
        return mean.masked_fill(count == 0, 1).pow(1 / self.p).masked_fill(count == 0, 0)


class Neck(nn.Module):
    """An optional linear layer without bias, then batch norm with its bias frozen at 0.

    Args:
        in_features: length of the pooled rows.
        embedding: length of the linear layer; 0 leaves it out.

    >>> Neck(8, embedding=4)(torch.randn(2, 8)).shape
    torch.Size([2, 4])
    """

    def __init__(self, in_features: int, embedding: int = 0) -> None:
        super().__init__()
        self.num_features = embedding or in_features
        self.embedding: nn.Module = nn.Identity()
        if embedding:
            linear = nn.Linear(in_features, embedding, bias=False)
            nn.init.kaiming_normal_(linear.weight, mode="fan_out")
            self.embedding = linear
        self.bn = nn.BatchNorm1d(self.num_features)
        self.bn.bias.requires_grad_(False)

    def forward(self, pooled: Tensor) -> Tensor:
        """[B, in_features] -> [B, num_features] fp32."""
        with full_precision(pooled):
            rows: Tensor = self.bn(self.embedding(at_least_fp32(pooled)))
        return rows
