"""What callbacks take from the trainer: the data module, and features of any of its images."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytorch_lightning as pl
from torch import Tensor

from reidzoo import distributed
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.records import Record
from reidzoo.errors import UserError
from reidzoo.methods.base import Batch, Method
from reidzoo.models.extraction import evaluating, extract, shard

Kind = TypeVar("Kind", bound=pl.Callback)


def find(trainer: pl.Trainer, kind: type[Kind]) -> Kind:
    """The trainer's callback of a kind."""
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next(callback for callback in callbacks if isinstance(callback, kind))


def datamodule_of(trainer: pl.Trainer) -> ReIDDataModule:
    """The data module of a running fit."""
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, ReIDDataModule):
        raise UserError("reidzoo's callbacks need trainer.fit(method, datamodule=...)")
    return data


def extract_records(
    trainer: pl.Trainer,
    method: Method,
    records: Sequence[Record],
    embed: Callable[[Tensor], Batch] | None = None,
) -> dict[str, Tensor]:
    """Features of `records` in evaluation mode and the trainer's precision, on every rank.

    Args:
        trainer: of the fit under way.
        method: whose features.
        records: of what.
        embed: maps images to named rows; the method's own `embed` if None.

    Returns:
        name -> [N, ...] fp32 in the order of `records`, on the method's device.
    """
    distributed.broadcast_buffers(method)
    loader = datamodule_of(trainer).plain_loader(records, shard(len(records)))
    with evaluating(method), trainer.precision_plugin.forward_context():
        return extract(embed or method.embed, loader, len(records), method.device)
