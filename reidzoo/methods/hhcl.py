"""HHCL: cluster centroids and, beside them, the hardest images of each cluster.

Hu, Zhu, He, "Hard-sample Guided Hybrid Contrast Learning for Unsupervised Person
Re-Identification", IC-NIDC 2021 (arXiv 2109.12333). A centroid memory keeps clusters stable, a
second memory made of hard samples keeps them apart.

    L = w_h CE(hard_k(f) / temperature, y) + w_c CE(f . c_k / temperature, y)

Two readings of "hard" exist. `memory=hybrid`, which made the published numbers: a second row per
cluster that follows the least similar image of each batch, weights 0.5 and 0.25 (the released code
has a misplaced parenthesis; the paper's are 0.5 and 0.5). `memory=instances`, the paper's text:
K stored images per cluster, the least similar one for the own cluster and the most similar one for
all others, weights 0.5 and 0.5.

Fidelity: exact to the released code (bupt-ai-cz/HHCL-ReID), both modes.
"""

from typing import Any, Literal

import torch

from reidzoo.losses import smoothed_cross_entropy
from reidzoo.memory import ClusterMemory, HardInstanceMemory, cluster_means
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels


class HHCL(Method):
    """Needs batch["label"]; keeps `centroids` [C, D] and `hard` [C, D] or [K, C, D].

    Args:
        memory: hybrid (behind the published numbers) or instances (the paper's hard instances).
        hard_weight: weight of the hard term.
        centroid_weight: weight of the centroid term; null takes 0.25 for hybrid and 0.5 for
            instances, as the released code does.
        momentum: weight of the old memory row.
        temperature: divides the similarities.
        smoothing: label smoothing over the most confusing clusters; the released code knows 0
            and 0.1.
        stored: images kept per cluster with memory=instances; set it to data.num_instances.
    """

    paper = "Hu, Zhu, He, Hard-sample Guided Hybrid Contrast Learning, IC-NIDC 2021"
    year = 2021
    fidelity = "exact to the released code"

    def __init__(
        self,
        *,
        memory: Literal["hybrid", "instances"] = "hybrid",
        hard_weight: float = 0.5,
        centroid_weight: float | None = None,
        momentum: float = 0.1,
        temperature: float = 0.05,
        smoothing: float = 0.0,
        stored: int = 16,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        D = self.num_features
        self.centroids = ClusterMemory(D, momentum, temperature, update="batch_mean")
        self.hard: ClusterMemory | HardInstanceMemory
        if memory == "hybrid":
            self.hard = ClusterMemory(D, momentum, temperature, update="hardest")
        else:
            self.hard = HardInstanceMemory(D, stored, temperature)
        default = 0.25 if memory == "hybrid" else 0.5
        self.weights = hard_weight, default if centroid_weight is None else centroid_weight
        self.smoothing = smoothing

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Centroids are unit means; hard rows start there too, or as K random members."""
        means = cluster_means(bank["global"], labels.labels, labels.num_clusters)
        self.centroids.reset(means)
        if isinstance(self.hard, HardInstanceMemory):
            generator = torch.Generator().manual_seed(labels.version)
            self.hard.fill(bank["global"], labels.labels, generator)
        else:
            self.hard.reset(means)

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """The two cross-entropies."""
        x, y = out["global"], batch["label"]
        hard = self.hard.logits(x, y)  # [B, C]
        centroid = self.centroids.logits(x)  # [B, C]
        hard_weight, centroid_weight = self.weights
        return {
            "hard": hard_weight * smoothed_cross_entropy(hard, y, self.smoothing),
            "centroid": centroid_weight * smoothed_cross_entropy(centroid, y, self.smoothing),
        }

    def update(self, out: Batch, batch: Batch) -> None:
        """Both memories follow the batch."""
        self.hard.update(out["global"], batch["label"])
        self.centroids.update(out["global"], batch["label"])
