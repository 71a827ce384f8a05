import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_oracles import textbook_partition
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from reidzoo.metrics import partition_scores


@pytest.mark.parametrize("version", ["all", "kept"])
def test_golden(golden, version):
    data = golden("cluster_quality")
    scores = partition_scores(data[f"{version}_identities"], data[f"{version}_labels"])
    for name in ("pairwise", "bcubed"):
        ours = [scores[f"{name}_{part}"] for part in ("precision", "recall", "f")]
        np.testing.assert_allclose(ours, data[f"{version}_{name}"], rtol=1e-9)
    assert scores["expansion"] == pytest.approx(float(data[f"{version}_expansion"]), rel=1e-9)
    assert scores["nmi"] == pytest.approx(float(data[f"{version}_nmi"]), rel=1e-9)
    assert scores["coverage"] == 1.0


def test_outliers_are_left_out_and_counted(golden):
    data = golden("cluster_quality")
    scores = partition_scores(data["identities"], data["labels"])
    kept = partition_scores(data["kept_identities"], data["kept_labels"])
    assert scores == {**kept, "coverage": pytest.approx(98 / 120)}


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 5)), min_size=1, max_size=40))
@settings(deadline=None)
def test_any_partition_equals_the_textbook(rows):
    identities, labels = np.array(rows).T
    if (labels == -1).all():
        return
    scores = partition_scores(identities, labels)
    kept = labels >= 0
    expected = textbook_partition(identities, labels)
    expected["ari"] = adjusted_rand_score(identities[kept], labels[kept])
    expected["nmi"] = normalized_mutual_info_score(identities[kept], labels[kept])
    expected["coverage"] = kept.mean()
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


@given(st.permutations(range(12)), st.permutations(range(4)))
def test_order_and_names_do_not_matter(rows, names):
    identities = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    labels = np.array([0, 0, 1, 1, 1, 1, 2, 2, -1, 3, 3, 2])
    renamed = np.where(labels < 0, -1, np.array(names)[labels])
    scores = partition_scores(identities[list(rows)], renamed[list(rows)])
    assert scores == pytest.approx(partition_scores(identities, labels), rel=1e-12)


@pytest.mark.parametrize("partition", [[4, 4, 4, 4], [0, 1, 2, 3], [0, 0, 1, 1], [0]])
def test_equal_partitions_are_perfect(partition):
    scores = partition_scores(partition, torch.tensor(partition) + 10)
    assert scores == pytest.approx(dict.fromkeys(scores, 1.0))


def test_one_cluster_of_everybody_has_recall_without_information():
    scores = partition_scores([1, 1, 2, 2], [0, 0, 0, 0])
    assert (scores["ari"], scores["nmi"], scores["pairwise_recall"]) == (0.0, 0.0, 1.0)
    assert scores["pairwise_precision"] == pytest.approx(1 / 3)


def test_only_outliers_score_nothing():
    scores = partition_scores([1, 1, 2], [-1, -1, -1])
    assert scores["coverage"] == 0.0
    assert all(np.isnan(value) for name, value in scores.items() if name != "coverage")


def test_rows_of_unknown_identity_are_left_out():
    assert partition_scores([1, -2, 2, -2], [0, 0, 1, -1]) == partition_scores([1, 2], [0, 1])


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="identities has 2 entries and labels 1"):
        partition_scores([1, 2], [0])
    with pytest.raises(ValueError, match="none of the 2 identities is known"):
        partition_scores([-2, -2], [0, 1])
    with pytest.raises(ValueError, match="labels must be one row of integers"):
        partition_scores([1, 2], [[0], [1]])
