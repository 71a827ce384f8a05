"""What a run leaves in its folder beside the checkpoints: results, pseudo-labels, pictures."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray

from reidzoo.callbacks.cluster import ClusterCallback
from reidzoo.callbacks.evaluation import EvaluationCallback
from reidzoo.callbacks.reporting import epoch_report
from reidzoo.callbacks.rooms import datamodule_of, find
from reidzoo.callbacks.selection import Candidate
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.files import write_text, written_whole
from reidzoo.gallery.answers import Answers
from reidzoo.methods.base import Method
from reidzoo.methods.state import PseudoLabels


class RunFiles(pl.Callback):
    """Writes results.json and pseudo_labels.csv after every epoch, the rest in the last one.

    The rest: queries.csv, each query and its average precision in the last evaluation;
    ranked_lists.png, what the model finds; clusters.png, what the clusters hold.

    After an evaluation also ap.npy: the average precision of each query, in the order of
    `splits.query`, by which two runs are compared query by query.

    Args:
        folder: the run folder; it must exist.
        stamp: results -> the protocol under which they were made, kept beside them.
    """

    def __init__(
        self, folder: str | Path, stamp: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    ) -> None:
        self.folder, self.stamp = Path(folder), stamp
        self.seconds: dict[str, float] = {}
        self._drawn = False

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Results so far; a run that is killed has those of its last whole epoch."""
        figures = epoch_report(trainer)
        for key in (key for key in figures if key.startswith("time/")):
            self.seconds[key[5:]] = self.seconds.get(key[5:], 0.0) + figures[key]
        if not trainer.is_global_zero:
            return
        evaluation, clustering = find(trainer, EvaluationCallback), find(trainer, ClusterCallback)
        results: dict[str, Any] = {"epochs": trainer.current_epoch + 1}
        assert isinstance(pl_module, Method)
        if pl_module.labels_from is not None:
            results["labels_from"] = pl_module.labels_from
        results["tested_on"] = describe_test(datamodule_of(trainer))
        results["selection"] = "last"  # the epoch that counts; the others stand beside it
        results["evaluations"] = len(evaluation.history)
        results |= summarise(evaluation.history, evaluation.chosen)
        results["cluster"] = {
            key[8:]: value for key, value in figures.items() if key.startswith("cluster/")
        }
        results["threshold"] = pl_module.settings.get("threshold")
        results["seconds"] = self.seconds
        if self.stamp is not None:
            results["protocol"] = self.stamp(results)
        if evaluation.precisions is not None:
            with written_whole(self.folder / "ap.npy") as temporary:
                np.save(temporary, evaluation.precisions)
        write_text(self.folder / "results.json", json.dumps(results, indent=2) + "\n")
        labels = clustering.labels
        if labels is not None:
            write_labels(self.folder / "pseudo_labels.csv", labels, datamodule_of(trainer))
            if clustering.keep_labels and clustering.refreshed:
                kept = self.folder / "pseudo_labels" / f"epoch_{results['epochs']:03d}.csv"
                kept.parent.mkdir(exist_ok=True)
                write_labels(kept, labels, datamodule_of(trainer))
        if results["epochs"] == trainer.max_epochs:  # before the checkpoint that ends the run
            self._draw(trainer)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that ends sooner than its epochs (max_time, early stopping) has all files, too."""
        if trainer.is_global_zero and not self._drawn:
            self._draw(trainer)

    def _draw(self, trainer: pl.Trainer) -> None:
        """Write what the model finds, and what the clusters hold."""
        self._drawn = True
        data, evaluation = datamodule_of(trainer), find(trainer, EvaluationCallback)
        if evaluation.precisions is not None:
            write_queries(self.folder / "queries.csv", evaluation.precisions, data)
        if evaluation.answers is not None:
            draw_answers(self.folder / "ranked_lists.png", evaluation.answers, data)
        labels = find(trainer, ClusterCallback).labels
        if labels is not None and labels.num_clusters > 0:
            draw_clusters(self.folder / "clusters.png", labels, data)

    def state_dict(self) -> dict[str, Any]:
        """Seconds spent so far, over all resumes."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting."""
        self.seconds = dict(state_dict["seconds"])


def describe_test(data: ReIDDataModule) -> str:
    """What the scores were measured on; runs that differ here cannot be compared."""
    query, gallery = len(data.splits.query), len(data.splits.gallery)
    return f"{data.splits.edition}: {query} queries, {gallery} gallery images".removeprefix(": ")


def summarise(
    history: list[dict[str, float]], chosen: Candidate | None = None
) -> dict[str, dict[str, float]]:
    """Untrained, last and best figures of a run, side by side; best is chosen on the test set.

    `label_free` are those of the epoch that was chosen without identities, and its score; only the
    score where that epoch was not evaluated.

    >>> first, second = {"epoch": 2.0, "mAP": 0.5}, {"epoch": 4.0, "mAP": 0.4}
    >>> summarise([{"epoch": 0.0, "mAP": 0.1}, first, second])["best"]
    {'epoch': 2.0, 'mAP': 0.5}
    """
    summary = {}
    if history and history[0]["epoch"] == 0:
        summary["untrained"] = history[0]
    trained = [scores for scores in history if scores["epoch"] > 0]
    if trained:
        summary["last"] = trained[-1]
        summary["best"] = max(trained, key=lambda scores: scores["mAP"])
    if chosen is not None:
        same = (scores for scores in trained if scores["epoch"] == chosen["epoch"])
        summary["label_free"] = next(same, {}) | chosen
    return summary


def write_labels(path: Path, labels: PseudoLabels, data: ReIDDataModule) -> None:
    """One row per training image: path, pseudo-label (-1 outlier), camera (-1 unknown).

    Whole numbers that the method keeps for every image (CALR's local labels) are further columns.
    """
    more = {
        name: table.tolist()
        for name, table in labels.tables.items()
        if table.shape == labels.labels.shape and table.dtype == torch.int64
    }
    with written_whole(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "camera", *more])
        columns = labels.labels.tolist(), *more.values()
        for record, label, *rest in zip(data.splits.train, *columns, strict=True):
            writer.writerow([record.path, label, record.camera, *rest])


def write_queries(path: Path, precisions: NDArray[np.float64], data: ReIDDataModule) -> None:
    """One row per query: path, identity, camera, average precision (empty: nothing to find)."""
    with written_whole(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "identity", "camera", "ap"])
        for record, precision in zip(data.splits.query, precisions.tolist(), strict=True):
            known = "" if np.isnan(precision) else f"{precision:.6f}"
            writer.writerow([record.path, record.identity, record.camera, known])


def draw_answers(path: Path, answers: Answers, data: ReIDDataModule) -> None:
    """Ranked lists of a few queries, right answers framed in green, wrong ones in red."""
    from reidzoo.visual import ranked_lists, save_sheet  # drawing is needed once, at the end

    sheet = ranked_lists(
        [data.splits.query[i] for i in answers.queries.tolist()],
        [[data.splits.gallery[i] for i in row] for row in answers.gallery.tolist()],
        answers.distances.tolist(),
    )
    save_sheet(sheet, path)


def draw_clusters(path: Path, labels: PseudoLabels, data: ReIDDataModule) -> None:
    """Some clusters, from the purest to the most mixed."""
    from reidzoo.visual import cluster_sheet, save_sheet

    save_sheet(cluster_sheet(data.splits.train, labels.labels.cpu()), path)
