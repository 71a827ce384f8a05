"""What every method must do; a new method is found by its file and needs no line here."""

import math

import pytest
import torch

from reidzoo.callbacks import ClusterCallback
from reidzoo.cli.names import methods
from reidzoo.methods.base import Method
from tests.tiny import TrueIdentities, fit, same_state, tiny_data, tiny_method

NAMES = sorted(methods())
ONE_OBJECTIVE = {  # options that keep a method from changing its loss between epochs
    "CAP": {"method_inter_from": 0},
    "PPLR": {"method_agreement_from": 0},
    "SelectiveContrastive": {"method_startup_epochs": 6},
}


@pytest.fixture(params=NAMES)
def kind(request) -> type[Method]:
    return methods()[request.param].load()


def test_declares_where_it_comes_from(kind):
    assert kind.paper
    assert 2000 < kind.year < 2100
    assert kind.fidelity
    assert kind.needs <= {"cameras"}


def test_resume_is_bit_equal_with_and_without_workers(kind, tmp_path):
    whole, _ = fit(kind, tmp_path, 4, data_workers=2)
    _, trainer = fit(kind, tmp_path, 4, stop_after=2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = fit(kind, tmp_path, 4, resume=tmp_path / "half.ckpt")
    assert same_state(whole, resumed)


def test_same_seed_gives_the_same_bits(kind, tmp_path):
    """Again, and with deterministic algorithms only; the test above has 0 and 2 workers."""
    first, _ = fit(kind, tmp_path, 1, data_batches=3)
    again, _ = fit(kind, tmp_path, 1, data_batches=3, trainer_deterministic=True)
    torch.use_deterministic_algorithms(False)
    assert same_state(first, again)


def test_loss_falls_on_fixed_labels(kind, tmp_path):
    data = tiny_data()
    data.setup()
    losses = []

    class Record(ClusterCallback):
        def on_train_epoch_end(self, trainer, pl_module):
            super().on_train_epoch_end(trainer, pl_module)
            losses.append(float(trainer.callback_metrics["loss"]))

    fit(
        kind,
        tmp_path,
        6,
        method_clusterer=TrueIdentities(data.identities),
        trainer_callbacks=[Record()],
        **ONE_OBJECTIVE.get(kind.__name__, {}),
    )
    assert all(map(math.isfinite, losses))
    assert losses[-1] < 0.9 * losses[0]


def test_runs_in_bf16(kind, tmp_path):
    method, trainer = fit(kind, tmp_path, 1, data_batches=3, trainer_precision="bf16-mixed")
    assert math.isfinite(trainer.callback_metrics["loss"])
    assert all(v.dtype != torch.bfloat16 for v in method.state_dict().values())


def test_saved_and_loaded_embeds_alike(kind, tmp_path):
    import reidzoo

    method, trainer = fit(kind, tmp_path, 1)
    trainer.save_checkpoint(tmp_path / "it.ckpt")
    image = torch.randint(0, 256, (3, 3, 48, 24), dtype=torch.uint8)
    with torch.no_grad():
        expected = method.eval().embed(image)["global"]
        loaded = reidzoo.load(tmp_path / "it.ckpt")(image)
    assert torch.equal(loaded, expected)


def test_compute_loss_is_pure(kind, tmp_path):
    """The same outputs give the same loss twice, and nothing in the state moves."""
    method, trainer = fit(kind, tmp_path, 1)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    method.train()
    batch = next(iter(trainer.datamodule.train_dataloader()))
    if method.labels is not None:
        batch["label"] = method.labels.labels[batch["index"]]
    out = {name: value.detach() for name, value in method.forward_batch(batch).items()}
    after_forward = {name: value.clone() for name, value in method.state_dict().items()}
    first, second = method.compute_loss(out, batch), method.compute_loss(out, batch)
    assert {name: float(v) for name, v in first.items()} == {
        name: float(v) for name, v in second.items()
    }
    assert all(torch.equal(after_forward[n], v) for n, v in method.state_dict().items())
    assert before.keys() == after_forward.keys()


def test_untrained_network_gets_its_statistics(kind, tmp_path):
    method = tiny_method(kind)
    counters = [b for n, b in method.network.named_buffers() if n.endswith("tracked")]
    assert not any(map(bool, counters))
