"""CALR: each camera's own clusters refine the global ones; a reversed gradient removes cameras.

"Camera-Aware Label Refinement" (CALR), arXiv 2403.16450, 2024. After each global clustering a
trusted image of each cluster, its pivot, throws out the members that come from its own camera but
are in another local cluster there. Clusters count by how many cameras see them.

    L = sum_i w_y CE(f_i . c / temperature, y_i) / sum_i w_y + [first epochs] L_camera
    w_k = ln(1 + camera entropy of cluster k)
    L_camera = mean_i ln sum_c exp(p_ic) - p_i,cam      p: the classifier's probabilities

Local labels come from a file of `calr_intra`, from the features at hand in each epoch (`cluster`, a
cheap approximation of ours), or the first stage runs before (`train`).

Fidelity: exact to the released code, which feeds probabilities to a cross-entropy of logits
(`camera_loss=prob_ce`) and takes the last member above the mean score as pivot.
"""

import importlib.util
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F

from reidzoo import distributed
from reidzoo.clustering import (
    Clusterer,
    Infomap,
    JaccardDBSCAN,
    camera_weights,
    density_scores,
    knn,
    refine_by_pivots,
)
from reidzoo.errors import UserError
from reidzoo.methods.base import Batch
from reidzoo.methods.calr_intra import CALRIntra
from reidzoo.methods.local_labels import check_exists, read_local_labels
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import CameraClassifier
from reidzoo.models.batch_norm import use_ghost_batch_norm
from reidzoo.models.masks import keyed_uniform

DROPOUT = 0.5  # in the camera classifier


class CALR(CALRIntra):
    """Needs cameras, batch["label"] and batch["index"]; keeps `memory` [C, D] and `classifier`.

    Args:
        local_labels: a run of calr_intra or its CSV (path, local); cluster; or train.
        clusterer: global clusters; null is Infomap where that extra is installed, else DBSCAN.
        k1: neighbours that a score is made of, the image itself included.
        min_similarity: of the neighbours that count.
        pivot: last_above_mean (released) or max_score.
        weight_epochs: epochs before clusters are weighted by camera entropy.
        camera_epochs: epochs with the camera loss.
        camera_loss: prob_ce (released) or nll (the textbook's).
    """

    def __init__(
        self,
        *,
        local_labels: str = "cluster",
        clusterer: Clusterer | None = None,
        k1: int = 15,
        min_similarity: float = 0.5,
        pivot: Literal["last_above_mean", "max_score"] = "last_above_mean",
        weight_epochs: int = 5,
        camera_epochs: int = 3,
        camera_loss: Literal["prob_ce", "nll"] = "prob_ce",
        **base: Any,
    ) -> None:
        default = Infomap() if importlib.util.find_spec("infomap") else JaccardDBSCAN(eps=0.5)
        super().__init__(clusterer=clusterer or default, **base)
        if local_labels not in ("cluster", "train"):
            check_exists(local_labels)
        self.local_labels = local_labels
        self.k1, self.min_similarity, self.pivot = k1, min_similarity, pivot
        self.weight_epochs, self.camera_epochs = weight_epochs, camera_epochs
        self.camera_loss = camera_loss

    def configure_model(self) -> None:
        """The camera classifier, once the number of cameras is known."""
        if hasattr(self, "classifier"):
            return
        with torch.random.fork_rng(devices=[]):  # alike in one and in several processes,
            torch.manual_seed(torch.initial_seed())  # which Lightning seeds again at this point
            self.classifier = CameraClassifier(self.num_features, self.num_cameras)
        if self.network_options.samples_per_bn:
            use_ghost_batch_norm(self.classifier, self.network_options.samples_per_bn)

    def configure_optimizers(self) -> Any:
        """Refuse a run that would end before the global stage."""
        epochs = self.trainer.max_epochs or 1
        if self.age(epochs - 1) < 0:
            first = f"{self.num_cameras} cameras x {self.epochs_per_camera} epochs"
            raise UserError(
                f"--trainer.max_epochs {epochs}: --method.local_labels train first takes {first} "
                "(--method.epochs_per_camera)"
            )
        return super().configure_optimizers()

    def stage(self, epoch: int) -> tuple[int, int]:
        """Cameras 0..V-1 if local labels are trained, then V, all of them; and since when."""
        if self.local_labels != "train":
            return self.num_cameras, 0
        stage = min(epoch // self.epochs_per_camera, self.num_cameras)
        return stage, stage * self.epochs_per_camera

    def age(self, epoch: int) -> int:
        """Epochs since the global stage began; negative before."""
        stage, start = self.stage(epoch)
        return epoch - start if stage == self.num_cameras else -1

    def rate(self, epoch: int) -> float:
        """Factor of the learning rate; the global stage has the epochs that the others leave."""
        if self.age(epoch) < 0:
            return super().rate(epoch)
        left = (self.trainer.max_epochs or 1) - self.stage(epoch)[1]
        return self.optimization.factor(self.age(epoch), left)

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Global clusters, refined by the pivots; weights of the clusters."""
        age, rows, cameras = self.age(epoch), bank["global"], bank.cameras
        if age < 0:
            return super().pseudo_label(bank, previous, epoch)
        if self.local_labels == "cluster":
            local = self.local_clusterer(rows, cameras)
        elif previous is not None:
            local = previous.tables["local"]
        else:
            local = read_local_labels(Path(self.local_labels), bank.paths).to(cameras.device)
        scores = density_scores(knn(rows, min(self.k1, len(rows))), self.min_similarity)
        labels = refine_by_pivots(self.cluster(rows, cameras), scores, cameras, local, self.pivot)
        weights = torch.from_numpy(camera_weights(labels, cameras))
        if age < self.weight_epochs:
            weights = torch.ones_like(weights)
        return PseudoLabels(labels, {"local": local, "weights": weights})

    def forward_batch(self, batch: Batch) -> Batch:
        """Rows [B, D] and log-probabilities [B, V] of the cameras; dropout by image and step."""
        out = self.embed(batch["image"])
        keep = keyed_uniform(batch["index"], self.global_step, self.classifier.hidden).T
        return out | {"camera": self.classifier(out["global"], 1.0, keep >= DROPOUT, DROPOUT)}

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """The weighted cluster loss, and in the first epochs that of the camera classifier."""
        logits = out["camera"].exp() if self.camera_loss == "prob_ce" else out["camera"]
        losses = F.cross_entropy(logits, batch["camera"], reduction="none", ignore_index=-1)
        camera = distributed.weighted_mean(losses, (batch["camera"] >= 0).float())
        on = 0 <= self.age(self.current_epoch) < self.camera_epochs
        return super().compute_loss(out, batch) | {"camera": on * camera}
