import numpy as np
import pytest
import torch

from reidzoo.clustering import JaccardDBSCAN, with_singletons
from reidzoo.methods.spcl import SpCL
from reidzoo.methods.state import FeatureBank, PseudoLabels
from tests.methods.replay import replay


def test_golden_memory(golden, network_of_32):
    data = golden("spcl_memory")
    method = SpCL(
        network=network_of_32, momentum=float(data["momentum"]), temperature=float(data["temp"])
    )
    rows = torch.from_numpy(data["memory_init"])
    labels = PseudoLabels(torch.from_numpy(data["labels"]))
    method.refresh(labels, FeatureBank({"global": rows}, torch.zeros(len(rows)).long()))

    def compare_rows(step):
        moved = method.memory.rows[data["indexes"][step]]
        np.testing.assert_allclose(moved, data["memory_rows_after"][step], atol=1e-5, rtol=0)

    batches = [{"index": torch.from_numpy(index)} for index in data["indexes"]]
    replay(method, data["inputs"], batches, data["loss"], data["grad"], after_step=compare_rows)
    np.testing.assert_allclose(method.memory.rows, data["memory_last"], atol=1e-5, rtol=0)


def test_golden_labels_of_two_epochs(golden, network_of_32):
    data = golden("spcl_refine")
    clusterer = JaccardDBSCAN(int(data["k1"]), int(data["k2"]), float(data["eps"]))
    method = SpCL(network=network_of_32, clusterer=clusterer, eps_gap=float(data["eps_gap"]))
    rows = torch.from_numpy(data["features_epoch0"])
    cameras = torch.zeros(len(rows)).long()

    first = method.pseudo_label(FeatureBank({"global": rows}, cameras), None, 0)
    assert_same_partition(first.labels, data["labels_0"])
    assert float(first.tables["threshold"]) == pytest.approx(float(data["indep_thres"]), abs=1e-6)

    method.memory.reset(torch.from_numpy(data["features_epoch1"]))  # as training left it
    second = method.pseudo_label(FeatureBank({}, cameras), first, 1)
    assert_same_partition(second.labels, data["labels_1"])
    assert torch.equal(second.tables["threshold"], first.tables["threshold"])


def assert_same_partition(labels, expected):
    """Every outlier is a label of its own."""
    ours = with_singletons(labels.numpy())
    pairs = np.unique(np.stack([ours, expected]), axis=1)
    assert pairs.shape[1] == len(np.unique(ours)) == len(np.unique(expected))


def test_an_outlier_is_a_label_of_its_own(network_of_32):
    method = SpCL(network=network_of_32)
    rows = torch.eye(5, 32)
    labels = PseudoLabels(torch.tensor([0, -1, 0, 1, -1]))
    method.refresh(labels, FeatureBank({"global": rows}, torch.zeros(5).long()))
    assert method.memory.labels.tolist() == [0, 2, 0, 1, 3]
    logits = method.memory.logits(rows[:1]) * method.memory.temperature
    assert logits.tolist() == [[0.5, 0, 0, 0]]


def test_refuses_a_clusterer_of_one_granularity(network_of_32):
    with pytest.raises(ValueError, match="no radius to vary"):
        SpCL(network=network_of_32, clusterer=lambda features, cameras=None: features)
