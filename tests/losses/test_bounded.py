import torch
import torch.nn.functional as F

from reidzoo.losses import bounded_cross_entropy


def test_is_the_formula_in_double_precision():
    logits, labels = 9 * torch.randn(50, 7).double(), torch.randint(6, (50,))
    logits[:, 6] = -torch.inf
    exp = logits.exp()
    p = exp.gather(1, labels[:, None])[:, 0] / (exp.sum(1) + 1e-6)
    torch.testing.assert_close(bounded_cross_entropy(logits, labels), -(p + 1e-6).log().mean())


def test_is_cross_entropy_where_nothing_is_small():
    logits, labels = torch.randn(50, 7), torch.randint(7, (50,))
    expected = F.cross_entropy(logits, labels)
    torch.testing.assert_close(bounded_cross_entropy(logits, labels), expected, atol=1e-4, rtol=0)


def test_does_not_overflow():
    logits = torch.tensor([[1000.0, 0.0, -torch.inf]], requires_grad=True)
    bounded_cross_entropy(logits, torch.tensor([1])).backward()
    assert logits.grad.isfinite().all()
