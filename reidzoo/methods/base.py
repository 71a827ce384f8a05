"""What every method shares: one step, one refresh, and the hooks in which methods differ."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidzoo import distributed
from reidzoo.clustering import JaccardDBSCAN
from reidzoo.clustering.contracts import CamerasIn, Clusterer, LabelFilter
from reidzoo.clustering.given import GivenLabels
from reidzoo.methods.optimization import Optimization
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import Embedder, EmbedderOptions
from reidzoo.models.format import FORMAT

Batch = dict[str, Tensor]


class Method(pl.LightningModule):
    """A way of learning an embedding without identity labels.

    A step runs `forward_batch` -> `compute_loss` -> backward -> `update` -> optimiser; a refresh
    runs `pseudo_label` on rank 0 and `refresh` everywhere. A method overrides the hooks in which
    it differs and declares the rest as class attributes. It never moves tensors between devices
    or ranks, never logs and never builds an optimiser.

    Args:
        network: backbone, pooling, neck.
        clusterer: features -> pseudo-labels.
        filters: label filters, applied in this order after the clusterer.
        optimization: optimiser and learning-rate schedule.
        labels: train on given labels: a CSV (path, label) of all training images, or a run, of
            which its pseudo_labels.csv. They take the place of the clusterer's, in every epoch and
            without filters.
    """

    paper: ClassVar[str] = ""  # authors, title, venue
    year: ClassVar[int] = 0
    fidelity: ClassVar[str] = ""  # "exact to the released code" | "reconstruction: from ..."
    cameras_in: ClassVar[CamerasIn] = {}  # own use of cameras, beside clusterer and filters
    views: ClassVar[int] = 1  # augmented views of an image in a batch
    # Not ClassVars: an option may decide what a method needs and how its batches are drawn.
    needs: frozenset[str] = frozenset()  # subset of {"cameras"}; checked before training
    sampling: Literal["pk", "random", "pk+outliers", "every", "proxies"] = "pk"
    extract_on: ClassVar[Literal["epoch", "start", "never"]] = "epoch"
    uses_clusterer: ClassVar[bool] = True  # whether training uses what the clusterer finds
    label_on: ClassVar[Literal["epoch", "start", "never"]] = "epoch"
    remember: ClassVar[tuple[str, ...]] = ("global",)  # outputs that `update` receives

    def __init__(
        self,
        *,
        network: EmbedderOptions = EmbedderOptions(),
        clusterer: Clusterer = JaccardDBSCAN(),
        filters: Sequence[LabelFilter] = (),
        optimization: Optimization = Optimization(),
        labels: str | None = None,
    ) -> None:
        super().__init__()
        self.network_options = network
        self.network = Embedder(network)
        self._clusterer = clusterer
        self.refresh_epoch = 0  # of the refresh under way; ClusterCallback sets it
        self.filters = tuple(filters)
        self.optimization = optimization
        self.labels_from = labels
        self.labels: PseudoLabels | None = None
        self.num_cameras = 0  # V of the data, known from setup on
        self.settings: dict[str, Any] = {}  # what the checkpoint says about itself, plain values
        self._step: tuple[Batch, Batch, Batch] | None = None

    # Hooks: what a method overrides.

    def embed(self, image: Tensor) -> Batch:
        """Image [B, 3, H, W] -> {"global": unit rows [B, D]}: extraction, evaluation, export."""
        return {"global": self.network(image)}

    def judge(self, image: Tensor) -> Batch:
        """Rows that evaluation scores: "global" counts, others are logged as val/<name>_mAP."""
        return {"global": self.embed(image)["global"]}

    def forward_batch(self, batch: Batch) -> Batch:
        """What a training step computes from a batch; two views, masks, a teacher go here."""
        return self.embed(batch["image"])

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Named loss terms (scalars, already weighted) from fp32 outputs; pure."""
        raise NotImplementedError

    def update(self, out: Batch, batch: Batch) -> None:
        """Move the memories; rows of all ranks, fp32, no gradient, old memory used so far."""

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Features -> labels, on rank 0 only; pure: state travels in `tables`."""
        return PseudoLabels(self.cluster(bank["global"], bank.cameras))

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Fill the memories from new labels, on every rank."""

    # What hooks may call.

    @property
    def clusterer(self) -> Clusterer:
        """The clusterer of the refresh under way; some begin with other settings (`.at(epoch)`)."""
        at = getattr(self._clusterer, "at", None)
        chosen: Clusterer = self._clusterer if at is None else at(self.refresh_epoch)
        return chosen

    def cluster(self, features: Tensor, cameras: Tensor) -> Tensor:
        """Labels [N] of the clusterer after all filters; features [N, D] unit rows."""
        return self.filter_labels(self.clusterer(features, cameras), features, cameras)

    def filter_labels(self, labels: Tensor, features: Tensor, cameras: Tensor) -> Tensor:
        """Labels [N] after all filters; for methods that ask their clusterer for more."""
        for label_filter in self.filters:
            labels = label_filter(labels, features, cameras)
        return labels

    def use_labels(self, labels: NDArray[np.int64]) -> None:
        """From now on the clusterer finds these labels [N], and no filter changes them."""
        self._clusterer, self.filters = GivenLabels(labels), ()

    @property
    def num_features(self) -> int:
        """Length D of the embedding."""
        return self.network.num_features

    # The step, owned here.

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Labels are looked up here, in the main process: workers could only hold stale ones."""
        if self.labels is not None:
            batch["label"] = self.labels.labels[batch["index"]]
        out = self.forward_batch(batch)
        with torch.autocast(self.device.type, enabled=False):
            out = {name: value.float() for name, value in out.items()}
            terms = self.compute_loss(out, batch)
        loss = torch.stack(list(terms.values())).sum()
        kept = {name: out[name].detach() for name in self.remember}
        drawn = {name: value for name, value in batch.items() if name != "image"}
        logged = {"loss": loss} | {f"loss/{name}": term for name, term in terms.items()}
        self._step = kept, drawn, {name: value.detach() for name, value in logged.items()}
        return loss

    def forget_step(self) -> None:
        """Neither log the step under way nor let the memories see it; for steps gone wrong."""
        self._step = None

    def on_after_backward(self) -> None:
        """Log, and move the memories once per micro-batch, alike on every rank."""
        if self._step is None:
            return
        *parts, logged = self._step
        self._step = None
        size = len(parts[1]["index"])
        self.log_dict(logged, on_step=False, on_epoch=True, sync_dist=True, batch_size=size)
        out, batch = (
            {name: distributed.gather(value) for name, value in part.items()} for part in parts
        )
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            self.update(out, batch)

    def configure_optimizers(self) -> Any:
        """One optimiser over everything trainable, the schedule stepped per epoch."""
        return self.optimization.build(self.parameters(), self.trainer.max_epochs or 1)

    # Reproducibility.

    def on_train_epoch_start(self) -> None:
        """Randomness inside the model depends on (seed, epoch) alone, also after a resume.

        It is alike on every rank: what is drawn for a batch as a whole (WaveBlock) must be one
        draw, as in one process.
        """
        seed = int(os.environ.get("PL_GLOBAL_SEED", 0))  # as pl.seed_everything left it
        torch.manual_seed((seed * 1_000_003 + self.current_epoch) * 4_099)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Describe the model as JSON text: safe loading refuses objects."""
        fixed = {"format": FORMAT, "network": asdict(self.network_options)}
        checkpoint["reidzoo"] = json.dumps({"method": type(self).__name__} | self.settings | fixed)
