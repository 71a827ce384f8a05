"""Gradient accumulation: memories move after every micro-batch, weights after the last one."""

import pytest
import pytorch_lightning as pl
import torch

from reidzoo.callbacks import ClusterCallback
from reidzoo.cli.names import methods
from tests.tiny import fit

CASES = {  # sampling -> method and options
    "pk": ("hhcl", {}),
    "random": ("selective_contrastive", {"method_startup_epochs": 0}),
    "every": ("spcl", {}),
    "pk+outliers": (
        "cluster_contrast",
        {"method_outliers": "instances", "method_outlier_warmup": 0},
    ),
}


class ByHand(pl.Callback):
    """Computes the epoch again as the definition says, from copies taken at its start."""

    def on_train_epoch_start(self, trainer, pl_module):
        self.weights = {n: v.clone() for n, v in pl_module.state_dict().items()}
        self.batches = [
            {name: value.clone() for name, value in batch.items()}
            for batch in trainer.datamodule.train_dataloader()
        ]
        torch.manual_seed(0)  # for both


@pytest.mark.parametrize("sampling", CASES)
def test_memories_move_each_micro_batch_and_weights_every_second(sampling, tmp_path):
    name, options = CASES[sampling]
    seen = ByHand()
    method, trainer = fit(
        methods()[name].load(),
        tmp_path,
        1,
        data_batches=4,
        trainer_callbacks=[ClusterCallback(), seen],
        trainer_accumulate_grad_batches=2,
        **options,
    )
    assert method.sampling == sampling
    assert trainer.global_step == 2
    trained = {n: v.clone() for n, v in method.state_dict().items()}
    method.load_state_dict(seen.weights)
    optimizer = method.optimization.build(method.parameters(), 1)["optimizer"]
    optimizer.zero_grad()
    method.train()
    torch.manual_seed(0)
    for number, batch in enumerate(seen.batches):
        batch["label"] = method.labels.labels[batch["index"]]
        out = method.forward_batch(batch)
        (sum(method.compute_loss(out, batch).values()) / 2).backward()
        with torch.no_grad():
            method.update({n: out[n].detach() for n in method.remember}, batch)
        if number % 2:
            optimizer.step()
            optimizer.zero_grad()
    for key, value in method.state_dict().items():
        torch.testing.assert_close(value, trained[key], msg=key)
