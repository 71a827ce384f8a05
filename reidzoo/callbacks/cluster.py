"""The common rhythm of all methods: extract features, make pseudo-labels, refresh, plan."""

import logging
import time
from dataclasses import replace
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch import Tensor

from reidzoo import distributed
from reidzoo.callbacks.calibration import calibrate
from reidzoo.callbacks.diagnostics import describe_labels
from reidzoo.callbacks.label_sources import given_labels, true_labels
from reidzoo.callbacks.reporting import ReportingCallback
from reidzoo.callbacks.rooms import datamodule_of, extract_records
from reidzoo.errors import UserError
from reidzoo.files import below_common_folder
from reidzoo.methods.base import Method
from reidzoo.methods.soundness import unsound_tensor
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
        unusable: what becomes of a refresh whose features are not finite, or whose labels have
            collapsed (one cluster, none, all outliers). "keep" goes on with the labels before,
            says so, and ends the run after `patience` such refreshes in a row; "stop" ends it at
            once. Without labels before, the run ends.
        patience: see `unusable`.
        keep_labels: keep the labels of every refresh as pseudo_labels/epoch_001.csv, ... in the
            run folder, named after the epoch that trains on them, counted from 1.
    """

    def __init__(
        self,
        *,
        every: int = 1,
        oracle: bool = False,
        unusable: Literal["keep", "stop"] = "keep",
        patience: int = 3,
        keep_labels: bool = False,
    ) -> None:
        for name, value, unit in (("every", every, "epochs"), ("patience", patience, "refreshes")):
            if value < 1:
                raise UserError(f"--cluster.{name} {value}: must be 1 or more {unit}")
        super().__init__()
        self.every, self.oracle, self.keep_labels = every, oracle, keep_labels
        self.unusable, self.patience = unusable, patience
        self.kept = 0  # refreshes in a row that left the labels as they were
        self.next_epoch = 0
        self.labels: PseudoLabels | None = None
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
        if self.oracle:
            method.use_labels(true_labels(method, data))
        elif method.labels_from is not None:
            method.use_labels(given_labels(method, data))
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
        return {"next_epoch": self.next_epoch, "labels": labels, "kept": self.kept}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where `state_dict` left off."""
        self.next_epoch = int(state_dict["next_epoch"])
        self.kept = int(state_dict.get("kept", 0))  # checkpoints of version 0.1.0 have none
        saved = state_dict["labels"]
        self.labels = None if saved is None else PseudoLabels.from_state_dict(saved)

    @property
    def refreshed(self) -> bool:
        """Whether this epoch began with a refresh."""
        return bool(self.report)

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
            fault = unsound_tensor(method)  # alike on every rank
            if fault is not None:
                raise UserError.everywhere(f"after the refresh of epoch {epoch + 1}, {fault}")
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

        def compute() -> PseudoLabels | None:
            fault = unsound_features(bank)
            if fault is None:
                found = method.pseudo_label(bank, previous, epoch)
                fault = collapse(method, found)
            if fault is not None:
                self._keep(fault, previous)
                return None
            if previous is not None:
                found = replace(found, version=previous.version + 1)
            return found.to("cpu")

        labels = distributed.on_rank_zero(compute)
        self.kept = self.kept + 1 if labels is None else 0
        if labels is None:
            assert previous is not None
            return previous
        return labels.to(method.device)

    def _keep(self, fault: str, previous: PseudoLabels | None) -> None:
        """Say that the previous labels stay, or end the run."""
        if previous is None:
            raise UserError(fault)
        if self.unusable == "stop":
            raise UserError(f"--cluster.unusable stop: {fault}; then --resume auto")
        if self.kept + 1 >= self.patience:
            raise UserError(
                f"--cluster.patience {self.patience}: so many refreshes in a row found no usable "
                f"labels, the last one: {fault}; then --resume auto"
            )
        log.warning("The previous labels stay, since %s", fault)


def unsound_features(bank: FeatureBank) -> str | None:
    """What is wrong with the features of a refresh, None if nothing is.

    >>> rows = torch.tensor([[1.0, 0.0], [torch.nan, 0.0]])
    >>> unsound_features(FeatureBank({"global": rows}, torch.zeros(2).long())).split(";")[0]
    '1 of 2 rows of the features "global" are not finite'
    """
    for name, rows in bank.features.items():
        bad = ~rows.flatten(1).isfinite().all(1)
        if bad.any():
            return (
                f'{int(bad.sum())} of {len(rows)} rows of the features "{name}" are not finite; '
                "the weights or their batch-norm statistics are broken: start from other ones "
                "(--init, --method.network.weights) or lower --method.optimization.lr"
            )
    return None


def collapse(method: Method, labels: PseudoLabels) -> str | None:
    """Why labels cannot be trained on, None if they can: two clusters are the least."""
    if method.sampling == "random" or labels.num_clusters >= 2:
        return None
    outliers = int((labels.labels < 0).sum())
    return (
        f"--method.clusterer: {method.clusterer} found {labels.num_clusters} clusters and "
        f"{outliers} outliers in {len(labels.labels)} images, and training needs 2 clusters; raise "
        "eps if nearly all are outliers, lower it if all are one cluster, or start from trained "
        "weights (--init, --method.network.weights)"
    )


def as_method(module: pl.LightningModule) -> Method:
    """The module, known to be a `Method`."""
    if not isinstance(module, Method):
        raise UserError(f"ClusterCallback trains reidzoo methods, not {type(module).__name__}")
    return module
