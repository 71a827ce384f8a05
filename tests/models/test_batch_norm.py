import copy

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from reidzoo.models import GhostBatchNorm1d, GhostBatchNorm2d, calibrate_batch_norm
from reidzoo.models.batch_norm import use_ghost_batch_norm


def _pair(ghost_type, samples_per_bn):
    """A ghost norm with random state, and one plain norm per chunk with the same state."""
    ghost = ghost_type(6, samples_per_bn).double()
    nn.init.uniform_(ghost.weight, 0.5, 2)
    nn.init.normal_(ghost.bias)
    nn.init.normal_(ghost.running_mean)
    plain = (nn.BatchNorm1d if ghost_type is GhostBatchNorm1d else nn.BatchNorm2d)(6).double()
    plain.load_state_dict(ghost.state_dict())  # also: the names are those of plain batch norm
    return ghost, plain


@pytest.mark.parametrize(
    ("ghost_type", "tail"), [(GhostBatchNorm1d, ()), (GhostBatchNorm2d, (3, 2))]
)
@pytest.mark.parametrize(
    ("batch", "sizes"),
    [
        (12, [4, 4, 4]),
        (10, [4, 4, 2]),
        (9, [4, 5]),  # a lone last row joins the chunk before it
        (5, [5]),
        (3, [3]),
    ],
)
def test_ghost_equals_a_loop_of_separate_norms(ghost_type, tail, batch, sizes):
    torch.manual_seed(0)
    ghost, plain = _pair(ghost_type, 4)
    norms = [copy.deepcopy(plain) for _ in sizes]
    x = torch.randn(batch, 6, *tail, dtype=torch.double, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weights = torch.randn_like(x)
    out = ghost(x)
    expected = torch.cat([norm(chunk) for norm, chunk in zip(norms, y.split(sizes), strict=True)])
    torch.testing.assert_close(out, expected)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(ghost.weight.grad, sum(norm.weight.grad for norm in norms))
    torch.testing.assert_close(ghost.bias.grad, sum(norm.bias.grad for norm in norms))
    # The buffers are those of the first chunk, as DataParallel kept replica 0.
    for name, buffer in ghost.named_buffers():
        torch.testing.assert_close(buffer, norms[0].get_buffer(name))


def test_ghost_is_plain_in_eval():
    torch.manual_seed(0)
    ghost, plain = _pair(GhostBatchNorm2d, 2)
    x = torch.randn(8, 6, 2, 2, dtype=torch.double)
    torch.testing.assert_close(ghost.eval()(x), plain.eval()(x))


def test_ghost_keeps_channels_last():
    x = torch.randn(8, 6, 3, 2).contiguous(memory_format=torch.channels_last)
    assert GhostBatchNorm2d(6, 4)(x).is_contiguous(memory_format=torch.channels_last)


def test_every_norm_is_replaced_and_keeps_its_state():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 1), BatchNormAct2d(4), nn.Sequential(nn.BatchNorm2d(4, eps=1e-3))
    )
    net[2][0].bias.requires_grad_(False)
    net[1].running_mean.normal_()
    ghost = copy.deepcopy(net)
    use_ghost_batch_norm(ghost, 2)
    assert isinstance(ghost[1], GhostBatchNorm2d)
    assert isinstance(ghost[2][0], GhostBatchNorm2d)
    assert not ghost[2][0].bias.requires_grad
    assert ghost.state_dict().keys() == net.state_dict().keys()
    x = torch.randn(4, 3, 2, 2)
    torch.testing.assert_close(ghost.eval()(x), net.eval()(x))
    chunks = torch.cat([copy.deepcopy(net).train()(chunk) for chunk in x.split(2)])
    torch.testing.assert_close(ghost.train()(x), chunks)


def test_calibration_averages_over_batches_and_restores_modes():
    torch.manual_seed(0)
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Linear(3, 3))
    net[1].eval()
    batches = [torch.randn(16, 3) * 2 + 5 for _ in range(8)]
    calibrate_batch_norm(net, batches)
    means = torch.stack([batch.mean(0) for batch in batches])
    variances = torch.stack([batch.var(0) for batch in batches])
    torch.testing.assert_close(net[0].running_mean, means.mean(0))
    torch.testing.assert_close(net[0].running_var, variances.mean(0))
    assert net[0].momentum == 0.1
    assert (net.training, net[0].training, net[1].training) == (True, True, False)
