"""SpCL's scores and labels against the released code, and against set arithmetic."""

import numpy as np
import pytest
import torch

from reidzoo.clustering import JaccardDBSCAN, SelfPaced, dbscan, jaccard_graph
from reidzoo.clustering.reliability import disagreement, self_paced_labels, with_singletons
from tests.clustering.dense import identity_rows


@pytest.fixture
def spcl(golden):
    return golden("spcl_refine")


@pytest.mark.parametrize("epoch", [0, 1])
def test_golden_scores_and_labels(spcl, epoch):
    graph = jaccard_graph(spcl[f"features_epoch{epoch}"], int(spcl["k1"]), int(spcl["k2"]), 0.7)
    eps, gap = float(spcl["eps"]), float(spcl["eps_gap"])
    raw, tight, loose = (dbscan(graph, eps + shift) for shift in (0, -gap, gap))
    np.testing.assert_array_equal(raw, spcl[f"raw_{epoch}"])
    np.testing.assert_array_equal(tight, spcl[f"raw_tight_{epoch}"])
    np.testing.assert_array_equal(loose, spcl[f"raw_loose_{epoch}"])
    threshold = None if epoch == 0 else float(spcl["indep_thres"])
    result = self_paced_labels(raw, tight, loose, threshold)
    np.testing.assert_allclose(result.compactness, spcl[f"R_comp_{epoch}"], atol=1e-6)
    np.testing.assert_allclose(result.independence, spcl[f"R_indep_{epoch}"], atol=1e-6)
    np.testing.assert_array_equal(result.labels, spcl[f"labels_{epoch}"])
    assert result.threshold == pytest.approx(float(spcl["indep_thres"]), abs=1e-6)
    assert (result.labels != with_singletons(raw)).sum() == spcl[f"n_split_{epoch}"]


def test_disagreement_is_that_of_sets():
    generator = np.random.default_rng(0)
    a, b = generator.integers(0, 7, (2, 60))
    for i, score in enumerate(disagreement(a, b)):
        one, other = set(np.flatnonzero(a == a[i])), set(np.flatnonzero(b == b[i]))
        assert score == pytest.approx(1 - len(one & other) / len(one | other))


def test_filter_removes_what_the_scores_do_not_trust(spcl):
    features = torch.from_numpy(spcl["features_epoch0"])
    options = {"k1": int(spcl["k1"]), "k2": int(spcl["k2"]), "eps": float(spcl["eps"])}
    labels = JaccardDBSCAN(**options)(features)
    kept = SelfPaced(**options, gap=float(spcl["eps_gap"]))(labels, features) >= 0
    trusted = (spcl["labels_0"] == spcl["raw_0"]) & (spcl["raw_0"] >= 0)
    np.testing.assert_array_equal(kept.numpy(), trusted)


def test_all_outliers_have_labels_of_their_own():
    nobody = np.full(5, -1)
    assert self_paced_labels(nobody, nobody, nobody).labels.tolist() == [0, 1, 2, 3, 4]


def test_filter_keeps_the_kind_of_array():
    features = identity_rows(80)
    labels = JaccardDBSCAN()(features)
    assert isinstance(SelfPaced()(labels, features), np.ndarray)
