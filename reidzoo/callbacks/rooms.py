"""What callbacks take from the trainer: the data module, and features of any of its images."""

from collections.abc import Sequence

import pytorch_lightning as pl
from torch import Tensor

from reidzoo import distributed
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.records import Record
from reidzoo.errors import UserError
from reidzoo.methods.base import Method
from reidzoo.models.extraction import evaluating, extract, shard


def datamodule_of(trainer: pl.Trainer) -> ReIDDataModule:
    """The data module of a running fit."""
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, ReIDDataModule):
        raise UserError("reidzoo's callbacks need trainer.fit(method, datamodule=...)")
    return data


def extract_records(
    trainer: pl.Trainer, method: Method, records: Sequence[Record]
) -> dict[str, Tensor]:
    """Features of `records` in evaluation mode and the trainer's precision, on every rank.

    Returns:
        name -> [N, ...] fp32 in the order of `records`, on the method's device.
    """
    distributed.broadcast_buffers(method)
    loader = datamodule_of(trainer).plain_loader(records, shard(len(records)))
    with evaluating(method), trainer.precision_plugin.forward_context():
        return extract(method.embed, loader, len(records), method.device)
