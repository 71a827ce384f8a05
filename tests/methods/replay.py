"""Play the steps of a golden file through a method and compare loss, gradient and memory."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from reidzoo.methods.base import Method


def replay(
    method: Method,
    inputs: np.ndarray,
    batches: list[dict[str, Tensor]],
    losses: np.ndarray,
    gradients: np.ndarray,
    normalise: bool = False,
    after_step: Callable[[int], None] = lambda step: None,
) -> None:
    """Losses within 1e-5, gradients within 1e-6, as tests/goldens demands."""
    for step, batch in enumerate(batches):
        x = torch.from_numpy(inputs[step]).requires_grad_()
        out = {"global": torch.nn.functional.normalize(x, dim=1) if normalise else x}
        loss = torch.stack(list(method.compute_loss(out, batch).values())).sum()
        loss.backward()
        method.update({name: value.detach() for name, value in out.items()}, batch)
        assert abs(loss.item() - losses[step]) < 1e-5
        np.testing.assert_allclose(x.grad, gradients[step], atol=1e-6, rtol=0)
        after_step(step)


def label_batches(targets: np.ndarray) -> list[dict[str, Tensor]]:
    """One batch of labels per step."""
    return [{"label": torch.from_numpy(labels)} for labels in targets]
