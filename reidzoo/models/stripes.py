"""Part features: each horizontal stripe of a map becomes a unit row of its own."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.errors import UserError
from reidzoo.models.pooling import at_least_fp32, full_precision


class StripeHead(nn.Module):
    """Average pooling over S stripes, then a linear layer, batch norm and L2 for each stripe.

    Stripes share rows of the map where S does not divide its height.

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
            pooled = F.adaptive_avg_pool2d(at_least_fp32(maps), (self.stripes, 1))[
                ..., 0
            ]  # [B, C, S]
            parts = [
                norm(embedding(part))
                for part, embedding, norm in zip(
                    pooled.unbind(2), self.embeddings, self.norms, strict=True
                )
            ]
            return F.normalize(torch.stack(parts, dim=1), dim=2)
