"""CALR's pivots and refinement against the released code."""

import numpy as np
import pytest
import torch

from reidzoo.clustering import camera_weights, find_pivots, knn, refine_by_pivots
from reidzoo.clustering.pivots import density_scores, similarity_links


def test_golden_refinement(golden):
    file = golden("calr_refine")
    clusters, pivots = find_pivots(file["global_labels"], file["score"])
    np.testing.assert_array_equal(clusters, file["pivot_cluster"])
    np.testing.assert_array_equal(pivots, file["pivot_index"])
    refined = refine_by_pivots(
        file["global_labels"], file["score"], file["camids"], file["local_labels"]
    )
    np.testing.assert_array_equal(refined, file["refined_labels"])
    weights = camera_weights(refined, file["camids"])
    np.testing.assert_allclose(weights, file["cluster_weights"], atol=1e-6)


def test_golden_global_step(golden):
    file = golden("calr_full")
    neighbours = knn(torch.from_numpy(file["features"]), int(file["k1"]))
    np.testing.assert_allclose(1 - neighbours[1], file["knn_dist"], atol=1e-5)
    links = similarity_links(neighbours, float(file["min_sim"])).tocoo()
    expected = dict(zip(map(tuple, file["links"]), file["link_weight"], strict=True))
    found = dict(zip(zip(links.row, links.col, strict=True), links.data, strict=True))
    assert found.keys() == expected.keys()
    assert all(abs(found[pair] - expected[pair]) < 1e-5 for pair in found)
    scores = density_scores(neighbours, float(file["min_sim"]))
    np.testing.assert_allclose(scores, file["score"], atol=1e-3)
    refined = refine_by_pivots(
        torch.from_numpy(file["global_labels"]), scores, file["camids"], file["local_labels"]
    )
    np.testing.assert_array_equal(refined.numpy(), file["refined_labels"])
    assert (refined.numpy() != file["global_labels"]).sum() == file["n_removed"]


def test_max_score_takes_the_best():
    labels, scores = np.array([0, 0, 0, 1, 1]), np.array([5.0, 9.0, 4.0, 0.0, 1.0])
    assert find_pivots(labels, scores, "max_score")[1].tolist() == [1]
    assert find_pivots(labels, scores)[1].tolist() == [2]


def test_unknown_rule_is_named():
    with pytest.raises(ValueError, match="rule='median'; allowed: last_above_mean, max_score"):
        find_pivots(np.zeros(1, int), np.zeros(1), "median")


def test_spared_images_stay(golden):
    file = golden("calr_refine")
    given = (file["global_labels"], file["score"], file["camids"], file["local_labels"])
    refined = refine_by_pivots(*given)
    removed = np.flatnonzero(refined != given[0])
    spared = np.zeros(len(refined), bool)
    spared[removed[::2]] = True
    kept = refine_by_pivots(*given, spared=spared)
    np.testing.assert_array_equal(kept[spared], given[0][spared])
    np.testing.assert_array_equal(kept[~spared], refined[~spared])
