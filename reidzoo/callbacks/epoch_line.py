"""One plain line per epoch, and each stage's share of the time."""

import math
import sys
import time

import pytorch_lightning as pl

from reidzoo.callbacks.reporting import ReportingCallback, epoch_report

SHOWN = {  # figure -> how it reads in the line
    "cluster/count": "clusters {:.0f}",
    "cluster/outlier_share": "outliers {:.0%}",
    "cluster/stability": "stability {:.2f}",
    "cluster/ari": "ARI {:.2f}",
    "val/mAP": "mAP {:.1%}",
    "val/cmc1": "R1 {:.1%}",
}


class EpochLine(ReportingCallback):
    """Logs time/epoch, time/train and share/*, and prints one line; comes after all it sums up.

    Args:
        line: print to standard output, for runs without a progress bar.
    """

    def __init__(self, *, line: bool = True) -> None:
        super().__init__()
        self.line = line
        self._started = time.perf_counter()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Start the clock of the first epoch, its refresh included."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sum up what the other callbacks report of this epoch."""
        self.report = {}
        figures = epoch_report(trainer)
        now = time.perf_counter()
        total, self._started = now - self._started, now
        seconds = {key[5:]: value for key, value in figures.items() if key.startswith("time/")}
        seconds["train"] = max(0.0, total - sum(seconds.values()))
        self.report = {"time/epoch": total, "time/train": seconds["train"]}
        self.report |= {f"share/{name}": value / total for name, value in seconds.items()}
        super().on_train_epoch_end(trainer, pl_module)
        if self.line and trainer.is_global_zero:
            loss = float(trainer.callback_metrics.get("loss", math.nan))
            shown = [text.format(figures[key]) for key, text in SHOWN.items() if key in figures]
            head = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  loss {loss:.3f}"
            sys.stdout.write("  ".join([head, *shown, f"{total:.1f} s"]) + "\n")
            sys.stdout.flush()
