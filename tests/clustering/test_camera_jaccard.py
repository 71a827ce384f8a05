"""The camera-aware distance against the released code, and its symmetries."""

import logging

import numpy as np
import pytest

from reidzoo.clustering import CameraJaccardDBSCAN, JaccardDBSCAN, camera_jaccard_graph
from tests.clustering.dense import densified, identity_rows

COMBOS = ["5_20_2_4", "3_8_1_2"]


@pytest.mark.parametrize("combo", COMBOS)
def test_golden(golden, combo):
    file = golden("ca_jaccard")
    options = [int(k) for k in combo.split("_")]
    graph = camera_jaccard_graph(file["features"], file["cameras"], *options, 0.999999)
    np.testing.assert_allclose(densified(graph), file[f"jaccard_{combo}"], atol=5e-6)
    assert graph.nnz + graph.shape[0] == file[f"n_lt_one_{combo}"]
    for eps, labels in zip(file["eps"], file[f"labels_{combo}"], strict=True):
        clusterer = CameraJaccardDBSCAN(*options, None, eps=float(eps))
        np.testing.assert_array_equal(clusterer(file["features"], file["cameras"]), labels)


def test_golden_of_a_single_camera(golden):
    file = golden("ca_jaccard")
    cameras = np.zeros(len(file["features"]), dtype=np.int64)
    graph = camera_jaccard_graph(file["features"], cameras, 5, 20, 2, 4, 0.999999)
    expected = file["jaccard_single_camera_5_20_2_4"]
    np.testing.assert_allclose(densified(graph), expected, atol=5e-6)


def test_camera_numbers_do_not_matter():
    features, cameras = identity_rows(120), np.arange(120) % 5
    graph = camera_jaccard_graph(features, cameras)
    other = camera_jaccard_graph(features, np.array([3, 9, 0, 1, 7])[cameras])
    assert abs(graph - other).nnz == 0
    assert abs(graph - graph.T).nnz == 0


def test_first_epoch_averages_as_warmup_says():
    clusterer = CameraJaccardDBSCAN(k2_intra=2, k2_inter=4, warmup_k2=3)
    assert (clusterer.at(0).k2_intra, clusterer.at(0).k2_inter) == (3, 3)
    assert clusterer.at(1) == clusterer
    assert CameraJaccardDBSCAN(warmup_k2=None).at(0) == CameraJaccardDBSCAN(warmup_k2=None)


def test_one_camera_means_the_ordinary_distance(caplog):
    features = identity_rows(90)
    with caplog.at_level(logging.WARNING):
        labels = CameraJaccardDBSCAN()(features, np.zeros(90, dtype=np.int64))
    assert "one camera" in caplog.text
    np.testing.assert_array_equal(labels, JaccardDBSCAN()(features))


def test_cameras_must_be_known():
    with pytest.raises(ValueError, match="needs cameras"):
        CameraJaccardDBSCAN()(identity_rows(9))
    with pytest.raises(ValueError, match="9 of 9 cameras are unknown"):
        CameraJaccardDBSCAN()(identity_rows(9), np.full(9, -1))
