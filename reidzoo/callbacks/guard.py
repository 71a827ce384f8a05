"""Stop a run whose numbers went wrong, before its checkpoint replaces a good one."""

import math

import pytorch_lightning as pl

from reidzoo.errors import UserError


class FiniteLoss(pl.Callback):
    """Ends the run when an epoch's loss is not finite; `last.ckpt` stays at the epoch before."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the mean loss, which one bad step makes NaN or infinite."""
        loss = float(trainer.callback_metrics.get("loss", 0.0))
        if not math.isfinite(loss):
            raise UserError(
                f"the loss became {loss} in epoch {trainer.current_epoch + 1}; the last good epoch "
                "is kept. Lower --method.optimization.lr, set --trainer.gradient_clip_val 1.0 or "
                "use --trainer.precision bf16-mixed instead of 16-mixed, then --resume auto"
            )
