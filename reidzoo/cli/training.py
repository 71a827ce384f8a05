"""The Trainer as every run has it: callbacks, checkpoints, signals, and less noise."""

import logging
import sys
import warnings
from typing import Any

import pytorch_lightning as pl
from jsonargparse import Namespace
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import DDPStrategy

from reidzoo.callbacks import EpochLine, RunFiles
from reidzoo.cli.card import Card
from reidzoo.cli.checkpoints import AtomicCheckpoints, checkpoints
from reidzoo.cli.endings import EndTogether
from reidzoo.cli.processes import StopCleanly, without_requeueing
from reidzoo.errors import UserError


def make_trainer(
    settings: Namespace, files: RunFiles, card: Card, loggers: list[Logger], together: EndTogether
) -> pl.Trainer:
    """A Trainer with the user's options, the framework's fixed ones, and all callbacks."""
    options = settings.trainer.as_dict()
    bar = options.pop("enable_progress_bar")
    bar = sys.stdout.isatty() if bar is None else bar
    plugins = options.pop("plugins") or []
    plugins = without_requeueing(plugins if isinstance(plugins, list) else [plugins])
    own = options.pop("callbacks") or []
    trainer = build(
        **options,
        enable_progress_bar=bar,
        logger=loggers,
        default_root_dir=files.folder,
        plugins=[*plugins, AtomicCheckpoints()],
        callbacks=[
            *(own if isinstance(own, list) else [own]),
            together,
            StopCleanly(),
            settings.guard,
            settings.cluster,
            settings.evaluate,
            EpochLine(line=not bar),
            files,
            card,
            *checkpoints(files.folder / "checkpoints"),
        ],
        reload_dataloaders_every_n_epochs=0,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    if isinstance(trainer.strategy, DDPStrategy):  # memories move alike on all ranks by themselves
        trainer.strategy._ddp_kwargs.setdefault("broadcast_buffers", False)
    return trainer


def build(**options: Any) -> pl.Trainer:
    """A Trainer; what it refuses is the user's mistake."""
    try:
        return pl.Trainer(**options)
    except (ValueError, TypeError, MisconfigurationException) as error:
        raise UserError(f"--trainer: {error}") from error


def mute() -> None:
    """Silence what Lightning tells beginners (tips, GPU lines, worker counts)."""
    for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for module in ("pytorch_lightning", "lightning_fabric", "torch.optim.lr_scheduler"):
        warnings.filterwarnings("ignore", module=rf"{module}.*")
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
