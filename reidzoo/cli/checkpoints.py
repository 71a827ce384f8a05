"""The checkpoints of a run: whole files, of whole epochs, in an order that a kill cannot harm."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins import TorchCheckpointIO

from reidzoo.callbacks import EvaluationCallback
from reidzoo.callbacks.rooms import find
from reidzoo.cli.metrics_file import MetricsFile
from reidzoo.files import written_whole

MONITOR = "val/mAP"


class AtomicCheckpoints(TorchCheckpointIO):
    """A checkpoint is written beside its place and moved there: never half a file."""

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        """Write, flush to the disk, rename."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)


class BestCheckpoint(ModelCheckpoint):
    """Keeps best.ckpt, the best epoch by test mAP; nothing before the first evaluation."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Data without query and gallery are never evaluated."""
        if MONITOR in trainer.callback_metrics:
            super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Remember the best epoch also where the run folder has been moved since.

        Lightning leaves out the score of the file, which then differed in the next last.ckpt.
        """
        old, here = str(state_dict["dirpath"]), str(self.dirpath)
        if Path(here, "best.ckpt").is_file():
            state_dict = {name: _moved(value, old, here) for name, value in state_dict.items()}
        super().load_state_dict(state_dict)
        self.current_score = state_dict["current_score"]


class LabelFreeCheckpoint(ModelCheckpoint):
    """Keeps label_free.ckpt, the epoch chosen by `--evaluate.selection`."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save an epoch that has just been chosen."""
        chosen = find(trainer, EvaluationCallback).chosen
        if chosen is not None and chosen["epoch"] == trainer.current_epoch + 1:
            super().on_train_epoch_end(trainer, pl_module)


class LastCheckpoint(ModelCheckpoint):
    """Keeps last.ckpt: once it is there, its epoch will not be computed again."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """First the epoch's row in metrics.csv, which Lightning would log after the checkpoint."""
        figures = {
            name: float(value) for name, value in trainer._logger_connector.metrics["log"].items()
        }
        for logger in trainer.loggers:
            if isinstance(logger, MetricsFile):
                step = trainer.fit_loop.epoch_loop._batches_that_stepped - 1
                logger.log_metrics(figures | {"epoch": trainer.current_epoch}, step)
                logger.write()
        super().on_train_epoch_end(trainer, pl_module)


def _moved(value: Any, old: str, here: str) -> Any:
    if isinstance(value, dict):
        return {_moved(path, old, here): score for path, score in value.items()}
    return here + value.removeprefix(old) if isinstance(value, str) and old in value else value


def checkpoints(folder: Path) -> list[ModelCheckpoint]:
    """best.ckpt, label_free.ckpt and last.ckpt, at ends of epochs only.

    Several callbacks: a monitored one with `save_last` leaves last.ckpt at the best epoch. The last
    comes last: it knows then which epochs were chosen, and a run that is killed between two files
    repeats the epoch, and all of them.
    """
    common: dict[str, Any] = {
        "dirpath": folder,
        "save_top_k": 1,
        "every_n_epochs": 1,
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    return [
        BestCheckpoint(filename="best", monitor=MONITOR, mode="max", **common),
        LabelFreeCheckpoint(filename="label_free", **common),
        LastCheckpoint(filename="last", **common),
    ]
