"""JCL: a cluster loss and a mined instance loss, attention with waves, clusters of many cameras.

Zhang, Li, Ye, "Unsupervised Joint Contrastive Learning for Aerial Person Re-Identification and
Remote Sensing Image Classification", Remote Sensing 2024. Two memories, of clusters and of images.
The cluster loss makes identities compact; the instance loss separates those that are easily
confused: the least similar image p of the own cluster against the most similar images H of others.
Clusters seen by a single camera are dissolved. The network waves and attends to its maps.

    L = mean_i -log softmax_k(f_i . c_k / temperature)[y_i]
        + w mean_i -log [ e_p / (e_p + sum_{j in H_i} e_j) ], e_j = exp(f_i . v_j / temperature)

Fidelity: reconstruction from the abstract; WaveBlock and attention are exact (Attentive WaveBlock).
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from reidzoo.clustering import LabelFilter, MinCameras
from reidzoo.distributed import weighted_mean
from reidzoo.losses import mined_contrast
from reidzoo.losses.mining import Positive
from reidzoo.memory import ClusterMemory, InstanceMemory, cluster_means
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import EmbedderOptions, set_waving


class JCL(Method):
    """Needs batch["label"] and batch["index"]; keeps `clusters` [C, D] and `instances` [N, D].

    Args:
        momentum: weight of the old cluster row.
        instance_momentum: weight of the old instance row.
        temperature: divides the similarities.
        instance_weight: weight of the instance loss.
        positive: hardest (the least similar image of the cluster) or mean (of all of them).
        hardest: negatives per image, the most similar ones; null takes all.
        outliers_from: epoch from which outliers and filtered images are negatives too; null: never.
        wave_from: epoch in which the network starts waving; attention is trained before.
        network: as for every method; here with attention and waves.
        filters: as for every method; here without clusters of a single camera (off while fewer than
            16 would be left, and for data without cameras).
    """

    paper = "Zhang, Li, Ye, Unsupervised Joint Contrastive Learning, Remote Sensing 2024"
    year = 2024
    fidelity = "reconstruction: from the abstract; WaveBlock and attention exact"

    def __init__(
        self,
        *,
        momentum: float = 0.1,
        instance_momentum: float = 0.2,
        temperature: float = 0.05,
        instance_weight: float = 0.5,
        positive: Positive = "hardest",
        hardest: int | None = 50,
        outliers_from: int | None = 5,
        wave_from: int = 0,
        network: EmbedderOptions = EmbedderOptions(attention="nonlocal", waveblock=True),
        filters: Sequence[LabelFilter] = (MinCameras(2, min_clusters=16),),
        **base: Any,
    ) -> None:
        super().__init__(network=network, filters=filters, **base)
        self.clusters = ClusterMemory(self.num_features, momentum, temperature)
        self.instances = InstanceMemory(0, self.num_features, instance_momentum, temperature)
        self.instance_weight = instance_weight
        self.positive: Positive = positive
        self.hardest, self.outliers_from, self.wave_from = hardest, outliers_from, wave_from

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Labels, and how many images the filters have taken out of clusters."""
        found = self.clusterer(bank["global"], bank.cameras)
        labels = self.filter_labels(found, bank["global"], bank.cameras)
        filtered = ((found >= 0) & (labels < 0)).sum()
        return PseudoLabels(labels, {"filtered_images": filtered})

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Clusters start as unit means, images as they were extracted."""
        rows = bank["global"]
        self.clusters.reset(cluster_means(rows, labels.labels, labels.num_clusters))
        self.instances.reset(rows)

    def on_train_epoch_start(self) -> None:
        """Attention may be trained for some epochs before the waves set in."""
        super().on_train_epoch_start()
        set_waving(self.network, self.current_epoch >= self.wave_from)

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Compactness of clusters, and the mined pairs."""
        assert self.labels is not None
        x, y, labels = out["global"], batch["label"], self.labels.labels
        same = labels == y[:, None]  # [B, N]
        itself = batch["index"][:, None] == torch.arange(len(labels), device=labels.device)
        others = ~same
        if self.outliers_from is None or self.current_epoch < self.outliers_from:
            others &= labels >= 0
        losses = mined_contrast(
            self.instances.similarity(x),
            same & ~itself,
            others,
            self.instances.temperature,
            self.hardest,
            self.positive,
        )
        mean = weighted_mean(losses, (same & ~itself).any(1).float())
        return {
            "cluster": F.cross_entropy(self.clusters.logits(x), y),
            "instance": self.instance_weight * mean,
        }

    def update(self, out: Batch, batch: Batch) -> None:
        """Both memories follow the batch."""
        self.clusters.update(out["global"], batch["label"])
        self.instances.update(out["global"], batch["index"])
