"""Whether what a method holds can be trained on: every number finite, every memory row filled."""

from itertools import chain

import torch
from torch import nn

from reidzoo.memory.bank import MemoryBank


def unsound_tensor(module: nn.Module) -> str | None:
    """The first fault of weights, statistics and memories in words, None if there is none.

    Waits for the device once; meant for the end of an epoch.

    >>> layer = nn.Linear(2, 1)
    >>> unsound_tensor(layer)
    >>> _ = layer.bias.data.fill_(torch.nan)
    >>> unsound_tensor(layer)
    'bias holds 1 numbers that are not finite'
    """
    floats = {
        name: tensor
        for name, tensor in chain(module.named_parameters(), module.named_buffers())
        if tensor.is_floating_point()
    }
    if floats and not torch.stack([tensor.isfinite().all() for tensor in floats.values()]).all():
        counts = {name: int((~tensor.isfinite()).sum()) for name, tensor in floats.items()}
        name = next(name for name, count in counts.items() if count)
        return f"{name} holds {counts[name]} numbers that are not finite"
    return unfilled_memory(module)


def unfilled_memory(module: nn.Module) -> str | None:
    """The first memory with rows of zeros in words, None if there is none.

    Such a row is as similar to everything as to nothing: its images would be pushed at random.
    """
    for name, part in module.named_modules():
        if isinstance(part, MemoryBank) and not part.begins_at_zero:
            zero = (part.rows == 0).all(-1).flatten().nonzero().flatten()
            if len(zero):
                return (
                    f"memory {name} has {len(zero)} rows of zeros (first: row {int(zero[0])}): "
                    "a cluster without images, or images that cancel out"
                )
    return None
