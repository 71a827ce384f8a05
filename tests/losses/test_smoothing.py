import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reidzoo.losses import smoothed_cross_entropy


@pytest.mark.parametrize("kind", ["plain", "topk"])
def test_golden(golden, kind):
    data = golden("hhcl_labelsmooth")
    logits = torch.from_numpy(data[f"{kind}_logits"]).requires_grad_()
    targets = torch.from_numpy(data[f"{kind}_targets"])
    loss = smoothed_cross_entropy(logits, targets, float(data["epsilon"]))
    loss.backward()
    assert abs(loss.item() - data[f"{kind}_loss"]) < 1e-5
    np.testing.assert_allclose(logits.grad, data[f"{kind}_grad"], atol=1e-6, rtol=0)


def test_without_smoothing_it_is_cross_entropy():
    logits, labels = torch.randn(5, 200), torch.arange(5)
    assert smoothed_cross_entropy(logits, labels, 0.0) == F.cross_entropy(logits, labels)
