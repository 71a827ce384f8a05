import torch
from torch.testing import assert_close

from reidzoo.losses import pair_attraction


def test_agrees_with_a_slow_loop():
    positives, weights, negatives = torch.randn(5, 4), torch.rand(5, 4), torch.randn(5, 7)
    negatives[:, 2] = -torch.inf
    for i, loss in enumerate(pair_attraction(positives, weights, negatives)):
        repulsion = negatives[i].exp().sum()
        terms = [-(p.exp() / (p.exp() + repulsion)).log() for p in positives[i]]
        expected = sum(w * term for w, term in zip(weights[i], terms, strict=True))
        assert_close(loss, expected / weights[i].sum())


def test_without_negatives_there_is_nothing_to_learn():
    for negatives in (torch.zeros(1, 0), torch.full((1, 3), -torch.inf)):
        positives = torch.tensor([[0.7]], requires_grad=True)
        loss = pair_attraction(positives, torch.ones(1, 1), negatives)
        loss.sum().backward()
        assert loss.tolist() == [0]
        assert positives.grad.tolist() == [[0]]


def test_an_anchor_without_positives_costs_nothing():
    positives = torch.randn(2, 3, requires_grad=True)
    weights = torch.tensor([[0.0, 0, 0], [1, 1, 1]])
    loss = pair_attraction(positives, weights, torch.randn(2, 4))
    loss.sum().backward()
    assert loss[0] == 0
    assert not positives.grad[0].any()
    assert positives.grad[1].all()
