"""Part features: each horizontal stripe of a map becomes a row of its own."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.errors import UserError
from reidzoo.models.batch_norm import use_ghost_batch_norm
from reidzoo.models.pooling import Neck, at_least_fp32, full_precision


def pool_stripes(maps: Tensor, stripes: int) -> tuple[Tensor, ...]:
    """Average over S horizontal stripes of equal height, top to bottom: S rows [B, C] fp32.

    Stripes share rows of the map where S does not divide its height.

    >>> [part.item() for part in pool_stripes(torch.tensor([[[[1.0], [2.0], [3.0]]]]), 2)]
    [1.5, 2.5]
    """
    return F.adaptive_avg_pool2d(at_least_fp32(maps), (stripes, 1))[..., 0].unbind(2)


class StripeHead(nn.Module):
    """Average pooling over S stripes, then a linear layer, batch norm and L2 for each stripe.

    Args:
        channels: C of the map.
        stripes: S, top to bottom.
        num_features: D of all stripes together, d = D / S of each.

    Raises:
        UserError: S does not divide D.

    Source: the local branch of pangbo1997/Unsup_ReID; its biases in front of a batch norm, which
    have no effect, are left out.

    >>> rows = StripeHead(16, stripes=4, num_features=32)(torch.randn(2, 16, 8, 4))
    >>> rows.shape, rows.norm(dim=2).allclose(torch.ones(2, 4))
    (torch.Size([2, 4, 8]), True)
    """

    def __init__(self, channels: int, stripes: int, num_features: int) -> None:
        super().__init__()
        if num_features % stripes:
            raise UserError(
                f"--method.stripes {stripes}: must divide the {num_features} features of the "
                "embedding (--method.network.embedding)"
            )
        self.stripes = stripes
        self.embeddings = nn.ModuleList(
            nn.Linear(channels, num_features // stripes, bias=False) for _ in range(stripes)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(num_features // stripes) for _ in range(stripes))

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B, C, h, w] -> rows [B, S, d] fp32, each of norm 1."""
        with full_precision(maps):
            pooled = pool_stripes(maps, self.stripes)
            parts = [
                norm(embedding(part))
                for part, embedding, norm in zip(pooled, self.embeddings, self.norms, strict=True)
            ]
            return F.normalize(torch.stack(parts, dim=1), dim=2)


class StripeNecks(nn.Module):
    """Average pooling over S stripes, then a batch-norm neck for each.

    Args:
        channels: C of the map.
        stripes: S, top to bottom.
        samples_per_bn: batch norm statistics over groups of so many images; None: the whole batch.

    Source: yoonkicho/PPLR.

    >>> StripeNecks(16, stripes=3)(torch.randn(2, 16, 8, 4)).shape
    torch.Size([2, 3, 16])
    """

    def __init__(self, channels: int, stripes: int, samples_per_bn: int | None = None) -> None:
        super().__init__()
        self.necks = nn.ModuleList(Neck(channels) for _ in range(stripes))
        if samples_per_bn is not None:
            use_ghost_batch_norm(self.necks, samples_per_bn)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [B, C, h, w] -> rows [B, S, C] fp32, not normalised."""
        with full_precision(maps):
            pooled = pool_stripes(maps, len(self.necks))
            return torch.stack(
                [neck(part) for neck, part in zip(self.necks, pooled, strict=True)], dim=1
            )
