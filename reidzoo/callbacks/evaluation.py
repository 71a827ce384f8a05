"""Retrieval on query and gallery while training, sharded over ranks like the extraction."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidzoo import distributed
from reidzoo.callbacks.reporting import ReportingCallback
from reidzoo.callbacks.rooms import datamodule_of, extract_records
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.errors import UserError
from reidzoo.gallery.calibration import label_threshold
from reidzoo.gallery.scoring import score_queries, truth
from reidzoo.methods.base import Method


@dataclass(frozen=True)
class Answers:
    """The first gallery images for a few queries, enough to draw ranked lists.

    Args:
        queries: positions in `splits.query`, [Q].
        gallery: positions in `splits.gallery`, nearest first, same-camera images of the same
            identity left out, [Q, top].
        distances: 1 - cosine, [Q, top].
    """

    queries: Tensor
    gallery: Tensor
    distances: Tensor


class EvaluationCallback(ReportingCallback):
    """Logs val/mAP, val/mINP, val/cmc1, val/cmc5, val/cmc10, val/threshold and time/evaluate.

    The threshold goes into the checkpoint; where no identities are known, the pseudo-labels of the
    last epoch give one at the end. Nothing is chosen by these figures except `best.ckpt`, and the
    best epoch on the test set is always reported as such, beside the last one.

    Args:
        every: epochs between two evaluations; the last epoch is always evaluated, 0 means only
            then.
        untrained: also evaluate the network before training, as a reference line.
    """

    def __init__(self, *, every: int = 10, untrained: bool = True) -> None:
        if every < 0:
            raise UserError(f"--evaluate.every {every}: must be 0 (only at the end) or more")
        super().__init__()
        self.every, self.untrained = every, untrained
        self.history: list[dict[str, float]] = []  # "epoch" counts finished epochs, 0 = untrained
        self.answers: Answers | None = None
        self.precisions: NDArray[np.float64] | None = None  # AP of each query [Q], on rank 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate the untrained network once; a resumed run has its figures already."""
        fresh = not self.history and trainer.ckpt_path is None
        if self.untrained and fresh and can_evaluate(datamodule_of(trainer)):
            self._evaluate(trainer, pl_module, finished=0)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evaluate when due."""
        finished = trainer.current_epoch + 1
        last = finished == trainer.max_epochs
        due = last or (self.every > 0 and finished % self.every == 0)
        self.report = {}
        if due and can_evaluate(datamodule_of(trainer)):
            started = time.perf_counter()
            scores = self._evaluate(trainer, pl_module, finished)
            self.report = {f"val/{name}": value for name, value in scores.items()}
            self.report["time/evaluate"] = time.perf_counter() - started
        elif last:
            calibrate_on_labels(trainer, pl_module)
        super().on_train_epoch_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The figures of all evaluations so far."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the list of figures."""
        self.history = list(state_dict["history"])

    def _evaluate(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, finished: int
    ) -> dict[str, float]:
        assert isinstance(pl_module, Method)
        data = datamodule_of(trainer)
        query = extract_records(trainer, pl_module, data.splits.query)["global"]
        gallery = extract_records(trainer, pl_module, data.splits.gallery)["global"]
        scores, error = None, None
        if distributed.rank() == 0:
            try:
                scores, self.precisions = score_queries(query, gallery, data.splits)
                self.answers = first_answers(query, gallery, data)
            except Exception as problem:
                error = problem
        distributed.raise_together(error)
        scores = distributed.broadcast_object(scores)
        assert scores is not None
        pl_module.settings["threshold"] = scores.get("threshold")
        self.history.append({"epoch": float(finished)} | scores)
        return scores


def can_evaluate(data: ReIDDataModule) -> bool:
    """Whether the data has labelled queries and a gallery."""
    return bool(data.splits.query and data.splits.gallery)


def calibrate_on_labels(trainer: pl.Trainer, module: pl.LightningModule) -> None:
    """Put a threshold into the checkpoint that agrees with the pseudo-labels, if there are any."""
    assert isinstance(module, Method)
    if module.labels is None:
        return
    data = datamodule_of(trainer)
    rows = extract_records(trainer, module, data.splits.train)["global"]
    module.settings["threshold"] = label_threshold(rows, module.labels.labels, data.cameras)


def first_answers(
    query: Tensor, gallery: Tensor, data: ReIDDataModule, queries: int = 8, top: int = 10
) -> Answers:
    """The nearest gallery images of evenly spaced queries, as the protocol ranks them."""
    asked = torch.linspace(0, len(query) - 1, min(queries, len(query))).long()
    identity, camera = truth(data.splits.query)
    gallery_identity, gallery_camera = truth(data.splits.gallery)
    distances = 1 - (query[asked.to(query.device)] @ gallery.T).cpu()
    same = (identity[asked, None] == gallery_identity) & (camera[asked, None] == gallery_camera)
    distances[same & (gallery_camera >= 0)] = torch.inf
    nearest = distances.topk(min(top, len(gallery)), largest=False)
    return Answers(asked, nearest.indices, nearest.values)
