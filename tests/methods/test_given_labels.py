"""Every method that trains on clusters takes given labels in their place."""

import numpy as np
import pytest
import torch

from reidzoo.cli.names import methods
from reidzoo.clustering import MinSize
from reidzoo.clustering.given import GivenLabels
from reidzoo.methods.state import FeatureBank
from tests.tiny import tiny_method

N = 96
REFINED = {"CALR"}  # throws members out of clusters, whoever made them


@pytest.mark.parametrize("name", sorted(methods()))
def test_given_labels_are_trained_on_as_they_are(name):
    kind = methods()[name].load()
    if not kind.uses_clusterer:
        pytest.skip("makes labels of its own kind")
    method = tiny_method(kind, filters=[MinSize(50)])
    method.num_cameras = 3
    method.configure_model()
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(N, method.num_features, generator=generator)
    rows = torch.nn.functional.normalize(rows)
    given = torch.randint(-1, 8, (N,), generator=generator)
    method.use_labels(given.numpy())
    found = {"global": rows, "teacher": rows.roll(1, 0), "parts": rows[:, None]}
    bank = FeatureBank(found, torch.arange(N) % 3)
    labels = method.pseudo_label(bank, None, 0).labels
    if kind.__name__ in REFINED:
        assert ((labels == given) | (labels == -1)).all()
        assert (labels >= 0).any()
    else:
        assert torch.equal(labels, given)


def test_given_labels_must_be_as_many_as_images():
    with pytest.raises(ValueError, match="3 labels were given for 2 images"):
        GivenLabels(np.array([0, 0, 1]))(np.eye(2))
