"""What is done with cameras: taking them out of features, and measuring them."""

import numpy as np
import pytest

from reidzoo.clustering import JaccardDBSCAN, camera_gap, camera_weights, normalise_rows
from tests.clustering.dense import identity_rows


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("how", ["camera_mean", "camera_meanstd"])
def test_equals_the_formula(how):
    rows, cameras = identity_rows(60), np.arange(60) % 3
    expected = np.empty_like(rows, dtype=np.float64)
    for camera in range(3):
        own = rows[cameras == camera].astype(np.float64)
        scale = own.std(0) if how == "camera_meanstd" else 1
        expected[cameras == camera] = (own - own.mean(0)) / scale
    result = normalise_rows(rows, cameras, how)
    np.testing.assert_allclose(result, unit(expected), atol=1e-6)


@pytest.mark.parametrize("how", ["camera_mean", "camera_meanstd"])
def test_a_shift_of_a_camera_vanishes(how, monkeypatch):
    """Unit norm would bend the shift, so the check of the norm is taken out of the way."""
    from reidzoo.clustering import rows as checks

    monkeypatch.setattr(checks, "UNIT_TOLERANCE", np.inf)
    rows, cameras = identity_rows(80), np.arange(80) % 4
    shifts = np.random.default_rng(0).standard_normal((4, 64)).astype(np.float32)
    plain = normalise_rows(rows, cameras, how)
    shifted = normalise_rows(rows + shifts[cameras], cameras, how)
    np.testing.assert_allclose(plain, shifted, atol=1e-4)


def test_small_and_unknown_cameras_use_all_images():
    rows = identity_rows(40)
    cameras = np.r_[np.zeros(20, int), np.ones(7, int), np.full(13, -1)]
    result = normalise_rows(rows, cameras, "camera_mean")
    np.testing.assert_allclose(result[20:], unit(rows[20:] - rows.mean(0)), atol=1e-6)
    np.testing.assert_allclose(result[:20], unit(rows[:20] - rows[:20].mean(0)), atol=1e-6)


def test_clusters_across_cameras_are_found_again():
    """With a camera's offset larger than identity differences only the debiased labels join."""
    generator = np.random.default_rng(0)
    identities, cameras = np.repeat(np.arange(8), 24), np.tile(np.arange(3), 64)
    rows = generator.standard_normal((8, 64))[identities]
    rows = rows + 3 * generator.standard_normal((3, 64))[cameras]
    rows = unit(rows + 0.3 * generator.standard_normal(rows.shape))
    plain = JaccardDBSCAN(k1=8)(rows, cameras)
    debiased = JaccardDBSCAN(k1=8, normalise="camera_mean")(rows, cameras)
    assert len(set(debiased.tolist())) == 8
    assert len(set(plain.tolist())) == 24


def test_camera_gap_is_that_of_all_pairs():
    rows, cameras = identity_rows(50), np.arange(50) % 4 - 1
    known = np.flatnonzero(cameras >= 0)
    distances = 2 - 2 * rows.astype(np.float64) @ rows.T
    one, other = np.meshgrid(known, known)
    same = (cameras[one] == cameras[other]) & (one != other)
    across = cameras[one] != cameras[other]
    expected = (
        distances[one[across], other[across]].mean() - distances[one[same], other[same]].mean()
    )
    assert camera_gap(rows, cameras) == pytest.approx(expected, abs=1e-6)


def test_weights_of_even_and_lonely_clusters():
    weights = camera_weights(np.array([0, 0, 0, 1, 1, -1]), np.array([0, 1, 2, 3, 3, 0]))
    np.testing.assert_allclose(weights, [np.log1p(np.log(3)), 0], atol=1e-6)


@pytest.mark.parametrize(
    ("how", "cameras", "message"),
    [
        ("camera", np.zeros(20, int), "normalise='camera'; allowed: none, camera_mean"),
        ("camera_mean", None, "normalise='camera_mean' needs cameras"),
        ("camera_mean", np.zeros(3, int), "cameras has 3 entries for 20 images"),
    ],
)
def test_refusals(how, cameras, message):
    with pytest.raises(ValueError, match=message):
        normalise_rows(identity_rows(20), cameras, how)
