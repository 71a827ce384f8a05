import torch
import torch.nn.functional as F

from reidzoo.memory import HardInstanceMemory


def test_logits_are_the_slow_loop():
    memory = HardInstanceMemory(8, num_instances=3, temperature=0.1)
    memory.reset(F.normalize(torch.randn(3, 5, 8), dim=2))
    x, y = F.normalize(torch.randn(4, 8), dim=1), torch.tensor([0, 4, 4, 2])
    logits = memory.logits(x, y)
    for b in range(4):
        for k in range(5):
            similarities = [float(x[b] @ memory.rows[p, k]) / 0.1 for p in range(3)]
            expected = min(similarities) if k == y[b] else max(similarities)
            assert abs(logits[b, k] - expected) < 1e-5


def test_more_images_than_slots_keep_the_last():
    memory = HardInstanceMemory(2, num_instances=2)
    memory.reset(torch.zeros(2, 2, 2))
    features = torch.arange(6.0).view(3, 2)
    memory.update(features, torch.tensor([1, 1, 1]))
    assert memory.rows[:, 1].tolist() == features[1:].tolist()
    assert memory.rows[:, 0].tolist() == [[0, 0], [0, 0]]


def test_fill_draws_members_of_each_cluster():
    labels = torch.tensor([2, -1, 0, 1, 2, 0, -1, 2])
    features = torch.arange(8.0)[:, None].repeat(1, 2)
    memory = HardInstanceMemory(2, num_instances=50)
    memory.fill(features, labels, torch.Generator().manual_seed(0))
    for k in range(3):
        drawn = set(memory.rows[:, k, 0].long().tolist())
        assert drawn == set((labels == k).nonzero()[:, 0].tolist())
