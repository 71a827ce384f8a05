"""Label filters keep what they promise, and say when they step aside."""

import logging

import numpy as np
import pytest
import torch

from reidzoo.clustering import LabelFilter, MinCameras, MinSize, SelfPaced

LABELS = np.array([2, 2, 2, 0, 0, 1, -1, 1])
CAMERAS = np.array([0, 0, 0, 0, 1, 2, 2, 2])


@pytest.mark.parametrize("label_filter", [MinSize(2), MinCameras(2), SelfPaced()])
def test_protocol(label_filter):
    assert isinstance(label_filter, LabelFilter)


def test_min_size_renumbers():
    assert MinSize(3)(LABELS).tolist() == [0, 0, 0, -1, -1, -1, -1, -1]
    assert MinSize(1)(LABELS).tolist() == LABELS.tolist()
    assert MinSize(9)(LABELS).tolist() == [-1] * 8


def test_min_cameras_removes_clusters_of_one_camera():
    expected = [-1, -1, -1, 0, 0, -1, -1, -1]
    assert MinCameras(2)(LABELS, cameras=CAMERAS).tolist() == expected
    tensors = torch.from_numpy(LABELS), None, torch.from_numpy(CAMERAS)
    assert torch.equal(MinCameras(2)(*tensors), torch.tensor(expected))


def test_a_cluster_with_an_unknown_camera_is_kept():
    cameras = np.where(np.arange(8) == 5, -1, CAMERAS)
    assert MinCameras(2)(LABELS, cameras=cameras).tolist() == [-1, -1, -1, 0, 0, 1, -1, 1]


@pytest.mark.parametrize("cameras", [np.zeros(8, int), np.full(8, -1)])
def test_one_camera_or_none_known_switches_it_off(cameras, caplog):
    with caplog.at_level(logging.INFO):
        assert MinCameras(2)(LABELS, cameras=cameras).tolist() == LABELS.tolist()
    assert "MinCameras is off" in caplog.text


def test_too_few_clusters_left_skips_it(caplog):
    filtered = MinCameras(2, min_clusters=2)(LABELS, cameras=CAMERAS)
    assert filtered.tolist() == LABELS.tolist()
    assert "it would leave 1 of 3 clusters, min_clusters=2" in caplog.text


def test_what_a_filter_needs_is_named():
    with pytest.raises(ValueError, match="MinCameras needs cameras"):
        MinCameras()(LABELS)
    with pytest.raises(ValueError, match="cameras has 7 entries for 8 images"):
        MinCameras()(LABELS, cameras=CAMERAS[:7])
    with pytest.raises(ValueError, match="SelfPaced needs features"):
        SelfPaced()(LABELS)
    with pytest.raises(ValueError, match="labels must be integers"):
        MinSize()(LABELS.astype(float))


def test_nothing_clustered_stays_so():
    nobody = np.full(4, -1)
    assert MinSize(2)(nobody).tolist() == [-1] * 4
    assert MinCameras(2)(nobody, cameras=np.arange(4)).tolist() == [-1] * 4
