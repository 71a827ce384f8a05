"""torch.compile for the part of a network where the time goes."""

import torch
from torch import nn

from reidzoo.errors import UserError, nearest


def compile_backbone(network: nn.Module, backend: str) -> None:
    """Compile `network.backbone` in place on its first call; names of its weights stay as they are.

    Pooling and neck are a few operations in fp32 and stay as written. Copies (a teacher, a saved
    network) are not compiled.

    Args:
        network: an `Embedder`.
        backend: of torch.compile: inductor, aot_eager, ...

    Raises:
        UserError: no such backend.

    >>> network = nn.Sequential()
    >>> network.backbone = nn.Linear(2, 2)
    >>> compile_backbone(network, "eager")
    >>> network.backbone(torch.ones(1, 2)).shape, list(network.state_dict())
    (torch.Size([1, 2]), ['backbone.weight', 'backbone.bias'])
    """
    known = torch.compiler.list_backends(exclude_tags=())
    if backend not in known:
        raise UserError(f"--compile {backend}: {nearest(backend, known)}")
    backbone = network.get_submodule("backbone")
    backbone.compile(backend=backend)  # unlike torch.compile(backbone), it wraps nothing
