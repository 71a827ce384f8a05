import math

import pytest
import torch
from sklearn.metrics import silhouette_samples

from reidzoo.metrics.silhouette import cosine_silhouette


@pytest.fixture
def clustered():
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(-1, 6, (150,), generator=generator)
    centres = torch.randn(7, 16, generator=generator)
    rows = centres[labels] + 0.8 * torch.randn(150, 16, generator=generator)
    return torch.nn.functional.normalize(rows), labels


def test_is_that_of_scikit_learn(clustered):
    features, labels = clustered
    kept = labels >= 0
    widths = torch.from_numpy(
        silhouette_samples(features[kept].numpy(), labels[kept].numpy(), metric="cosine")
    )
    assert cosine_silhouette(features, labels) == pytest.approx(float(widths.mean()), abs=1e-5)

    rows = torch.arange(0, 150, 7)  # a sample, outliers among it
    assert (labels[rows] < 0).any()
    sampled = torch.zeros(150, dtype=torch.bool)
    sampled[rows] = True
    expected = float(widths[sampled[kept]].mean())
    assert cosine_silhouette(features, labels, rows) == pytest.approx(expected, abs=1e-5)


def test_a_cluster_of_one_counts_as_zero():
    features = torch.eye(3)[[0, 0, 1, 1, 2]]
    assert cosine_silhouette(features, torch.tensor([0, 0, 1, 1, 2])) == pytest.approx(4 / 5)


def test_unknown_without_two_clusters():
    features = torch.eye(4)
    assert math.isnan(cosine_silhouette(features, torch.tensor([0, 0, 0, -1])))
    assert math.isnan(cosine_silhouette(features, torch.full((4,), -1)))
    assert math.isnan(cosine_silhouette(features, torch.tensor([0, 1, -1, -1]), torch.tensor([2])))
