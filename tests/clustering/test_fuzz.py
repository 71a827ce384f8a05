"""Whatever comes in: the right answer or one clear error, never a crash or a silent wrong label."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidzoo.clustering import CameraJaccardDBSCAN, JaccardDBSCAN, dbscan, jaccard_graph, knn
from tests.clustering.dense import dense_dbscan, dense_jaccard, dense_ranks, identity_rows

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@st.composite
def crowded_rows(draw):
    """Unit rows of few dimensions with many copies, opposite rows and equal similarities."""
    N, D = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    seed, distinct = draw(st.integers(0, 10**6)), draw(st.integers(1, 40))
    generator = np.random.default_rng(seed)
    rows = generator.integers(-2, 3, (distinct, D)).astype(np.float64)
    rows[~rows.any(1)] = np.eye(D)[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[generator.integers(0, distinct, N)].astype(np.float32)


@given(crowded_rows(), st.integers(1, 40), st.sampled_from([1, 3, 4, 6]))
@settings(max_examples=80, deadline=None)
def test_copies_and_ties(rows, k1, k2):
    k = min(k1, len(rows))
    np.testing.assert_array_equal(knn(rows, k)[0], dense_ranks(rows, k))
    expected = dense_jaccard(rows, k1, k2)
    graph = jaccard_graph(rows, k1, k2, 0.7)
    pairs = graph.tocoo()
    np.testing.assert_allclose(pairs.data, expected[pairs.row, pairs.col], atol=1e-6)
    assert graph.nnz == (expected + 2 * np.eye(len(rows)) <= 0.7 + 1e-6).sum()
    for eps in (0.4, 0.55, 0.6):
        np.testing.assert_array_equal(dbscan(graph, eps), dense_dbscan(expected, eps))


@given(
    st.integers(1, 30),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 3.0]),
    st.sampled_from(FLOATS),
    st.booleans(),
    st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_wrong_rows_are_named(N, value, dtype, whole_row, seed):
    rows = identity_rows(N, D=8, seed=seed)
    wrong = np.random.default_rng(seed).integers(0, N)
    rows[wrong, : None if whole_row or value in (0.0, 3.0) else 1] = value
    tensor = torch.from_numpy(rows).to(dtype)
    for given_rows in (tensor, rows):
        for call in (JaccardDBSCAN(), lambda rows: knn(rows, 1), jaccard_graph):
            with pytest.raises(ValueError, match=rf"^features: 1 rows .* \(rows {wrong}\)$"):
                call(given_rows)


@pytest.mark.parametrize("dtype", FLOATS)
def test_float_types(dtype):
    features = torch.from_numpy(identity_rows(120, noise=0.6)).to(dtype)
    labels = JaccardDBSCAN()(features)
    assert labels.max() > 2
    np.testing.assert_array_equal(labels, JaccardDBSCAN()(features.float()))
    if dtype != torch.bfloat16:  # numpy has none
        np.testing.assert_array_equal(labels, JaccardDBSCAN()(features.numpy()))


def test_layouts():
    features = identity_rows(120, noise=0.6)
    expected = JaccardDBSCAN()(features)
    wide = np.zeros((240, 128), dtype=np.float32)
    wide[::2, ::2] = features
    frozen = features.copy()
    frozen.flags.writeable = False
    with_gradient = torch.from_numpy(features).requires_grad_()
    for same in (
        np.asfortranarray(features),
        wide[::2, ::2],
        frozen,
        features.astype(np.longdouble),
        features.astype(">f4"),
        torch.from_numpy(wide)[::2, ::2],
        torch.from_numpy(features.T.copy()).T,
        with_gradient,
    ):
        np.testing.assert_array_equal(JaccardDBSCAN()(same), expected)


@pytest.mark.parametrize("N", [1, 2, 3, 5, 29, 30, 31])
def test_fewer_rows_than_neighbours(N):
    features = identity_rows(N, identities=1, noise=0.3)
    expected = dense_dbscan(dense_jaccard(features, 30, 6), 0.6)
    np.testing.assert_array_equal(JaccardDBSCAN()(features), expected)
    cameras = np.arange(N) % 2
    assert CameraJaccardDBSCAN()(features, cameras).shape == (N,)


@pytest.mark.parametrize("N", [3, 4, 100, 1000])
def test_all_identical(N):
    labels = JaccardDBSCAN()(np.tile(np.eye(1, 16, dtype=np.float32), (N, 1)))
    lists = np.array([[i, *[j for j in range(N) if j != i][:29]] for i in range(N)])
    expected = dense_jaccard(np.tile(np.eye(1, 16), (N, 1)), 30, 6, lists) if N <= 100 else None
    if expected is not None:
        np.testing.assert_array_equal(labels, dense_dbscan(expected, 0.6))
    assert len(labels) == N


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((0, 4), np.float32), r"features must be \[N, D\] with N, D >= 1, got \[0, 4\]"),
        (np.ones(4, np.float32), r"got \[4\]"),
        (np.eye(3, dtype=np.int64), "features must be floats, got torch.int64"),
    ],
)
def test_wrong_shapes_and_types(features, message):
    with pytest.raises(ValueError, match=message):
        JaccardDBSCAN()(features)


def test_identical_rows_of_one_camera_cannot_be_normalised():
    rows = np.tile(np.eye(1, 16, dtype=np.float32), (20, 1))
    with pytest.raises(ValueError, match="20 rows equal the mean of their camera"):
        JaccardDBSCAN(normalise="camera_mean")(rows, np.zeros(20, int))
