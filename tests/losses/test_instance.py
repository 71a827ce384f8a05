import torch

from reidzoo.losses import instance_discrimination


def test_agrees_with_a_slow_loop():
    rows = torch.nn.functional.normalize(torch.randn(6, 8), dim=1)
    own = torch.arange(6)
    positive = own ^ 1
    expected = []
    for a in range(6):
        weights = torch.stack([(rows[a] @ rows[b] / 0.2).exp() for b in range(6)])
        others = sum(weights[b] for b in range(6) if b != a)
        expected.append(-(weights[a ^ 1] / others).log())
    loss = instance_discrimination(rows, rows, own, positive, 0.2)
    torch.testing.assert_close(loss, torch.stack(expected).mean())
