import pytest
import torch
from torch.testing import assert_close

from reidzoo.losses import mined_contrast

LABELS = torch.tensor([0, 1, 0, 2, 1, 0, -1, 3])


@pytest.mark.parametrize("pick", ["hardest", "mean"])
@pytest.mark.parametrize("hardest", [1, 3, 50, None])
def test_agrees_with_a_slow_loop(hardest, pick):
    similarity = torch.rand(4, 8)
    labels, index = LABELS[:4], torch.arange(4)
    positive = (labels[:, None] == LABELS) & (torch.arange(8) != index[:, None])
    negative = labels[:, None] != LABELS
    losses = mined_contrast(similarity, positive, negative, 0.1, hardest, pick)
    for i, loss in enumerate(losses[:3]):
        near = similarity[i][positive[i]]
        p = ((near.min() if pick == "hardest" else near.mean()) / 0.1).exp()
        far = similarity[i][negative[i]].sort(descending=True).values[:hardest]
        assert_close(loss, -(p / (p + (far / 0.1).exp().sum())).log())
    assert losses[3] == 0  # nobody shares its label


def test_a_step_brings_the_hardest_positive_closer_and_the_hardest_negatives_away():
    similarity = torch.rand(1, 8, requires_grad=True)
    positive = torch.arange(8)[None] < 3
    mined_contrast(similarity, positive, ~positive, 0.1, hardest=2).sum().backward()
    with torch.no_grad():
        lowest = similarity[0, :3].argmin()
        highest = 3 + similarity[0, 3:].topk(2).indices
    gradient = similarity.grad[0]
    assert gradient[lowest] < 0
    assert (gradient[highest] > 0).all()
    assert (gradient != 0).sum() == 3


def test_no_positive_and_no_negative_are_harmless():
    similarity = torch.rand(2, 4, requires_grad=True)
    positive = torch.tensor([[False] * 4, [True] * 4])
    losses = mined_contrast(similarity, positive, torch.zeros(2, 4).bool(), 0.1)
    losses.sum().backward()
    assert losses.tolist() == [0, 0]
    assert not similarity.grad.any()
