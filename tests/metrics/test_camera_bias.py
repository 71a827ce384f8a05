import math

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from reidzoo.metrics.camera_bias import camera_nmi, other_camera_share, single_camera_share
from reidzoo.metrics.neighbourhood import Neighbourhood, evenly_spaced, nearest_others


def unit_rows(N, D=8, seed=0):
    rows = torch.randn(N, D, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows)


def test_shares_of_single_camera_clusters():
    labels = torch.tensor([3, 3, 5, 5, 5, -1, -1, 9])
    cameras = torch.tensor([1, 1, 0, 1, 0, 0, 1, -1])
    assert single_camera_share(labels, cameras) == pytest.approx(2 / 3)
    assert math.isnan(single_camera_share([-1, -1], [0, 1]))


def test_camera_nmi_is_that_of_scikit_learn():
    noise = np.random.default_rng(0)
    labels, cameras = noise.integers(-1, 6, 200), noise.integers(-1, 4, 200)
    kept = (labels >= 0) & (cameras >= 0)
    expected = normalized_mutual_info_score(cameras[kept], labels[kept])
    assert camera_nmi(labels, cameras) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(camera_nmi([0, 1], [-1, -1]))
    assert math.isnan(camera_nmi([-1, -1], [0, 1]))


@pytest.mark.parametrize("N", [2, 5, 700])
def test_the_nearest_others_are_those_of_a_full_sort(N):
    features = unit_rows(N)
    rows = evenly_spaced(N, 300)
    found = nearest_others(features, rows, 20)
    similarity = features @ features.T
    similarity.fill_diagonal_(-2)
    values, indices = similarity[rows].sort(descending=True, stable=True)
    k = min(20, N - 1)
    assert found.indices.shape == (len(rows), k)
    torch.testing.assert_close(found.similarities, values[:, :k])
    assert torch.equal(found.indices, indices[:, :k])


def test_evenly_spaced_positions_are_different():
    for N in (1, 7, 500, 501, 32621):
        rows = evenly_spaced(N, 500)
        assert len(rows.unique()) == min(N, 500)
        assert rows.min() == 0
        assert rows.max() == N - 1


def test_pairs_of_unknown_camera_do_not_count():
    nearest = Neighbourhood(
        torch.tensor([0, 3]), torch.zeros(2, 3), torch.tensor([[1, 2, 3], [0, 1, 2]])
    )
    assert other_camera_share(nearest, torch.tensor([0, 0, 1, -1])) == 0.5
    assert other_camera_share(nearest, torch.tensor([0, 1, 1, 1])) == pytest.approx(4 / 6)
    assert math.isnan(other_camera_share(nearest, torch.tensor([-1, -1, -1, -1])))
