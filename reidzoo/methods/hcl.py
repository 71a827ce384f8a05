"""HCL: pairs of one cluster attract, all other clusters and all outliers repel.

Sun, Li, Li, "Hybrid Contrastive Learning with Cluster Ensemble for Unsupervised Person
Re-identification", ACPR 2021 (arXiv 2201.11995). A memory holds one row m_j per image. An image is
pulled to rows of its cluster one by one, and pushed from the mean rows c_k of other clusters and
from the rows m_o of outliers: one loss that attracts between instances and repels between clusters.

    e_j = exp(f_i . m_j / temperature), and likewise e_k for c_k, e_o for m_o
    L = mean_i mean_{j in S(i)} -log e_j / (e_j + sum_{k != y_i} e_k + sum_o e_o)
        + mu mean_i -log softmax_k(f_i . c_k / temperature)[y_i]

S(i) are up to `max_positives` other images of the cluster of i, drawn anew for each epoch; without
any, only the second term is left.

Fidelity: reconstruction from the abstract; no code and no full text could be had.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from reidzoo.clustering import choose_positives
from reidzoo.distributed import weighted_mean
from reidzoo.losses import pair_attraction
from reidzoo.memory import InstanceMemory, cluster_means
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels


class HCL(Method):
    """Needs batch["label"] and batch["index"]; keeps `memory` [N, D].

    Args:
        momentum: weight of the old memory row.
        temperature: divides the similarities.
        max_positives: images of its cluster that an image is attracted to, at most.
        negatives: clusters (mean rows of the others, and every outlier) or instances (every row
            with another label).
        cluster_weight: mu, weight of a second term between an image and the mean of its cluster;
            1 is the other reading of the abstract.
    """

    paper = "Sun, Li, Li, Hybrid Contrastive Learning with Cluster Ensemble, ACPR 2021"
    year = 2021
    fidelity = "reconstruction: from the abstract"

    def __init__(
        self,
        *,
        momentum: float = 0.2,
        temperature: float = 0.05,
        max_positives: int = 16,
        negatives: Literal["clusters", "instances"] = "clusters",
        cluster_weight: float = 0.0,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.memory = InstanceMemory(0, self.num_features, momentum, temperature)
        self.max_positives = max_positives
        self.negatives = negatives
        self.cluster_weight = cluster_weight

    def clusterings(self, features: Tensor, cameras: Tensor) -> Tensor:
        """Labels [T, N] that decide how much a pair counts; the first row labels the images."""
        return self.clusterer(features, cameras)[None]

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Labels, and for each image its positives and their weights."""
        table = self.clusterings(bank["global"], bank.cameras)
        labels = self.filter_labels(table[0], bank["global"], bank.cameras)
        generator = torch.Generator().manual_seed(epoch)
        positives, weights = choose_positives(labels, table, self.max_positives, generator)
        return PseudoLabels(labels, {"positives": positives, "weights": weights})

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Every image starts as it was extracted."""
        self.memory.reset(bank["global"])

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Attraction to the positives, repulsion by clusters and outliers."""
        assert self.labels is not None
        x, y, rows, labels = out["global"], batch["label"], self.memory.rows, self.labels.labels
        weights = self.labels.tables["weights"][batch["index"]]  # [B, S]
        chosen = rows[self.labels.tables["positives"][batch["index"]]]  # [B, S, D]
        positives = torch.einsum("bd,bsd->bs", x, chosen) / self.memory.temperature
        means = cluster_means(rows, labels, self.labels.num_clusters)
        clusters = x @ means.T / self.memory.temperature  # [B, C]
        logits = self.memory.logits(x)  # [B, N]
        if self.negatives == "instances":
            negatives = logits.masked_fill(labels == y[:, None], -torch.inf)
        else:
            own = y[:, None] == torch.arange(clusters.shape[1], device=y.device)
            outliers = logits.masked_fill(labels >= 0, -torch.inf)
            negatives = torch.cat([clusters.masked_fill(own, -torch.inf), outliers], 1)
        losses = pair_attraction(positives, weights, negatives)
        return {
            "pairs": weighted_mean(losses, (weights.sum(1) > 0).float()),
            "cluster": self.cluster_weight * F.cross_entropy(clusters, y),
        }

    def update(self, out: Batch, batch: Batch) -> None:
        """Each row follows its own image."""
        self.memory.update(out["global"], batch["index"])
