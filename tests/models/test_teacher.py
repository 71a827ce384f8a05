import copy

import torch
from torch import nn

from reidzoo.models import Embedder, EmbedderOptions, Teacher

SMALL = EmbedderOptions("small", weights=None, width=4)


def test_parameters_average_and_buffers_follow():
    torch.manual_seed(0)
    student = Embedder(SMALL)
    teacher = Teacher(student)
    before = copy.deepcopy(teacher.network)
    image = torch.randint(0, 256, (4, 3, 48, 24), dtype=torch.uint8)
    for parameter in student.parameters():
        parameter.data.add_(torch.randn_like(parameter))
    student(image)
    teacher.update(student, 0.9)
    rows = zip(teacher.network.parameters(), before.parameters(), student.parameters(), strict=True)
    for own, old, new in rows:
        torch.testing.assert_close(own, 0.9 * old + 0.1 * new, rtol=1e-5, atol=1e-6)
    for own, new in zip(teacher.network.buffers(), student.buffers(), strict=True):
        assert own.equal(new)
    teacher.update(student, 0)
    state = teacher.network.state_dict()
    assert all(value.equal(state[name]) for name, value in student.state_dict().items())


def test_it_is_never_trained_nor_put_in_training_mode():
    student = nn.Module()
    student.network = Embedder(SMALL)
    student.teacher = Teacher(student.network)
    student.train()
    assert student.network.training
    assert not any(module.training for module in student.teacher.modules())
    image = torch.randint(0, 256, (4, 3, 48, 24), dtype=torch.uint8)
    before = copy.deepcopy(student.teacher.state_dict())
    assert not student.teacher(image).requires_grad
    assert all(value.equal(before[name]) for name, value in student.teacher.state_dict().items())
    assert not any(parameter.requires_grad for parameter in student.teacher.parameters())
    assert all(parameter.requires_grad for parameter in student.network.backbone.parameters())


def test_its_state_survives_a_checkpoint():
    torch.manual_seed(0)
    teacher, other = Teacher(Embedder(SMALL)), Teacher(Embedder(SMALL))
    other.load_state_dict(teacher.state_dict())
    image = torch.randint(0, 256, (4, 3, 48, 24), dtype=torch.uint8)
    assert other(image).equal(teacher(image))
