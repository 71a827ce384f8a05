"""Cluster Contrast: one memory row per cluster, InfoNCE of each image against all rows.

Dai et al., "Cluster Contrast for Unsupervised Person Re-Identification", ACCV 2022
(arXiv 2103.11568). After every epoch's clustering each cluster becomes one unit vector, which
follows the images of each batch by momentum; outliers are left out.

    L = mean_i -log softmax_k(f_i . c_k / temperature)[y_i]

`outliers` keeps un-clustered images in the memory, one row each, as negatives or also as anchors
whose own row is the positive: L + w mean_o -log softmax_k(f_o . c_k / temperature)[o], after Li et
al., "Discriminatively Unsupervised Learning Person Re-Identification via Considering Complicated
Images" (Sensors 2023). A hard image of a clustered identity is then pushed away from its cluster.

Fidelity: exact to the released code (alibaba/cluster-contrast-reid); outliers other than "drop"
are a reconstruction from that paper's abstract.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from reidzoo.distributed import weighted_mean
from reidzoo.memory import ClusterMemory, cluster_means
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels


class ClusterContrast(Method):
    """Needs batch["label"]; keeps `memory` [C, D] and `outlier_memory` [O, D].

    Args:
        momentum: weight of the old memory row; 0.1 makes the memory follow the batch quickly.
        temperature: divides the similarities.
        update: mean (each image in turn) or hardest (the least similar image of each identity).
        outliers: drop, negatives (rows of the memory only) or instances (also a quarter of each
            batch, each image with its own row as positive).
        outlier_momentum: weight of the old row of an outlier.
        outlier_weight: weight of the outliers' mean loss with outliers=instances.
        outlier_warmup: epochs in which that weight grows linearly.
    """

    paper = "Dai et al., Cluster Contrast for Unsupervised Person Re-Identification, ACCV 2022"
    year = 2022
    fidelity = "exact to the released code; outliers: reconstruction from an abstract"

    def __init__(
        self,
        *,
        momentum: float = 0.1,
        temperature: float = 0.05,
        update: Literal["mean", "hardest"] = "mean",
        outliers: Literal["drop", "negatives", "instances"] = "drop",
        outlier_momentum: float = 0.2,
        outlier_weight: float = 0.5,
        outlier_warmup: int = 5,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.memory = ClusterMemory(self.num_features, momentum, temperature, update)
        self.outlier_memory = ClusterMemory(self.num_features, outlier_momentum, temperature)
        self.outliers = outliers
        self.outlier_weight, self.outlier_warmup = outlier_weight, outlier_warmup
        if outliers == "instances":
            self.sampling = "pk+outliers"

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Every cluster starts as the unit mean of its members, an outlier as itself."""
        features, y = bank["global"], labels.labels
        self.memory.reset(cluster_means(features, y, labels.num_clusters))
        if self.outliers != "drop":
            self.outlier_memory.reset(features[y < 0])

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Cross-entropy over all clusters and the outliers that are kept."""
        x, y = out["global"], batch["label"]
        rows = [self.memory.logits(x), self.outlier_memory.logits(x)]
        target = torch.where(y >= 0, y, len(self.memory) + self.outlier_rows(batch))
        losses = F.cross_entropy(torch.cat(rows, 1), target, reduction="none")  # C + O classes
        terms = {"cluster": weighted_mean(losses, (y >= 0).float())}
        if self.outliers == "instances":
            ramp = min(1.0, (self.current_epoch + 1) / (self.outlier_warmup + 1))
            mean = weighted_mean(losses, (y < 0).float())
            terms["outlier"] = ramp * self.outlier_weight * mean
        return terms

    def update(self, out: Batch, batch: Batch) -> None:
        """Each row follows the images of its cluster, or its own image."""
        x, y = out["global"], batch["label"]
        self.memory.update(x, y)
        self.outlier_memory.update(x, self.outlier_rows(batch).where(y < 0, -1))

    def outlier_rows(self, batch: Batch) -> Tensor:
        """Row of each image in the outlier memory [B]; any number for a clustered image."""
        if self.outliers != "instances" or self.labels is None:
            return torch.zeros_like(batch["label"])
        place = (self.labels.labels < 0).cumsum(0) - 1  # rows are in the order of the images
        return place[batch["index"]]
