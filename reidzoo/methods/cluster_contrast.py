"""Cluster Contrast: one memory row per cluster, InfoNCE of each image against all rows.

Dai et al., "Cluster Contrast for Unsupervised Person Re-Identification", ACCV 2022
(arXiv 2103.11568). After every epoch's clustering each cluster becomes one unit vector, which
follows the images of each batch by momentum; outliers are left out.

    L = mean_i -log softmax_k(f_i . c_k / temperature)[y_i]

Fidelity: exact to the released code (alibaba/cluster-contrast-reid).
"""

from typing import Any, Literal

import torch.nn.functional as F

from reidzoo.memory import ClusterMemory, cluster_means
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels


class ClusterContrast(Method):
    """Needs batch["label"]; keeps `memory` [C, D].

    Args:
        momentum: weight of the old memory row; 0.1 makes the memory follow the batch quickly.
        temperature: divides the similarities.
        update: mean (each image in turn) or hardest (the least similar image of each identity).
    """

    paper = "Dai et al., Cluster Contrast for Unsupervised Person Re-Identification, ACCV 2022"
    year = 2022
    fidelity = "exact to the released code"

    def __init__(
        self,
        *,
        momentum: float = 0.1,
        temperature: float = 0.05,
        update: Literal["mean", "hardest"] = "mean",
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.memory = ClusterMemory(self.num_features, momentum, temperature, update)

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Every cluster starts as the unit mean of its members."""
        self.memory.reset(cluster_means(bank["global"], labels.labels, labels.num_clusters))

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Cross-entropy over all clusters."""
        logits = self.memory.logits(out["global"])  # [B, C]
        return {"cluster": F.cross_entropy(logits, batch["label"])}

    def update(self, out: Batch, batch: Batch) -> None:
        """Each row follows the images of its cluster."""
        self.memory.update(out["global"], batch["label"])
