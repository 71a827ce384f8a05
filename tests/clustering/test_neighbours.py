"""Exact k-NN on every backend: order, ties, error bounds, refusals."""

import numpy as np
import pytest
import torch

from reidzoo.clustering import knn, neighbours, products
from reidzoo.clustering.neighbours import nearest
from tests.clustering.dense import dense_ranks, identity_rows

BACKENDS = ["numba", "torch", "faiss"]


@pytest.fixture(params=[False, True], ids=["fp32", "bfloat16"])
def rounding(request, monkeypatch):
    monkeypatch.setattr(products, "_rounds", lambda rows: request.param)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("noise", [0.1, 1.0, 100.0])
def test_equals_a_complete_sort(backend, noise, rounding):
    features = identity_rows(300, D=48, noise=noise)
    indices, similarities = knn(features, 25, backend)
    np.testing.assert_array_equal(indices, dense_ranks(features, 25))
    exact = features.astype(np.float64) @ features.T
    np.testing.assert_allclose(similarities, np.take_along_axis(exact, indices, axis=1), atol=1e-7)
    assert (indices.dtype, similarities.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_copies_are_ordered_by_index_behind_the_row_itself(backend, rounding):
    features = identity_rows(200, D=40)
    features[60:160] = features[7]  # more copies than k + SPARE
    indices, similarities = knn(features, 30, backend)
    np.testing.assert_array_equal(indices, dense_ranks(features, 30))
    assert indices[100].tolist() == [100, 7, *range(60, 88)]
    assert len(set(similarities[100].tolist())) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_sets(backend):
    queries, base = torch.from_numpy(identity_rows(40)), torch.from_numpy(identity_rows(70, seed=1))
    indices, similarities = nearest(queries, base, 9, backend=backend)
    scores = (queries.double() @ base.double().T).float()
    expected = torch.sort(scores, dim=1, descending=True, stable=True)
    np.testing.assert_array_equal(indices, expected.indices[:, :9])
    np.testing.assert_allclose(similarities, expected.values[:, :9], atol=1e-7)


def test_blocks_do_not_show(monkeypatch):
    features = identity_rows(150)
    expected = knn(features, 20)
    monkeypatch.setattr(products, "BLOCK_BYTES", 10_000)
    for backend in BACKENDS:
        for found, wanted in zip(knn(features, 20, backend), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_error_bound_holds():
    features = torch.from_numpy(identity_rows(200, D=512, noise=30.0))
    exact = features.double() @ features.double().T
    for rounds in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(products, "_rounds", lambda rows, rounds=rounds: rounds)
            error = (products.rough_product(features, products.rough(features)) - exact).abs().max()
            assert 0 < error < products.rough_error(features, features)


def test_autocast_and_low_precision_do_not_leak_in():
    features = torch.from_numpy(identity_rows(120, noise=3.0))
    expected = knn(features, 10)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = knn(features, 10, "torch")
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(found[0], expected[0])


@pytest.mark.parametrize("k", [0, 6])
def test_k_outside_the_rows(k):
    with pytest.raises(ValueError, match=f"k={k} neighbours asked of 5 rows; allowed: 1 to 5"):
        knn(identity_rows(5), k)


def test_unknown_backend():
    with pytest.raises(ValueError, match="backend='cupy'; allowed: auto, numba, torch, faiss"):
        knn(identity_rows(5), 2, "cupy")


def test_spare_candidates_are_enough_on_ordinary_rows(monkeypatch):
    """The torch and faiss backends should need one product, not several."""
    calls = []
    product = neighbours.rough_product
    monkeypatch.setattr(
        neighbours, "rough_product", lambda a, b: calls.append(len(a)) or product(a, b)
    )
    knn(identity_rows(300, noise=100.0), 20, "torch")
    assert calls == [300]
