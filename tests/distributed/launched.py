"""Run by torchrun in two processes: all methods in one launch, since starting takes the time."""

import sys
from pathlib import Path

import torch

from reidzoo import distributed
from reidzoo.cli.names import methods
from tests.tiny import fit

WORLD = {"trainer_devices": 2, "trainer_strategy": "ddp"}
EPOCHS = 2


def check_gathering() -> None:
    """`weighted_mean` and `gather_with_gradient` equal one process with the joined batch."""
    rank = distributed.rank()
    values = torch.arange(4.0, requires_grad=True)
    weights = torch.tensor([1.0, 0.0, 2.0, 1.0])
    mine = values[2 * rank : 2 * rank + 2]
    mean = distributed.weighted_mean(mine, weights[2 * rank : 2 * rank + 2])
    both = distributed.gather(mean.detach()[None]).mean()
    assert torch.isclose(both, (weights * values).sum() / weights.sum())

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


def main(folder: Path) -> None:
    for name in sorted(methods()):
        method, trainer = fit(methods()[name].load(), folder, EPOCHS, **WORLD)
        labels = None if method.labels is None else method.labels.labels
        state = {"state": method.state_dict(), "labels": labels}
        state["loss"] = trainer.callback_metrics["loss"]
        torch.save(state, folder / f"{name}_{distributed.rank()}.pt")

        _, trainer = fit(methods()[name].load(), folder, EPOCHS, stop_after=1, **WORLD)
        trainer.save_checkpoint(folder / f"{name}_half.ckpt")
        resumed, _ = fit(
            methods()[name].load(), folder, EPOCHS, resume=folder / f"{name}_half.ckpt", **WORLD
        )
        torch.save(resumed.state_dict(), folder / f"{name}_resumed_{distributed.rank()}.pt")
    check_gathering()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
