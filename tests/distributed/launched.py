"""Run by torchrun in two processes: all methods in one launch, since starting takes the time."""

import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from reidzoo import distributed
from reidzoo.callbacks import ClusterCallback, Guard
from reidzoo.cli.names import methods
from reidzoo.errors import UserError
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.cluster_contrast import ClusterContrast
from reidzoo.models.extraction import extract, shard
from tests.tiny import fit, tiny_data

WORLD = {"trainer_devices": 2, "trainer_strategy": "ddp"}
EPOCHS = 2
# Training amplifies a rounding error of fp32 a thousandfold within ten steps; fp64 shows whether
# two processes compute the same thing.
EXACT = {"trainer_precision": "64-true"}
RUNS: dict[str, tuple[type[Method], dict[str, Any]]] = {
    name: (entry.load(), {"data_batches": 5}) for name, entry in sorted(methods().items())
} | {"jcl with waves": (methods()["jcl"].load(), {"data_batches": 5, "method_waveblock": True})}


def check_gathering() -> None:
    """Means over groups or weights, and `gather_with_gradient`, equal one process."""
    rank = distributed.rank()
    values = torch.arange(4.0, requires_grad=True)
    weights = torch.tensor([1.0, 0.0, 2.0, 1.0])
    mine = values[2 * rank : 2 * rank + 2]
    mean = distributed.weighted_mean(mine, weights[2 * rank : 2 * rank + 2])
    both = distributed.gather(mean.detach()[None]).mean()
    assert torch.isclose(both, (weights * values).sum() / weights.sum())
    groups = torch.tensor([5, 0, 5, 5])  # of values 0, 1, 2, 3
    mean = distributed.sum_of_means(mine, groups[2 * rank : 2 * rank + 2])
    assert torch.isclose(distributed.gather(mean.detach()[None]).mean(), torch.tensor(1 + 5 / 3))

    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    local = rows[2 * rank : 2 * rank + 2].clone().requires_grad_()
    joined = distributed.gather_with_gradient(local)
    loss = (joined @ joined.T)[2 * rank : 2 * rank + 2].square().mean()
    loss.backward()
    whole = rows.clone().requires_grad_()
    (whole @ whole.T).square().mean().backward()
    assert local.grad is not None
    assert whole.grad is not None
    mean_over_ranks = local.grad / 2  # as DDP averages
    torch.testing.assert_close(mean_over_ranks, whole.grad[2 * rank : 2 * rank + 2])


class BadOnOneRank(ClusterContrast):
    """The loss of rank 1 is NaN in the second step."""

    updates = 0

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        terms = super().compute_loss(out, batch)
        if distributed.rank() == 1 and self.trainer.fit_loop.batch_idx == 1:
            terms["cluster"] = terms["cluster"] * torch.nan
        return terms

    def update(self, out: Batch, batch: Batch) -> None:
        super().update(out, batch)
        self.updates += 1


def check_skipping(folder: Path) -> None:
    """A step that went wrong on one rank is left out on both."""
    callbacks = [Guard(steps="skip"), ClusterCallback()]
    method, _ = fit(BadOnOneRank, folder, 1, data_batches=3, trainer_callbacks=callbacks, **WORLD)
    assert isinstance(method, BadOnOneRank)
    assert method.updates == 2
    for name, value in method.state_dict().items():
        one, two = distributed.gather(value[None])
        assert torch.equal(one, two), name
        assert value.isfinite().all(), name


def check_waiting() -> None:
    """Rank 0 may compute for longer than a collective may last, and its error reaches everybody."""
    # As a time-out of a new group it would also limit the making of that group.
    torch.distributed.set_timeout(timedelta(seconds=5), None)
    assert distributed.on_rank_zero(lambda: time.sleep(8) or "found") == "found"

    def fail() -> None:
        raise UserError("eps is too low")

    with pytest.raises(UserError, match="eps is too low"):
        distributed.on_rank_zero(fail)
    # The plain way does not survive this; nothing can be sent afterwards.
    if distributed.rank() == 0:
        time.sleep(8)
    else:
        with pytest.raises(RuntimeError, match=r"[Tt]imed out|[Tt]imeout"):
            distributed.broadcast_object("late")


def check_uneven_extraction() -> None:
    """Seven images on two ranks come back in index order, on both."""
    data = tiny_data()
    data.prepare_data()
    data.setup("fit")
    records = data.splits.train[:7]
    loader = data.plain_loader(records, shard(7))
    device = torch.device("cpu")
    found = extract(lambda image: {"sum": image.double().mean((1, 2, 3))}, loader, 7, device)
    alone = data.plain_loader(records, range(7))
    means = [batch["image"].double().mean((1, 2, 3)) for batch in alone]
    assert torch.equal(found["sum"], torch.cat(means).float())


class KeepHalf(pl.Callback):
    """Keeps the checkpoint of the first epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)


def main(folder: Path) -> None:
    for name, (kind, options) in RUNS.items():
        train(folder, name, kind, options | WORLD)
    mixed, _ = fit(ClusterContrast, folder, 1, **WORLD, trainer_precision="bf16-mixed")
    save(mixed, folder / "bf16")
    check_gathering()
    check_skipping(folder)
    check_uneven_extraction()
    check_waiting()


def train(folder: Path, name: str, kind: type[Method], options: dict[str, Any]) -> None:
    """A whole run, one resumed after its first epoch, and one to compare with one process."""
    half = folder / f"{name}_half.ckpt"
    callbacks = [ClusterCallback(), KeepHalf(half)]
    whole, _ = fit(kind, folder, EPOCHS, trainer_callbacks=callbacks, **options)
    save(whole, folder / f"{name}_whole")
    callbacks = [ClusterCallback()]
    resumed, _ = fit(kind, folder, EPOCHS, trainer_callbacks=callbacks, resume=half, **options)
    save(resumed, folder / f"{name}_resumed")
    callbacks = [ClusterCallback()]
    exact, _ = fit(kind, folder, EPOCHS, trainer_callbacks=callbacks, **options, **EXACT)
    save(exact, folder / f"{name}_exact")


def save(method: Method, path: Path) -> None:
    """Weights, statistics, memories, labels and the last loss."""
    labels = None if method.labels is None else method.labels.labels
    loss = method.trainer.callback_metrics["loss"]
    saved = {"state": method.state_dict(), "labels": labels, "loss": loss}
    torch.save(saved, f"{path}_{distributed.rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
