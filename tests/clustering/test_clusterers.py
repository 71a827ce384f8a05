"""What every clusterer must do, and what each of them promises."""

import subprocess
import sys

import numpy as np
import pytest
import sklearn.cluster
import torch

from reidzoo.clustering import (
    HDBSCAN,
    Agglomerative,
    CameraJaccardDBSCAN,
    Clusterer,
    Infomap,
    JaccardDBSCAN,
    KMeans,
)
from tests.clustering.dense import dense_jaccard, identity_rows

CLUSTERERS = [
    JaccardDBSCAN(),
    CameraJaccardDBSCAN(),
    HDBSCAN(),
    KMeans(clusters=10, restarts=5),
    Agglomerative(images_per_cluster=12),
    Infomap(),
]
NORMALISE = ["none", "camera_mean", "camera_meanstd"]


def same_partition(a, b):
    pairs = set(zip(a.tolist(), b.tolist(), strict=True))
    return len(pairs) == len(set(a.tolist())) == len(set(b.tolist()))


@pytest.fixture(scope="module")
def people():
    """Draw 120 images of 10 identities, well apart, under 4 cameras."""
    generator = np.random.default_rng(0)
    identities, cameras = np.repeat(np.arange(10), 12), np.tile(np.arange(4), 30)
    centres = generator.standard_normal((10, 32))
    rows = centres[identities] + 0.2 * generator.standard_normal((120, 32))
    order = generator.permutation(120)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return rows[order], cameras[order], identities[order]


@pytest.mark.parametrize("normalise", NORMALISE)
@pytest.mark.parametrize("clusterer", CLUSTERERS, ids=lambda c: type(c).__name__)
def test_finds_identities_that_are_apart(clusterer, normalise, people):
    rows, cameras, identities = people
    clusterer = type(clusterer)(**{**vars(clusterer), "normalise": normalise})
    assert isinstance(clusterer, Clusterer)
    labels = clusterer(torch.from_numpy(rows), torch.from_numpy(cameras))
    assert labels.dtype == torch.int64
    assert same_partition(labels.numpy(), identities)
    np.testing.assert_array_equal(labels.numpy(), clusterer(rows, cameras))


@pytest.mark.parametrize("clusterer", CLUSTERERS, ids=lambda c: type(c).__name__)
def test_order_of_images_does_not_matter(clusterer, people):
    rows, cameras, _ = people
    order = np.random.default_rng(1).permutation(len(rows))
    labels = clusterer(rows, cameras)
    assert same_partition(clusterer(rows[order], cameras[order]), labels[order])


def test_agglomerative_is_scipys_average_linkage():
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    rows = identity_rows(90)
    distances = dense_jaccard(rows, 15, 4)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average")
    expected = fcluster(tree, 18, "maxclust")
    assert same_partition(Agglomerative(images_per_cluster=5)(rows), expected)


def test_agglomerative_within_cameras(people):
    rows, cameras, identities = people
    labels = Agglomerative(images_per_cluster=3, k1=3, k2=1, per_camera=True)(rows, cameras)
    assert same_partition(labels, identities * 4 + cameras)
    with pytest.raises(ValueError, match="per_camera=True needs cameras"):
        Agglomerative(per_camera=True)(rows)


def test_hdbscan_equals_the_dense_one():
    rows = identity_rows(150, noise=0.7)
    distances = dense_jaccard(rows, 30, 6)
    np.fill_diagonal(distances, 0)
    expected = sklearn.cluster.HDBSCAN(
        min_cluster_size=4, min_samples=4, metric="precomputed", copy=True
    ).fit_predict(distances)
    labels = HDBSCAN(max_distance=0.999999)(rows)
    assert labels.max() > 2
    assert same_partition(labels, expected)


def test_infomap_agrees_with_calr(golden):
    file = golden("calr_full")
    labels = Infomap(k1=int(file["k1"]), min_size=int(file["min_size"]) + 1)(file["features"])
    assert same_partition(labels, file["global_labels"])


def test_missing_extra_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "infomap", None)
    with pytest.raises(ValueError, match=r'pip install "reidzoo\[infomap\]"'):
        Infomap()(identity_rows(20, noise=0.3))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: KMeans(clusters=9)(identity_rows(5)), "clusters=9 of 5 images; allowed: 1 to 5"),
        (lambda: Agglomerative(images_per_cluster=0), "images_per_cluster=0; allowed: 1 or more"),
        (lambda: HDBSCAN(min_cluster_size=1), "min_cluster_size=1"),
        (lambda: JaccardDBSCAN(k1=0), "k1=0, k2=6; allowed: 1 or more"),
        (lambda: JaccardDBSCAN(eps=1.0), "eps=1.0; allowed: 0 <= eps < 1"),
        (lambda: JaccardDBSCAN(normalise="camera_mean")(identity_rows(5)), "needs cameras"),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_infomap_survives_faiss():
    """Both are SWIG modules: with faiss loaded first, infomap's own iterators crash the process."""
    code = """
import faiss, numpy, reidzoo.clustering as c
print(c.Infomap(k1=3, min_size=3)(numpy.eye(2, dtype="f4")[[0, 0, 0, 1, 1, 1]]).tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[0, 0, 0, 1, 1, 1]\n", done.stderr
