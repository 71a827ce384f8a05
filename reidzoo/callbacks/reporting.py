"""Callbacks that have figures to report once per epoch."""

import pytorch_lightning as pl


class ReportingCallback(pl.Callback):
    """`report` holds the figures of the current epoch; they are logged when it ends."""

    def __init__(self) -> None:
        self.report: dict[str, float] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log this epoch's figures under their fixed names."""
        pl_module.log_dict(self.report)


def epoch_report(trainer: pl.Trainer) -> dict[str, float]:
    """The figures of this epoch from all callbacks; `callback_metrics` also holds older ones."""
    joined: dict[str, float] = {}
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, ReportingCallback):
            joined |= callback.report
    return joined
