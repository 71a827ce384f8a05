import csv

import numpy as np
import pytest
import torch
from torch.nn import functional

from reidzoo.callbacks import ClusterCallback
from reidzoo.callbacks.run_files import write_labels
from reidzoo.errors import UserError
from reidzoo.methods.calr import CALR
from reidzoo.methods.calr_intra import CALRIntra
from reidzoo.methods.local_labels import read_local_labels
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import EmbedderOptions
from tests.tiny import fit, same_state


class Given:
    """A clusterer that finds what it was told."""

    def __init__(self, labels):
        self.labels = torch.from_numpy(labels)

    def __call__(self, features, cameras=None):
        return self.labels


def tensors(data, *names):
    return [torch.from_numpy(data[name]) for name in names]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("update", ["mean", "hardest"])
def test_golden_memory(golden, network_of_32, update, weighted):
    data = golden("calr_memory")
    x, targets, bank, weights = tensors(data, "x", "targets", "bank", "weights")
    method = CALRIntra(
        network=network_of_32,
        momentum=float(data["momentum"]),
        temperature=float(data["temp"]),
        update=update,
    )
    method.memory.reset(bank)
    used = weights if weighted else torch.ones_like(weights)
    method.labels = PseudoLabels(targets, {"weights": used})
    rows = functional.normalize(x.requires_grad_(), dim=1)
    loss = method.compute_loss({"global": rows}, {"label": targets})["cluster"]
    loss.backward()
    method.update({"global": rows.detach()}, {"label": targets})
    key = {"mean": "mean", "hardest": "hard"}[update] + ("_w" if weighted else "")
    assert loss.item() == pytest.approx(float(data[f"{key}_loss"]), rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(x.grad, data[f"{key}_grad"], atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(method.memory.rows, data[f"{key}_bank_after"], atol=1e-5, rtol=1e-4)


def global_step(data, method, epoch):
    """One global refresh of CALR, with the released clusters and local labels."""
    features, cameras, local = tensors(data, "features", "camids", "local_labels")
    method.num_cameras = int(cameras.max()) + 1
    method.local_clusterer = Given(local.numpy())
    bank = FeatureBank({"global": features}, cameras)
    labels = method.pseudo_label(bank, None, epoch)
    method.refresh(labels, bank)
    return labels


def test_golden_global_step(golden):
    data = golden("calr_full")
    network = EmbedderOptions(backbone="small", weights=None, width=8)
    method = CALR(
        network=network,
        clusterer=Given(data["global_labels"]),
        k1=int(data["k1"]),
        min_similarity=float(data["min_sim"]),
    )
    early, late = (global_step(data, method, epoch) for epoch in (0, 5))
    assert np.array_equal(early.labels, data["refined_labels"])
    assert torch.equal(early.labels, late.labels)
    assert early.tables["weights"].eq(1).all()
    np.testing.assert_allclose(late.tables["weights"], data["cluster_weights"], atol=1e-5)
    np.testing.assert_allclose(method.memory.rows, data["centers"], atol=1e-5)


def test_cosine_removal_begins_whole_and_spares_a_growing_share(tmp_path):
    """The released schedule: the share removed falls from 1 to 3/4 over the global stage."""
    shares = []

    class Watch(ClusterCallback):
        def on_train_epoch_start(self, trainer, pl_module):
            super().on_train_epoch_start(trainer, pl_module)
            shares.append(pl_module.removed_share(trainer.current_epoch))

    options = {"trainer_callbacks": [Watch()], "data_batches": 2}
    fit(CALR, tmp_path, 4, method_removal="cosine", **options)
    assert shares == pytest.approx([0.5 * (1 + np.cos(np.pi * e / 12)) for e in range(4)])
    shares.clear()
    fit(CALR, tmp_path, 4, **options)
    assert shares == [1, 1, 1, 1]


@pytest.mark.parametrize(("kind", "key"), [("prob_ce", "official"), ("nll", "nll")])
def test_golden_camera_loss(golden, network_of_32, kind, key):
    data = golden("calr_domain")
    out, cameras = tensors(data, "log_softmax", "cams")
    method = CALR(network=network_of_32, camera_loss=kind)
    method.memory.reset(torch.eye(32))
    labels = torch.zeros_like(cameras)
    method.labels = PseudoLabels(labels, {"weights": torch.ones(32)})
    outputs = {"global": torch.eye(32)[labels], "camera": out}
    batch = {"label": labels, "camera": cameras}
    loss = method.compute_loss(outputs, batch)["camera"]
    assert loss.item() == pytest.approx(float(data[f"{key}_loss"]), abs=1e-5)
    method.camera_epochs = 0
    assert method.compute_loss(outputs, batch)["camera"] == 0


def test_a_batch_of_clusters_without_weight_costs_nothing(network_of_32):
    method = CALRIntra(network=network_of_32)
    method.memory.reset(torch.eye(32))
    labels = torch.tensor([0, 1])
    method.labels = PseudoLabels(labels, {"weights": torch.zeros(2)})
    rows = torch.eye(32)[:2].requires_grad_()
    loss = method.compute_loss({"global": rows}, {"label": labels})["cluster"]
    loss.backward()
    assert loss == 0
    assert not rows.grad.any()


def test_cameras_take_turns_and_the_best_labels_stay():
    method = CALRIntra(
        network=EmbedderOptions(backbone="small", weights=None, width=4), epochs_per_camera=2
    )
    method.num_cameras = 2
    assert [method.stage(epoch) for epoch in range(5)] == [(0, 0), (0, 0), (1, 2), (1, 2), (1, 2)]
    rng = torch.Generator().manual_seed(0)
    cameras = torch.arange(60) % 2
    clear = functional.normalize(torch.eye(32)[torch.arange(60) // 10], dim=1)
    noise = functional.normalize(torch.randn(60, 32, generator=rng), dim=1)
    good = method.pseudo_label(FeatureBank({"global": clear}, cameras), None, 0)
    worse = method.pseudo_label(FeatureBank({"global": noise}, cameras), good, 1)
    other = method.pseudo_label(FeatureBank({"global": clear}, cameras), worse, 2)
    assert good.labels[cameras == 1].eq(-1).all()
    assert not torch.equal(worse.labels, good.labels)
    assert torch.equal(worse.tables["local"], good.tables["local"])
    assert torch.equal(other.tables["local"][::2], good.tables["local"][::2])
    assert other.tables["local"].ge(0).all()
    assert other.labels[cameras == 0].eq(-1).all()


def test_train_runs_the_first_stage_by_itself(tmp_path):
    """One command: its local labels are those of calr_intra, read from a file."""
    few = {"method_epochs_per_camera": 1, "data_batches": 2}
    stages = []

    class Watch(ClusterCallback):
        def on_train_epoch_start(self, trainer, pl_module):
            super().on_train_epoch_start(trainer, pl_module)
            stages.append((pl_module.stage(trainer.current_epoch)[0], self.labels))

    _, trainer = fit(CALRIntra, tmp_path, 4, trainer_callbacks=[Watch()], **few)
    written = stages[-1][1]
    both, _ = fit(
        CALR, tmp_path, 5, method_local_labels="train", trainer_callbacks=[Watch()], **few
    )
    assert [stage for stage, _ in stages] == [0, 1, 2, 3, 0, 1, 2, 3, 4]
    assert torch.equal(both.labels.tables["local"], written.tables["local"])
    cameras = trainer.datamodule.cameras
    for camera, (_, labels) in enumerate(stages[:4]):
        assert labels.labels[cameras != camera].eq(-1).all()

    write_labels(tmp_path / "pseudo_labels.csv", written, trainer.datamodule)
    two, _ = fit(CALR, tmp_path, 1, method_local_labels=str(tmp_path), **few)
    assert torch.equal(two.labels.tables["local"], written.tables["local"])


def test_every_camera_starts_from_the_same_weights(tmp_path):
    few = {"method_epochs_per_camera": 1, "data_batches": 2}
    method, trainer = fit(CALRIntra, tmp_path, 1, **few)
    initial = method.initial.network.state_dict()
    assert all(
        torch.equal(value, initial[name]) for name, value in method.network.state_dict().items()
    )
    assert not trainer.optimizers[0].state
    whole, _ = fit(CALRIntra, tmp_path, 3, **few)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    assert same_state(whole, fit(CALRIntra, tmp_path, 3, resume=tmp_path / "one.ckpt", **few)[0])


def test_refusals(tmp_path, network_of_32):
    with pytest.raises(UserError, match=r"--method.local_labels nowhere: no such file or run"):
        CALR(network=network_of_32, local_labels="nowhere")
    with pytest.raises(UserError, match=r"--trainer.max_epochs 3: .* takes 4 cameras x 2 epochs"):
        fit(CALR, tmp_path, 3, method_local_labels="train", method_epochs_per_camera=2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["path", "local"], ["x/a.jpg", "1"]], r"1 of 2 images are not in it \(first: b.jpg\)"),
        ([["path", "local"], ["x/a.jpg", "one"]], "needs the columns path and local"),
        ([["file", "local"], ["x/a.jpg", "1"]], "needs the columns path and local"),
    ],
)
def test_local_labels_of_another_data_set_are_refused(tmp_path, rows, message):
    file = tmp_path / "labels.csv"
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    with pytest.raises(UserError, match=message):
        read_local_labels(file, ("a.jpg", "b.jpg"))


def test_local_labels_are_found_wherever_the_data_lie(tmp_path):
    file = tmp_path / "labels.csv"
    file.write_text("path,label,local\n/data1/c0/a.jpg,9,3\n/data1/c1/a.jpg,9,-1\n")
    assert read_local_labels(file, ("c1/a.jpg", "c0/a.jpg")).tolist() == [-1, 3]
