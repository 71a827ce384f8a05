"""The processes of a run as Lightning handles them, and where reidzoo does it otherwise."""

import signal
import threading
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from reidzoo.cli.errors import TERMINATED, Terminated


class StopCleanly(pl.Callback):
    """SIGTERM ends the run in the main thread: files closed, all processes told, exit code 143.

    At once, not after the step: only whole epochs are kept, so that the rest of a step is lost
    like the epoch, and a scheduler kills what is not gone after its grace time. Lightning's own
    handler waits for the end of a step, and with several processes enters a collective from
    inside the handler, where another one may be under way.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """From here on, through the first clustering."""
        self._install(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Again, now that Lightning has installed its handler."""
        self._install(trainer)

    def _install(self, trainer: pl.Trainer) -> None:
        def stop(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            for process in started_by(trainer):
                process.send_signal(signal.SIGTERM)
            raise Terminated(TERMINATED)

        signal.signal(signal.SIGTERM, stop)


def without_requeueing(plugins: list[Any]) -> list[Any]:
    """In a SLURM job, Lightning's environment without its own way of requeueing.

    At SIGUSR1 that would write a checkpoint in the middle of an epoch, and prefer it to `last.ckpt`
    at the next start. Here SIGTERM ends a run, with exit code 143, and the job script requeues it.
    """
    given = any(isinstance(plugin, ClusterEnvironment) for plugin in plugins)
    if given or not SLURMEnvironment.detect():
        return plugins
    return [*plugins, SLURMEnvironment(auto_requeue=False)]


def started_by(trainer: pl.Trainer) -> list[Any]:
    """The processes that Lightning has started for the other devices; none under torchrun."""
    return getattr(trainer.strategy.launcher, "procs", [])


def disarm_observer() -> None:
    """Lightning kills everybody, rank 0 included, up to 5 s after a process of its has ended.

    That comes without a word and with another exit code.
    """
    for thread in threading.enumerate():
        if thread.name == "child-process-observer":
            thread._child_processes = []  # type: ignore[attr-defined]
