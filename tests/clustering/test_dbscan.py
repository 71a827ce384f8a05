"""Union-find DBSCAN against scikit-learn's, ties included, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.cluster import DBSCAN

from reidzoo.clustering import (
    CameraJaccardDBSCAN,
    JaccardDBSCAN,
    choose_eps,
    dbscan,
    jaccard_graph,
    labels_around,
    neighbour_distances,
)
from tests.clustering.dense import dense_dbscan, dense_jaccard, densified, identity_rows


def sparse(distances, limit=1.0):
    rows, columns = np.nonzero((distances <= limit) & ~np.eye(len(distances), dtype=bool))
    return csr_matrix((distances[rows, columns], (rows, columns)), shape=distances.shape)


@given(st.integers(0, 10**6), st.integers(1, 40), st.integers(1, 6), st.floats(0.02, 0.6))
@settings(max_examples=60, deadline=None)
def test_numbered_as_scikit_learn_numbers(seed, N, min_samples, eps):
    points = np.random.default_rng(seed).random((N, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    distances = distances.round(2)  # many equal distances, some exactly at eps
    eps = round(eps, 2)
    expected = DBSCAN(eps=eps + 1e-6, min_samples=min_samples, metric="precomputed")
    labels = dbscan(sparse(distances), eps, min_samples)
    np.testing.assert_array_equal(labels, expected.fit_predict(distances))


def test_border_row_joins_the_cluster_that_is_reached_first():
    """Row 0 is near core rows 5 and 1; the cluster of the lower one is visited first."""
    near = {(5, 6), (5, 7), (6, 7), (1, 2), (1, 3), (2, 3), (0, 5), (0, 1)}
    distances = np.ones((8, 8))
    for i, j in near:
        distances[i, j] = distances[j, i] = 0.1
    expected = DBSCAN(eps=0.2, min_samples=4, metric="precomputed").fit_predict(
        distances - np.eye(8)
    )
    np.testing.assert_array_equal(dbscan(sparse(distances, 0.5), 0.2, 4), expected)


@pytest.mark.parametrize(
    ("size", "k1", "k2", "eps"), [(4, 8, 6, 0.5), (2, 6, 3, 0.5), (3, 6, 4, 0.4)]
)
def test_structural_ties_are_inside(size, k1, k2, eps):
    """Images that share `size` of k2 expanded rows are at eps, up to rounding on either side."""
    tied = beyond = 0
    for seed in range(5):
        features = identity_rows(200, identities=200 // size, noise=0.5, seed=seed, even=True)
        graph = jaccard_graph(features, k1, k2)
        ties = abs(graph.data.astype(np.float64) - eps) < 1e-6
        tied += ties.sum()
        beyond += (ties & (graph.data > eps)).sum()
        expected = dense_dbscan(dense_jaccard(features, k1, k2), eps)
        np.testing.assert_array_equal(dbscan(graph, eps), expected)
    assert tied > 100
    assert beyond > 0 or k2 == 6  # without the rule these would be lost


def test_one_graph_serves_every_radius():
    features = identity_rows(300, noise=0.8)
    clusterer = JaccardDBSCAN(eps=0.6)
    graph = clusterer.graph(features)
    for eps in (0.3, 0.58, 0.6, 0.62, 0.7):
        alone = JaccardDBSCAN(eps=eps)(features)
        np.testing.assert_array_equal(clusterer.labels(graph, eps), alone)


def test_refuses_what_the_graph_cannot_answer():
    graph = jaccard_graph(identity_rows(30), max_distance=0.5)
    with pytest.raises(ValueError, match=r"eps=0.6; allowed: 0 to the graph's max_distance=0.5"):
        dbscan(graph, 0.6)
    with pytest.raises(ValueError, match="min_samples=0; allowed: 1 or more"):
        dbscan(graph, 0.5, 0)


def test_auto_eps_is_the_rule_that_is_documented(caplog):
    features = identity_rows(300, noise=0.8)
    clusterer = JaccardDBSCAN(eps="auto")
    graph = clusterer.graph(features)
    dense = np.sort(densified(graph), axis=1)  # column 0 is the row itself
    np.testing.assert_array_equal(neighbour_distances(graph), dense[:, 3])
    assert choose_eps(graph) == pytest.approx(min((1 + np.median(dense[:, 3])) / 2, 0.7))
    with caplog.at_level("INFO"):
        labels = clusterer(features)
    assert "half way from the median" in caplog.text
    np.testing.assert_array_equal(labels, dbscan(graph, choose_eps(graph)))


@pytest.mark.parametrize("clusterer", [JaccardDBSCAN, CameraJaccardDBSCAN])
@pytest.mark.parametrize("eps", [0.69, "auto"])
def test_labels_around_uses_one_graph_far_enough(clusterer, eps):
    import torch

    features = torch.from_numpy(identity_rows(200, noise=1.2))
    cameras = torch.arange(200) % 4
    model = clusterer(eps=eps)
    table = labels_around(model, features, cameras, (-0.05, 0.0, 0.05))
    assert table.shape == (3, 200)
    np.testing.assert_array_equal(table[1], model(features, cameras))
