"""Run by torchrun in two processes: all methods in one launch, since starting takes the time."""

import sys
from pathlib import Path

import torch

from reidzoo import distributed
from reidzoo.callbacks import ClusterCallback, Guard
from reidzoo.cli.names import methods
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.cluster_contrast import ClusterContrast
from tests.tiny import fit

WORLD = {"trainer_devices": 2, "trainer_strategy": "ddp"}
EPOCHS = 2
# Training amplifies a rounding error of fp32 a thousandfold within ten steps; fp64 shows whether
# two processes compute the same thing.
EXACT = {"trainer_precision": "64-true"}


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


def main(folder: Path) -> None:
    for name in sorted(methods()):
        kind = methods()[name].load()
        whole, _ = fit(kind, folder, EPOCHS, **WORLD)
        save(whole, folder / f"{name}_whole")

        _, trainer = fit(kind, folder, EPOCHS, stop_after=1, **WORLD)
        trainer.save_checkpoint(folder / f"{name}_half.ckpt")
        resumed, _ = fit(kind, folder, EPOCHS, resume=folder / f"{name}_half.ckpt", **WORLD)
        save(resumed, folder / f"{name}_resumed")

        exact, _ = fit(kind, folder, EPOCHS, **WORLD, **EXACT)
        save(exact, folder / f"{name}_exact")
    check_gathering()
    check_skipping(folder)


def save(method: Method, path: Path) -> None:
    """Weights, statistics, memories, labels and the last loss."""
    labels = None if method.labels is None else method.labels.labels
    loss = method.trainer.callback_metrics["loss"]
    saved = {"state": method.state_dict(), "labels": labels, "loss": loss}
    torch.save(saved, f"{path}_{distributed.rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
