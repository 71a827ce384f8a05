"""A compiled backbone computes and is saved like the others."""

import pytest
import torch

from reidzoo.errors import UserError
from reidzoo.methods.hhcl import HHCL
from reidzoo.models import EmbedderOptions, Teacher, compile_backbone
from tests.tiny import tiny_method

WAVING = EmbedderOptions("small", weights=None, width=4, samples_per_bn=8, waveblock=True)


def test_it_computes_the_same_without_graph_breaks():
    """Ghost batch norm and waves are one graph."""
    plain, compiled = (tiny_method(HHCL, network=WAVING).network for _ in range(2))
    compiled.backbone.compile(backend="eager", fullgraph=True)
    image = torch.randint(0, 256, (16, 3, 32, 16), dtype=torch.uint8)
    rows = []
    for network in (plain, compiled):
        torch.manual_seed(1)  # of the waves
        rows.append(network(image))
        rows[-1][:, 0].sum().backward()
    torch.testing.assert_close(rows[0], rows[1])
    gradients = [[p.grad for p in net.parameters()] for net in (plain, compiled)]
    torch.testing.assert_close(*gradients)
    states = [network.state_dict() for network in (plain, compiled)]
    torch.testing.assert_close(*states)


def test_a_teacher_is_a_copy_of_its_own():
    network = tiny_method(HHCL).network
    compile_backbone(network, "eager")
    teacher = Teacher(network)
    assert teacher.state_dict().keys() == {f"network.{name}" for name in network.state_dict()}
    assert teacher.network.backbone._compiled_call_impl is None


def test_unknown_backend():
    with pytest.raises(UserError, match=r"--compile inducter: .*inductor"):
        compile_backbone(tiny_method(HHCL).network, "inducter")
