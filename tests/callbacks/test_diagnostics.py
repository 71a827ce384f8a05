"""Each figure moves as notebooks/02_read_the_clusters.ipynb says, on drawn people."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reidzoo.callbacks.diagnostics import describe_labels, stability
from reidzoo.clustering import JaccardDBSCAN, normalise_rows
from reidzoo.images import ImageFiles
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models.histogram import colour_histogram
from tests.tiny import tiny_data


@pytest.fixture(scope="module")
def data():
    data = tiny_data()
    data.prepare_data()
    data.setup()
    return data


def histograms(data, tint):
    """Rows of clothes' colours; each camera dims or lights red and blue by up to `tint`."""
    files = ImageFiles([record.path for record in data.splits.train], data.height, data.width)
    gains = 1 + tint * np.array([[-1, 0, 1], [1, 0, -1], [-1, 0, -1], [1, 0, 1]])
    rows = [
        colour_histogram((image * gains[camera]).clip(0, 255).astype(np.uint8))
        for image, camera in zip(files, data.cameras.tolist(), strict=True)
    ]
    return torch.from_numpy(np.stack(rows))


def describe(data, rows, eps=0.5, labels=None):
    labels = JaccardDBSCAN(k1=12, k2=4, eps=eps, min_samples=3)(rows) if labels is None else labels
    report = describe_labels(
        PseudoLabels(labels), None, FeatureBank({"global": rows}, data.cameras), data
    )
    return SimpleNamespace(**{name.removeprefix("cluster/"): v for name, v in report.items()})


def test_cameras_are_seen_in_the_features_and_taken_out_by_their_mean(data):
    plain, tinted = histograms(data, 0.0), histograms(data, 0.5)
    clean = normalise_rows(tinted, data.cameras, "camera_mean")
    weak, strong, debiased = (describe(data, rows) for rows in (plain, tinted, clean))
    for better in (weak, debiased):
        assert better.camera_gap < strong.camera_gap
        assert better.other_camera_share > strong.other_camera_share
        assert better.camera_nmi < strong.camera_nmi
        assert better.single_camera_share < strong.single_camera_share
        assert better.split_errors < strong.split_errors  # people are torn apart by camera
    assert abs(debiased.camera_gap) < 0.05


def test_a_wide_radius_merges_and_a_narrow_one_loses(data):
    rows = normalise_rows(histograms(data, 0.0), data.cameras, "camera_mean")
    narrow, right, wide = (describe(data, rows, eps) for eps in (0.2, 0.5, 0.7))
    assert narrow.outlier_share > 2 * right.outlier_share
    assert narrow.lost_identities > right.lost_identities
    assert narrow.split_errors > right.split_errors
    assert wide.size_max > 2 * right.size_max
    assert wide.merge_errors > 2 * right.merge_errors
    assert wide.silhouette < right.silhouette


def test_true_people_have_no_errors_whatever_the_features(data):
    people = data.identities.unique(return_inverse=True)[1]
    found = describe(data, histograms(data, 0.0), labels=people)
    assert (found.split_errors, found.merge_errors, found.lost_identities) == (0, 0, 0)
    assert found.single_camera_share == 0
    assert 0 < found.camera_nmi < 0.1  # chance and habits: never quite 0


def test_what_cannot_be_told_is_left_out():
    rows = torch.eye(4)
    unknown = SimpleNamespace(num_cameras=0, has_identities=False)
    bank = FeatureBank({"global": rows}, torch.full((4,), -1))
    report = describe_labels(PseudoLabels(torch.full((4,), -1)), None, bank, unknown)
    assert report.keys() == {"cluster/count", "cluster/outlier_share"} | {
        f"cluster/neighbour_q{level}" for level in ("05", "25", "50", "75", "95")
    }
    broken = FeatureBank({"global": rows * torch.nan}, torch.tensor([0, 0, 1, 1]))
    known = SimpleNamespace(num_cameras=2, has_identities=False)
    report = describe_labels(PseudoLabels(torch.tensor([0, 1, 0, 1])), None, broken, known)
    assert all(map(math.isfinite, report.values()))
    assert "cluster/camera_gap" not in report


def test_labels_that_share_no_image_have_no_stability():
    assert math.isnan(stability(torch.tensor([0, -1]), torch.tensor([-1, 0])))
