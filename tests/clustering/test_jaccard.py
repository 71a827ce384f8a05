"""The sparse graph against the original code's numbers and against the dense textbook."""

import numpy as np
import pytest
import torch

from reidzoo.clustering import JaccardDBSCAN, dbscan, jaccard_graph, knn
from tests.clustering.dense import dense_dbscan, dense_jaccard, densified, identity_rows

COMBOS = ["k30_6", "k20_6", "k25_1", "k15_4"]


@pytest.mark.parametrize("combo", COMBOS)
def test_golden_distances(golden, combo):
    file = golden("jaccard")
    k1, k2 = map(int, combo[1:].split("_"))
    graph = jaccard_graph(file["features"], k1, k2, max_distance=0.999999)
    dense = densified(graph)
    if f"jaccard_{combo}" in file:
        np.testing.assert_allclose(dense, file[f"jaccard_{combo}"], atol=5e-6)
    else:
        rows = file[f"rows_{combo}"]
        np.testing.assert_allclose(dense[rows], file[f"jaccard_rows_{combo}"], atol=5e-6)
    assert graph.nnz + len(dense) == file[f"n_lt_one_{combo}"]
    assert abs(dense.sum(dtype=np.float64) - file[f"jaccard_sum_{combo}"]) < 1e-2


@pytest.mark.parametrize("combo", COMBOS)
def test_golden_labels(golden, combo):
    file = golden("jaccard")
    k1, k2 = map(int, combo[1:].split("_"))
    graph = jaccard_graph(file["features"], k1, k2, max_distance=0.9)
    for eps, labels in zip(file["eps"], file[f"labels_{combo}"], strict=True):
        np.testing.assert_array_equal(dbscan(graph, eps), labels)


def test_golden_neighbours(golden):
    file = golden("jaccard")
    indices, similarities = knn(file["features"], 40)
    np.testing.assert_array_equal(indices, file["knn40"])
    expected = np.take_along_axis(file["features"] @ file["features"].T, indices, axis=1)
    np.testing.assert_allclose(similarities, expected, atol=1e-6)


@pytest.mark.parametrize("k1", [15, 20, 30])
@pytest.mark.parametrize("k2", [1, 4, 6])
def test_equals_the_dense_textbook(k1, k2):
    for seed in range(5):
        features = identity_rows(150, seed=seed, noise=0.7 + 0.2 * seed)
        neighbours = knn(features, 30)
        expected = dense_jaccard(features, k1, k2)
        graph = jaccard_graph(features, k1, k2, 0.7, neighbours)
        near = graph.tocoo()
        np.testing.assert_allclose(near.data, expected[near.row, near.col], atol=1e-6)
        missing = expected + np.eye(len(expected)) <= 0.7
        missing[near.row, near.col] = False
        assert not missing.any()
        for eps in (0.4, 0.45, 0.55, 0.6, 0.7):
            np.testing.assert_array_equal(dbscan(graph, eps), dense_dbscan(expected, eps))


def test_tensor_in_tensor_out():
    features = torch.from_numpy(identity_rows(100))
    labels = JaccardDBSCAN()(features)
    assert labels.dtype == torch.int64
    assert labels.numpy().tolist() == JaccardDBSCAN()(features.numpy()).tolist()
