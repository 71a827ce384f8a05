"""A linear classifier for clusters, whose number changes from epoch to epoch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.errors import UserError
from reidzoo.models.pooling import full_precision


class CentroidClassifier(nn.Module):
    """Linear without bias; its first C rows start anew from the centroids of each clustering.

    The parameter keeps its size, so that optimiser, checkpoints and processes never notice.

    Args:
        num_features: D.
        max_clusters: rows there are.

    Source: yoonkicho/PPLR.

    >>> classifier = CentroidClassifier(2, max_clusters=9)
    >>> classifier.reset(torch.eye(2))
    >>> classifier(torch.tensor([[3.0, 4.0]]), num_clusters=2).tolist()
    [[3.0, 4.0]]
    """

    def __init__(self, num_features: int, max_clusters: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(max_clusters, num_features))

    @torch.no_grad()
    def reset(self, centroids: Tensor) -> None:
        """Overwrite the first rows by centroids [C, D]."""
        if len(centroids) > len(self.weight):
            raise UserError(
                f"--method.max_clusters {len(self.weight)}: {len(centroids)} clusters were found; "
                "raise it, or find fewer (a larger --method.clusterer.eps or min_samples)"
            )
        self.weight[: len(centroids)] = centroids.to(self.weight)

    def forward(self, rows: Tensor, num_clusters: int) -> Tensor:
        """Rows [B, D] -> logits [B, C] of the first C clusters, fp32."""
        with full_precision(rows):
            return F.linear(rows.to(self.weight), self.weight[:num_clusters])
