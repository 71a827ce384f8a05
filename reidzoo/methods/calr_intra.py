"""CALR's first stage: a network of its own for each camera, whose clusters are the local labels.

"Camera-Aware Label Refinement" (CALR), arXiv 2403.16450, 2024. Within one camera appearance is
consistent, so each camera is clustered separately: average linkage on its Jaccard distances, about
five images per cluster, no outliers. The labels of the epoch with the best silhouette are kept.

    L = mean_i -log softmax_k(f_i . c_k / temperature)[y_i]     over the clusters of one camera

Cameras take turns in one run: after `epochs_per_camera` epochs weights, optimiser and schedule
start anew. `pseudo_labels.csv` of the run holds the result in its column `local`; `calr` reads it.

Fidelity: exact to the released code's losses, clusters and choice; its script as such cannot run.
"""

import logging
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import LambdaLR

from reidzoo import distributed
from reidzoo.clustering import Agglomerative, Clusterer
from reidzoo.clustering.contracts import CamerasIn
from reidzoo.clustering.silhouette import jaccard_silhouette
from reidzoo.memory import ClusterMemory, cluster_means
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import Teacher

log = logging.getLogger(__name__)


class CALRIntra(Method):
    """Needs cameras and batch["label"]; keeps `memory` [C, D] and `initial`, the weights at first.

    Args:
        local_clusterer: features of one camera -> local labels.
        epochs_per_camera: epochs that each camera's network is trained.
        momentum: weight of the old memory row.
        temperature: divides the similarities.
        update: mean (each image in turn) or hardest (the least similar image of each identity).
    """

    paper = "CALR: Camera-Aware Label Refinement, arXiv 2403.16450, 2024"
    year = 2024
    fidelity = "exact to the released code"
    needs = frozenset({"cameras"})
    cameras_in: ClassVar[CamerasIn] = {"clustering": ()}
    uses_clusterer = False

    def __init__(
        self,
        *,
        local_clusterer: Clusterer = Agglomerative(per_camera=True),
        epochs_per_camera: int = 20,
        momentum: float = 0.1,
        temperature: float = 0.05,
        update: Literal["mean", "hardest"] = "mean",
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.memory = ClusterMemory(self.num_features, momentum, temperature, update)
        self.initial = Teacher(self.network)
        self.local_clusterer = local_clusterer
        self.epochs_per_camera = epochs_per_camera

    def stage(self, epoch: int) -> tuple[int, int]:
        """Which camera is trained in an epoch, and since which epoch."""
        camera = min(epoch // self.epochs_per_camera, self.num_cameras - 1)
        return camera, camera * self.epochs_per_camera

    def length(self, epoch: int) -> int:
        """Epochs of the stage of an epoch."""
        return self.epochs_per_camera

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Clusters of the camera whose turn it is; the best ones so far of every camera."""
        camera, _ = self.stage(epoch)
        own = bank.cameras == camera
        rows = bank["global"][own]
        labels = torch.full_like(bank.cameras, -1)
        tables = {"local": labels.clone(), "silhouette": torch.full((self.num_cameras,), -2.0)}
        if previous is not None:
            tables = {name: previous.tables[name].clone() for name in tables}
        labels[own] = found = self.local_clusterer(rows, bank.cameras[own])
        score = jaccard_silhouette(rows, found)
        if score > tables["silhouette"][camera]:
            tables["silhouette"][camera] = score
            tables["local"][own] = found
        weights = torch.ones(int(labels.max()) + 1)
        return PseudoLabels(labels, tables | {"weights": weights})

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Every cluster starts as the unit mean of its members."""
        self.memory.reset(cluster_means(bank["global"], labels.labels, labels.num_clusters))
        if labels.version == 0:
            self.initial.update(self.network, momentum=0)

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Cross-entropy over all clusters, weighted by that of the image."""
        assert self.labels is not None
        logits = self.memory.logits(out["global"])  # [B, C]
        losses = F.cross_entropy(logits, batch["label"], reduction="none")
        weights = self.labels.tables["weights"][batch["label"]]
        return {"cluster": distributed.weighted_mean(losses, weights)}

    def update(self, out: Batch, batch: Batch) -> None:
        """Each row follows the images of its cluster."""
        self.memory.update(out["global"], batch["label"])

    def configure_optimizers(self) -> Any:
        """The schedule starts anew with every stage."""
        last = (self.trainer.max_epochs or 1) - 1
        if last >= 0 and self.stage(last)[0] < self.num_cameras - 1:
            needed = f"{self.num_cameras} cameras x {self.epochs_per_camera} epochs"
            log.warning("--trainer.max_epochs %d: too few for %s", last + 1, needed)
        built = super().configure_optimizers()
        built["lr_scheduler"]["scheduler"] = LambdaLR(built["optimizer"], self.rate)
        return built

    def rate(self, epoch: int) -> float:
        """Factor of the learning rate in an epoch."""
        return self.optimization.factor(epoch - self.stage(epoch)[1], self.length(epoch))

    def on_train_epoch_end(self) -> None:
        """Begin anew where the next epoch is another stage's, after evaluation, before saving."""
        if self.stage(self.current_epoch + 1) != self.stage(self.current_epoch):
            self.network.load_state_dict(self.initial.network.state_dict())
            self.trainer.optimizers[0].state.clear()
