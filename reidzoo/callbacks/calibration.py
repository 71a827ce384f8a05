"""Batch-norm statistics for a network of random weights, before its first extraction."""

import pytorch_lightning as pl
import torch

from reidzoo import distributed
from reidzoo.callbacks.rooms import datamodule_of
from reidzoo.methods.base import Method
from reidzoo.models import calibrate_batch_norm

IMAGES = 512  # that set the statistics


def calibrate(trainer: pl.Trainer, method: Method) -> None:
    """Give a network of random weights batch-norm statistics before its first extraction."""
    if not is_untrained(method):
        return
    data = datamodule_of(trainer)
    records = data.splits.train
    chosen = torch.linspace(0, len(records) - 1, min(len(records), IMAGES)).long().tolist()
    loader = data.plain_loader(records, chosen)
    images = torch.cat([batch["image"] for batch in loader])
    rows = data.batch_size * method.views // distributed.world_size()
    group = method.network_options.samples_per_bn or rows
    batches = torch.split(images, group)  # as many as share their statistics in training
    calibrate_batch_norm(method.network, (batch.to(method.device) for batch in batches))


def is_untrained(method: Method) -> bool:
    """Whether the weights are random and batch norm has never seen a batch."""
    counters = (
        buffer
        for name, buffer in method.network.named_buffers()
        if name.endswith("num_batches_tracked")
    )
    return method.network_options.weights is None and not any(map(bool, counters))
