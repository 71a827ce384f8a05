import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reidzoo.methods.cluster_contrast import ClusterContrast
from reidzoo.methods.state import FeatureBank, PseudoLabels
from tests.methods.replay import label_batches, replay
from tests.tiny import fit


@pytest.mark.parametrize(("update", "prefix"), [("mean", "cm"), ("hardest", "cmhard")])
def test_golden(golden, network_of_32, update, prefix):
    data = golden("cluster_contrast")
    method = ClusterContrast(
        network=network_of_32,
        momentum=float(data["momentum"]),
        temperature=float(data["temp"]),
        update=update,
    )
    method.memory.reset(torch.from_numpy(data["memory_init"]))

    def compare_memory(step):
        np.testing.assert_allclose(
            method.memory.rows, data[f"{prefix}_memory"][step], atol=1e-5, rtol=0
        )

    replay(
        method,
        data["inputs"],
        label_batches(data["targets"]),
        data[f"{prefix}_loss"],
        data[f"{prefix}_grad"],
        normalise=True,
        after_step=compare_memory,
    )


@pytest.fixture
def with_outliers(network_of_32):
    """A method that has seen ten images in two clusters, numbers 1, 4 and 7 being outliers."""

    def build(outliers, **options):
        method = ClusterContrast(
            network=network_of_32, outliers=outliers, outlier_warmup=0, **options
        )
        labels = torch.tensor([0, -1, 0, 1, -1, 1, 0, -1, 1, 0])
        rows = F.normalize(torch.randn(10, 32, generator=torch.Generator().manual_seed(0)), dim=1)
        method.labels = PseudoLabels(labels)
        method.refresh(method.labels, FeatureBank({"global": rows}, torch.zeros(10).long()))
        return method, rows

    return build


def some_batch(method, *index):
    index = torch.tensor(index)
    return {"index": index, "label": method.labels.labels[index]}


def test_outliers_are_further_negatives(with_outliers):
    method, rows = with_outliers("negatives")
    assert method.sampling == "pk"
    batch = some_batch(method, 0, 3)
    everything = torch.cat([method.memory.rows, rows[[1, 4, 7]]])
    expected = F.cross_entropy(rows[[0, 3]] @ everything.T / 0.05, batch["label"])
    terms = method.compute_loss({"global": rows[[0, 3]]}, batch)
    torch.testing.assert_close(sum(terms.values()), expected)


def test_an_outlier_finds_its_own_row(with_outliers):
    method, rows = with_outliers("instances", outlier_weight=0.3)
    assert method.sampling == "pk+outliers"
    batch = some_batch(method, 0, 7, 3, 4)
    x = F.normalize(rows[batch["index"]] + 0.1, dim=1)
    logits = x @ torch.cat([method.memory.rows, rows[[1, 4, 7]]]).T / 0.05
    losses = F.cross_entropy(logits, torch.tensor([0, 4, 1, 3]), reduction="none")
    terms = method.compute_loss({"global": x}, batch)
    torch.testing.assert_close(terms["cluster"], losses[[0, 2]].mean())
    torch.testing.assert_close(terms["outlier"], 0.3 * losses[[1, 3]].mean())

    method.update({"global": x}, batch)
    moved = F.normalize(0.2 * rows[[4, 7]] + 0.8 * x[[3, 1]], dim=1)
    torch.testing.assert_close(method.outlier_memory.rows[[1, 2]], moved)
    assert torch.equal(method.outlier_memory.rows[0], rows[1])


def test_outliers_that_are_dropped_leave_no_trace(with_outliers):
    method, rows = with_outliers("drop")
    batch = some_batch(method, 0, 3)
    expected = F.cross_entropy(rows[[0, 3]] @ method.memory.rows.T / 0.05, batch["label"])
    terms = method.compute_loss({"global": rows[[0, 3]]}, batch)
    torch.testing.assert_close(sum(terms.values()), expected)


def test_trains_with_a_quarter_of_outliers(tmp_path):
    drawn = []

    class Watched(ClusterContrast):
        def update(self, out, batch):
            drawn.append((batch["label"] < 0).float().mean())
            super().update(out, batch)

    method, trainer = fit(Watched, tmp_path, 2, method_outliers="instances")
    assert (method.labels.labels < 0).any()
    assert 0 < max(drawn) <= 0.25
    assert trainer.callback_metrics["loss/outlier"].isfinite()
