"""Every way to compute must agree: threads, torch and numba, kinds of arrays."""

import numba
import numpy as np
import pytest
import torch

from reidzoo.clustering import compiled, jaccard_graph, jaccard_torch, knn
from reidzoo.clustering.dbscan import dbscan
from tests.clustering.dense import identity_rows


@pytest.mark.parametrize("noise", [0.7, 100.0])
@pytest.mark.parametrize("block", [1 << 24, 5000])
def test_torch_equals_numba(noise, block, monkeypatch):
    monkeypatch.setattr(jaccard_torch, "BLOCK_ENTRIES", block)
    features = identity_rows(250, noise=noise)
    for k1, k2 in ((30, 6), (20, 4), (15, 1)):
        neighbours = knn(features, k1)
        a = jaccard_graph(features, k1, k2, 0.9, neighbours, backend="numba")
        b = jaccard_graph(features, k1, k2, 0.9, neighbours, backend="torch")
        np.testing.assert_array_equal(a.indptr, b.indptr)
        np.testing.assert_array_equal(a.indices, b.indices)
        np.testing.assert_allclose(a.data, b.data, atol=1e-6)
        np.testing.assert_array_equal(dbscan(a, 0.6), dbscan(b, 0.6))


def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(compiled, "SMALL", 0)
    features = identity_rows(400, noise=1.0)
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
        graph = jaccard_graph(features)
        results.append((*knn(features, 30), graph.indptr, graph.indices, graph.data))
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_graph_is_symmetric_sorted_and_without_diagonal():
    features = identity_rows(200, noise=0.6)
    features[50:60] = features[3]
    graph = jaccard_graph(features)
    assert abs(graph - graph.T).nnz == 0
    assert (graph.diagonal() == 0).all()
    pairs = graph.tocoo()
    assert (pairs.row != pairs.col).all()
    order = np.lexsort((pairs.col, pairs.row))
    np.testing.assert_array_equal(order, np.arange(graph.nnz))
    assert (graph.data == 0).any()  # copies are explicit entries


def test_neighbours_given_are_used():
    features = identity_rows(100)
    table = knn(torch.from_numpy(features), 40)
    a, b = jaccard_graph(features, neighbours=table), jaccard_graph(features)
    np.testing.assert_array_equal(a.toarray(), b.toarray())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, s: (i[:, :9], s[:, :9]), "neighbours have 9 columns, k1=30 needs 30"),
        (lambda i, s: (i[:50], s[:50]), "neighbours have shapes"),
        (lambda i, s: (i + 1, s), "neighbours name rows outside 0..99"),
        (lambda i, s: (i[:, ::-1], s), "must name the row itself first"),
    ],
)
def test_wrong_neighbours_are_refused(change, message):
    features = identity_rows(100)
    with pytest.raises(ValueError, match=message):
        jaccard_graph(features, neighbours=change(*knn(features, 30)))
