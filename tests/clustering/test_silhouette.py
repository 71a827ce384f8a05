import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from reidzoo.clustering import jaccard_graph
from reidzoo.clustering.silhouette import silhouette


@pytest.mark.parametrize("clusters", [2, 7, 30])
def test_equals_the_dense_textbook(clusters):
    rng = np.random.default_rng(clusters)
    centres = rng.normal(size=(8, 16))[rng.integers(8, size=60)]
    rows = centres + 0.6 * rng.normal(size=(60, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = rng.integers(clusters, size=60)
    labels = np.unique(labels, return_inverse=True)[1]
    graph = jaccard_graph(rows, k1=10, k2=3, max_distance=1 - 1e-6)
    dense = np.ones((60, 60))
    entries = graph.tocoo()
    dense[entries.row, entries.col] = entries.data
    np.fill_diagonal(dense, 0)
    expected = silhouette_score(dense, labels, metric="precomputed")
    assert silhouette(graph, labels) == pytest.approx(expected, abs=1e-6)
    with_outliers = np.concatenate([labels, [-1, -1]])
    graph.resize(62, 62)
    assert silhouette(graph, with_outliers) == pytest.approx(expected, abs=1e-6)


def test_one_cluster_is_the_worst():
    graph = jaccard_graph(np.eye(3), k1=1, k2=1)
    assert silhouette(graph, np.array([0, 0, -1])) == -1
