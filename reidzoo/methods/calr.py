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
(`camera_loss=prob_ce`), takes the last member above the mean score as pivot and clusters with
Infomap, as our published settings do; the default needs no extra package.
"""

import math
from typing import Any, ClassVar, Literal

import torch

from reidzoo.clustering import Clusterer, JaccardDBSCAN, camera_weights, knn
from reidzoo.clustering.contracts import CamerasIn
from reidzoo.clustering.pivots import density_scores, refine_by_pivots
from reidzoo.distributed import weighted_mean
from reidzoo.errors import UserError
from reidzoo.losses import camera_losses
from reidzoo.methods.base import Batch
from reidzoo.methods.calr_intra import CALRIntra
from reidzoo.methods.local_labels import check_local_labels, find_local_labels
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import CameraClassifier
from reidzoo.models.batch_norm import use_ghost_batch_norm
from reidzoo.models.masks import keyed_uniform


class CALR(CALRIntra):
    """Needs cameras, batch["label"] and batch["index"]; keeps `memory` [C, D] and `classifier`.

    Args:
        local_labels: a run of calr_intra or its CSV (path, local); cluster; or train.
        clusterer: global clusters.
        k1: neighbours that a score is made of, the image itself included.
        min_similarity: of the neighbours that count.
        pivot: last_above_mean (released) or max_score.
        removal: constant (released: all that pivots ask for) or cosine (a share, from 1 to 3/4).
        weight_epochs: epochs before clusters are weighted by camera entropy.
        camera_epochs: epochs with the camera loss.
        camera_loss: prob_ce (released) or nll (the textbook's).
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": (), "loss": ()}
    uses_clusterer = True

    def __init__(
        self,
        *,
        local_labels: str = "cluster",
        clusterer: Clusterer = JaccardDBSCAN(eps=0.5),
        k1: int = 15,
        min_similarity: float = 0.5,
        pivot: Literal["last_above_mean", "max_score"] = "last_above_mean",
        removal: Literal["constant", "cosine"] = "constant",
        weight_epochs: int = 5,
        camera_epochs: int = 3,
        camera_loss: Literal["prob_ce", "nll"] = "prob_ce",
        **base: Any,
    ) -> None:
        super().__init__(clusterer=clusterer, **base)
        check_local_labels(local_labels)
        self.local_labels = local_labels
        self.k1, self.min_similarity, self.pivot, self.removal = k1, min_similarity, pivot, removal
        self.weight_epochs, self.camera_epochs = weight_epochs, camera_epochs
        self.camera_loss = camera_loss

    def configure_model(self) -> None:
        """The camera classifier, once the number of cameras is known."""
        if hasattr(self, "classifier"):
            return
        with torch.random.fork_rng(devices=[]):  # alike in one and in several processes,
            torch.manual_seed(torch.initial_seed())  # which Lightning seeds again at this point
            self.classifier = CameraClassifier(self.num_features, self.num_cameras)
        use_ghost_batch_norm(self.classifier, self.network_options.samples_per_bn)

    def configure_optimizers(self) -> Any:
        """Refuse a run that would end before the global stage."""
        epochs = self.trainer.max_epochs or 1
        if self.age(epochs - 1) < 0:
            raise UserError(
                f"--trainer.max_epochs {epochs}: --method.local_labels train first takes "
                f"{self.num_cameras} cameras x {self.epochs_per_camera} epochs "
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

    def length(self, epoch: int) -> int:
        """Epochs of the stage; the global one has those that the others leave."""
        if self.age(epoch) < 0:
            return super().length(epoch)
        return (self.trainer.max_epochs or 1) - self.stage(epoch)[1]

    def removed_share(self, epoch: int) -> float:
        """Share of what the pivots ask for that is removed."""
        if self.removal == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi / 3 * self.age(epoch) / self.length(epoch)))

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Global clusters, refined by the pivots; weights of the clusters."""
        rows, cameras = bank["global"], bank.cameras
        if self.age(epoch) < 0:
            return super().pseudo_label(bank, previous, epoch)
        local = find_local_labels(self.local_labels, self.local_clusterer, bank, previous)
        scores = density_scores(knn(rows, min(self.k1, len(rows))), self.min_similarity)
        spared = keyed_uniform(torch.arange(len(rows)), epoch, 1)[0] >= self.removed_share(epoch)
        found = self.cluster(rows, cameras)
        labels = refine_by_pivots(found, scores, cameras, local, self.pivot, spared)
        weights = torch.from_numpy(camera_weights(labels, cameras))
        if self.age(epoch) < self.weight_epochs:
            weights.fill_(1)
        return PseudoLabels(labels, {"local": local, "weights": weights})

    def forward_batch(self, batch: Batch) -> Batch:
        """Rows [B, D] and log-probabilities [B, V] of the cameras; dropout by image and step."""
        out = self.embed(batch["image"])
        keep = keyed_uniform(batch["index"], self.global_step, self.classifier.hidden).T
        return out | {"camera": self.classifier(out["global"], 1.0, keep >= 0.5, 0.5)}

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """The weighted cluster loss, and in the first epochs that of the camera classifier."""
        on = 0 <= self.age(self.current_epoch) < self.camera_epochs
        losses = camera_losses(out["camera"], batch["camera"], self.camera_loss)
        camera = weighted_mean(losses, (batch["camera"] >= 0).float())
        return super().compute_loss(out, batch) | {"camera": on * camera}
