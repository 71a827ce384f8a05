"""Retrieval on query and gallery while training, sharded over ranks like the extraction."""

import math
import time
from typing import Any

import numpy as np
import pytorch_lightning as pl
from numpy.typing import NDArray

from reidzoo import distributed
from reidzoo.callbacks.cluster import ClusterCallback, as_method
from reidzoo.callbacks.reporting import ReportingCallback, epoch_report
from reidzoo.callbacks.rooms import datamodule_of, extract_records, find
from reidzoo.callbacks.selection import Candidate, Selection, check_selection, choose
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.errors import UserError
from reidzoo.gallery.answers import Answers, evenly, first_answers
from reidzoo.gallery.calibration import label_threshold
from reidzoo.gallery.scoring import score_queries
from reidzoo.methods.base import Method

SHOWN = 8  # queries whose ranked lists are kept


class EvaluationCallback(ReportingCallback):
    """Logs val/mAP, val/mINP, val/cmc1, val/cmc5, val/cmc10, val/threshold and time/evaluate.

    A method that judges more than its embedding (a teacher's rows) has val/<name>_mAP as well.
    The threshold goes into the checkpoint; where no identities are known, the pseudo-labels of the
    last epoch give one at the end. Nothing is chosen by these figures except `best.ckpt`, and the
    best epoch on the test set is always reported as such, beside the last one.

    Args:
        every: epochs between two evaluations; the last epoch is always evaluated, 0 means only
            then.
        untrained: also evaluate the network before training, as a reference line.
        selection: keep one epoch as label_free.ckpt, chosen without identities: the one whose
            labels have the highest silhouette, or the highest stability (ARI with the labels
            before). Evaluated epochs compete, or all of them where none but the last is evaluated.
            The last epoch stays the headline.
    """

    def __init__(
        self, *, every: int = 10, untrained: bool = True, selection: Selection = "last"
    ) -> None:
        if every < 0:
            raise UserError(f"--evaluate.every {every}: must be 0 (only at the end) or more")
        super().__init__()
        self.every, self.untrained, self.selection = every, untrained, selection
        self.history: list[dict[str, float]] = []  # "epoch" counts finished epochs, 0 = untrained
        self.candidates: list[Candidate] = []
        self.score = math.nan  # of the labels under training, by `selection`
        self.answers: Answers | None = None
        self.precisions: NDArray[np.float64] | None = None  # AP of each query [Q], on rank 0

    @property
    def chosen(self) -> Candidate | None:
        """The epoch chosen without identities so far."""
        return choose(self.candidates, self.selection)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a selection that the method cannot serve, before anything is computed."""
        if self.selection != "last":
            method, clustering = as_method(pl_module), find(trainer, ClusterCallback)
            given = clustering.oracle or method.labels_from is not None
            check_selection(self.selection, method, given)

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
        if self.selection != "last":
            self._judge(trainer, finished, due)
        super().on_train_epoch_end(trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The figures of all evaluations so far, and of what may be chosen without them."""
        return {"history": self.history, "candidates": self.candidates, "score": self.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the lists of figures; checkpoints of earlier versions have no candidates."""
        self.history = list(state_dict["history"])
        self.candidates = list(state_dict.get("candidates", []))
        self.score = state_dict.get("score", math.nan)

    def _judge(self, trainer: pl.Trainer, finished: int, due: bool) -> None:
        """Let this epoch compete if it may and its labels have a score."""
        figures = epoch_report(trainer)  # without a refresh the score of the labels stays
        score = figures.get(f"cluster/{self.selection}", self.score)
        self.score = distributed.broadcast_object(score)  # one choice, whatever ranks round to
        sparse = self.every > 0 and can_evaluate(datamodule_of(trainer))
        if (due or not sparse) and not math.isnan(self.score):
            self.candidates.append({"epoch": float(finished), self.selection: self.score})

    def _evaluate(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, finished: int
    ) -> dict[str, float]:
        assert isinstance(pl_module, Method)
        data = datamodule_of(trainer)
        queries, galleries = (
            extract_records(trainer, pl_module, records, pl_module.judge)
            for records in (data.splits.query, data.splits.gallery)
        )

        def compute() -> dict[str, float]:
            query, gallery = queries.pop("global"), galleries.pop("global")
            scores, self.precisions = score_queries(query, gallery, data.splits)
            asked = evenly(len(query), SHOWN)
            self.answers = first_answers(query, gallery, data.splits, asked)
            for name in queries:
                beside, _ = score_queries(queries[name], galleries[name], data.splits)
                scores[f"{name}_mAP"] = beside["mAP"]
            return scores

        scores = distributed.on_rank_zero(compute)
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
