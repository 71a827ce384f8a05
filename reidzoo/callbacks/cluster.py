"""The common rhythm of all methods: extract features, make pseudo-labels, refresh, plan."""

import logging
import time
from dataclasses import replace
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from reidzoo import distributed
from reidzoo.callbacks.calibration import calibrate
from reidzoo.callbacks.diagnostics import describe_labels
from reidzoo.callbacks.reporting import ReportingCallback
from reidzoo.callbacks.rooms import datamodule_of, extract_records
from reidzoo.clustering.contracts import renumber
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.errors import UserError
from reidzoo.files import below_common_folder
from reidzoo.methods.base import Method
from reidzoo.methods.state import FeatureBank, PseudoLabels

log = logging.getLogger(__name__)


class ClusterCallback(ReportingCallback):
    """Renews pseudo-labels before an epoch; every method shares it.

    The first refresh happens in `on_fit_start`, since with workers Lightning opens the iterator of
    epoch 0 before `on_train_epoch_start`. Which epoch a refresh belongs to is kept here:
    `current_epoch` is still 0 in `on_fit_start` of a resumed run.

    Args:
        every: epochs from one refresh to the next.
        oracle: train on the true identities of the training images instead of pseudo-labels: the
            supervised bound of a method, with its loss and budget. No unsupervised result.
    """

    def __init__(self, *, every: int = 1, oracle: bool = False) -> None:
        if every < 1:
            raise UserError(f"--cluster.every {every}: must be 1 or more epochs")
        super().__init__()
        self.every, self.oracle = every, oracle
        self.next_epoch = 0
        self.labels: PseudoLabels | None = None
        self.truth: PseudoLabels | None = None  # what an oracle answers
        self._begun = -1  # the epoch that labels and plan are ready for

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check that trainer, data and method fit together, before anything is computed."""
        if stage != "fit":
            return
        method = as_method(pl_module)
        data = datamodule_of(trainer)
        if trainer._accelerator_connector.use_distributed_sampler:
            raise UserError(
                "Trainer(use_distributed_sampler=True) would scatter identities over ranks; "
                "pass use_distributed_sampler=False"
            )
        if "cameras" in method.needs and data.num_cameras < 2:
            raise UserError(
                f"--method {type(method).__name__} needs camera ids, but the data has "
                f"{data.num_cameras} known cameras; for --data folder see --data.camera_from, or "
                "choose a method without cameras (python -m reidzoo.zoo)"
            )
        self.truth = true_labels(method, data) if self.oracle else None
        method.num_cameras = data.num_cameras
        data.configure(views=method.views, sampling=method.sampling)
        # What `reidzoo.load` must know about images, also where no command line has told it.
        method.settings = {"height": data.height, "width": data.width} | method.settings

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Labels for the first epoch, before the data loader opens."""
        calibrate(trainer, as_method(pl_module))
        self._begin(trainer, as_method(pl_module), self.next_epoch)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Labels for every later epoch."""
        self._begin(trainer, as_method(pl_module), trainer.current_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave equal networks on all ranks, and the epoch's figures in the log."""
        distributed.broadcast_buffers(pl_module)
        super().on_train_epoch_end(trainer, pl_module)
        self.next_epoch = trainer.current_epoch + 1

    def state_dict(self) -> dict[str, Any]:
        """Labels and the epoch to come; tensors, ints and strings only."""
        labels = None if self.labels is None else self.labels.state_dict()
        return {"next_epoch": self.next_epoch, "labels": labels}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where `state_dict` left off."""
        self.next_epoch = int(state_dict["next_epoch"])
        saved = state_dict["labels"]
        self.labels = None if saved is None else PseudoLabels.from_state_dict(saved)

    def _begin(self, trainer: pl.Trainer, method: Method, epoch: int) -> None:
        if self._begun == epoch:
            return
        self._begun, self.report = epoch, {}
        if self._due(method.label_on, epoch):
            self._refresh(trainer, method, epoch)
        elif self.labels is not None:  # resumed between two refreshes: the banks are buffers
            self.labels = self.labels.to(method.device)
        method.labels = self.labels
        data = datamodule_of(trainer)
        unlabelled = torch.zeros_like(data.cameras)  # for methods that never cluster
        planned = unlabelled if self.labels is None else self.labels.labels.cpu()
        data.sampler.set_plan(planned, epoch)

    def _due(self, when: str, epoch: int) -> bool:
        return (when == "epoch" and epoch % self.every == 0) or (when == "start" and epoch == 0)

    def _refresh(self, trainer: pl.Trainer, method: Method, epoch: int) -> None:
        started = time.perf_counter()
        method.refresh_epoch = epoch
        bank = self._extract(trainer, method, epoch)
        extracted = time.perf_counter()
        previous = None if self.labels is None else self.labels.to(method.device)
        labels = self._label(method, bank, previous, epoch)
        labelled = time.perf_counter()
        if labels is not previous:
            method.refresh(labels, bank)
        self.labels = labels
        self.report = describe_labels(labels, previous, bank, datamodule_of(trainer))
        self.report |= {
            "time/extract": extracted - started,
            "time/cluster": labelled - extracted,
            "time/refresh": time.perf_counter() - labelled,
        }

    def _extract(self, trainer: pl.Trainer, method: Method, epoch: int) -> FeatureBank:
        data = datamodule_of(trainer)
        features: dict[str, Tensor] = {}
        if self._due(method.extract_on, epoch):
            features = extract_records(trainer, method, data.splits.train)
        paths = below_common_folder(record.path for record in data.splits.train)
        return FeatureBank(features, data.cameras.to(method.device), paths)

    @torch.no_grad()
    def _label(
        self, method: Method, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """What the method finds, or the previous labels where that cannot be used."""

        def compute() -> PseudoLabels:
            found = self.truth or method.pseudo_label(bank, previous, epoch)
            labels = check_labels(method, found, previous)
            if previous is not None and labels is not previous:
                labels = replace(labels, version=previous.version + 1)
            return labels.to("cpu")

        labels = distributed.on_rank_zero(compute)
        if previous is not None and labels.version == previous.version:
            return previous
        return labels.to(method.device)


def true_labels(method: Method, data: ReIDDataModule) -> PseudoLabels:
    """The identities as if a clusterer had found them.

    Raises:
        UserError: the data has no identities, or the method's labels are more than clusters.
    """
    if not data.has_identities:
        raise UserError("--cluster.oracle true: the data has no identities to train on")
    if method.label_on == "never" or type(method).pseudo_label is not Method.pseudo_label:
        raise UserError(
            f"--cluster.oracle true: {type(method).__name__} makes labels of its own kind; use a "
            "method that takes them from its clusterer, such as cluster_contrast or hhcl"
        )
    return PseudoLabels(renumber(data.identities))


def check_labels(
    method: Method, labels: PseudoLabels, previous: PseudoLabels | None
) -> PseudoLabels:
    """Pass usable labels on; without two clusters keep the previous ones, or say what to change."""
    if method.sampling == "random" or labels.num_clusters >= 2:
        return labels
    outliers = int((labels.labels < 0).sum())
    found = f"{labels.num_clusters} clusters and {outliers} outliers in {len(labels.labels)} images"
    if previous is not None:
        log.warning("Clustering found %s; the previous labels stay.", found)
        return previous
    raise UserError(
        f"--method.clusterer: {method.clusterer} found {found}, and training needs 2 clusters; "
        "raise eps if nearly all are outliers, lower it if all are one cluster, or start from "
        "trained weights (--init, --method.network.weights)"
    )


def as_method(module: pl.LightningModule) -> Method:
    """The module, known to be a `Method`."""
    if not isinstance(module, Method):
        raise UserError(f"ClusterCallback trains reidzoo methods, not {type(module).__name__}")
    return module
