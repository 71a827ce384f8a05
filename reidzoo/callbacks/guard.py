"""Numbers that went wrong: noticed, named, and never trained on in silence."""

import logging
from collections.abc import Iterator
from typing import Literal

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from reidzoo import distributed
from reidzoo.callbacks.cluster import as_method
from reidzoo.callbacks.reporting import ReportingCallback
from reidzoo.errors import UserError
from reidzoo.methods.soundness import unsound_tensor

log = logging.getLogger(__name__)

LOOK_EVERY = 50  # steps between two looks at the device when a bad step ends the run
ADVICE = (
    "lower --method.optimization.lr, set --trainer.gradient_clip_val 1.0 or use "
    "--trainer.precision bf16-mixed instead of 16-mixed, then --resume auto: the last good epoch "
    "is kept"
)


class Guard(ReportingCallback):
    """Ends the run, or leaves a step out, when its numbers are not finite.

    At the end of every epoch weights, statistics and memories are looked at as well, so that
    `last.ckpt` never holds broken ones. Labels that cannot be used are `ClusterCallback`'s affair.

    Args:
        steps: what becomes of a step whose loss or gradient is not finite. "stop" ends the run
            within 50 steps and costs nothing; "skip" leaves the step out on all processes alike
            (no optimiser step, no memory update, batch-norm statistics as before), for which each
            step waits for the GPU once.
        patience: so many skipped steps in a row end the run all the same.
    """

    def __init__(self, *, steps: Literal["stop", "skip"] = "stop", patience: int = 10) -> None:
        if patience < 1:
            raise UserError(f"--guard.patience {patience}: must be 1 or more steps")
        super().__init__()
        self.steps, self.patience = steps, patience
        self.skipped = 0  # steps of this epoch
        self._in_a_row = 0
        self._bad = torch.zeros((), dtype=torch.bool)  # whether this rank has seen a bad loss
        self._statistics: list[Tensor] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to count."""
        self.skipped = 0
        self._bad = torch.zeros((), dtype=torch.bool, device=pl_module.device)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, batch_idx: int
    ) -> None:
        """Remember what the forward pass is going to move."""
        if self.steps == "skip":
            self._statistics = [buffer.clone() for buffer in statistics(pl_module)]

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        """Note a bad loss on the device; nobody waits for it."""
        self._bad = self._bad | ~loss.detach().isfinite()

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave a bad step out before the memories and the optimiser see it."""
        if self.steps == "stop":
            return
        # 16-mixed scales gradients until they overflow: its scaler leaves such steps out itself.
        scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
        bad = self._bad if scaled else self._bad | ~gradient_norm(pl_module).isfinite()
        self._bad = torch.zeros_like(bad)
        if not on_any_rank(bad):
            self._in_a_row = 0
            return
        self.skipped += 1
        self._in_a_row += 1
        place = f"step {trainer.fit_loop.batch_idx + 1} of epoch {trainer.current_epoch + 1}"
        if self._in_a_row >= self.patience:
            raise UserError.everywhere(
                f"--guard.patience {self.patience}: loss or gradient was not finite in as many "
                f"steps in a row, up to {place}; {ADVICE}"
            )
        if trainer.is_global_zero:
            log.warning("%s is left out: its loss or gradient is not finite", place)
        as_method(pl_module).forget_step()
        for buffer, kept in zip(statistics(pl_module), self._statistics, strict=True):
            buffer.copy_(kept)
        if not scaled:
            pl_module.zero_grad(set_to_none=True)  # the optimiser passes by what has no gradient

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Look now and then whether a loss was bad: an epoch may take hours."""
        if self.steps == "stop" and (batch_idx + 1) % LOOK_EVERY == 0:
            self._stop_if_bad(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at everything that the checkpoint is going to hold."""
        self._stop_if_bad(trainer)
        fault = unsound_tensor(pl_module)
        if fault:
            raise UserError.everywhere(
                f"{fault}, at the end of epoch {trainer.current_epoch + 1}; {ADVICE}"
            )
        self.report = {"guard/skipped": float(self.skipped)} if self.steps == "skip" else {}
        super().on_train_epoch_end(trainer, pl_module)

    def _stop_if_bad(self, trainer: pl.Trainer) -> None:
        if on_any_rank(self._bad):
            raise UserError.everywhere(
                f"the loss became infinite or NaN in epoch {trainer.current_epoch + 1}; {ADVICE}. "
                "--guard.steps skip would leave single bad steps out"
            )


def on_any_rank(flag: Tensor) -> bool:
    """Whether a flag (bool scalar) is set on one rank or more: the same answer on every rank."""
    return bool(distributed.gather(flag[None]).any())


def statistics(module: torch.nn.Module) -> Iterator[Tensor]:
    """The running statistics of all batch norms, which move in a forward pass."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            yield from part.buffers(recurse=False)


def gradient_norm(module: torch.nn.Module) -> Tensor:
    """Norm of all gradients together, a scalar on their device.

    >>> layer = torch.nn.Linear(2, 1)
    >>> layer(torch.tensor([3.0, 4.0])).backward()
    >>> gradient_norm(layer)
    tensor(5.0990)
    """
    gradients = [value.grad for value in module.parameters() if value.grad is not None]
    return torch.nn.utils.get_total_norm(gradients)
