"""Talk between processes; the only file that names torch.distributed. One process: all no-ops."""

import itertools
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn

from reidzoo.errors import ELSEWHERE, UserError

Value = TypeVar("Value")
POLL = 0.02  # seconds between two looks at the store
_computed = itertools.count()  # numbers the computations of rank 0, alike on every rank


def is_distributed() -> bool:
    """Whether several processes train together."""
    return distributed.is_available() and distributed.is_initialized() and world_size() > 1


def rank() -> int:
    """Rank of this process, 0 alone."""
    ready = distributed.is_available() and distributed.is_initialized()
    return distributed.get_rank() if ready else 0


def world_size() -> int:
    """Number of processes, 1 alone."""
    ready = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if ready else 1


def gather(rows: Tensor) -> Tensor:
    """Join the rows of all ranks in rank order; every rank passes the same shape.

    Args:
        rows: [B, ...] of any dtype, no gradient flows through.

    Returns:
        [W * B, ...], the same on every rank.
    """
    if not is_distributed():
        return rows
    rows = rows.detach().contiguous()
    parts = [torch.empty_like(rows) for _ in range(world_size())]
    distributed.all_gather(parts, rows)
    return torch.cat(parts)


class _GatherWithGradient(torch.autograd.Function):
    """Forward: `gather`; backward: each rank takes the sum of all ranks' gradients of its rows."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        return gather(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        return total.chunk(world_size())[rank()]


def gather_with_gradient(rows: Tensor) -> Tensor:
    """`gather` through which gradients flow back to the rank that made each row."""
    if not is_distributed():
        return rows
    return cast(Tensor, _GatherWithGradient.apply(rows))


def broadcast_object(value: Value) -> Value:
    """Give every rank what rank 0 holds (tensors, numbers, strings; moved as CPU data)."""
    if not is_distributed():
        return value
    box = [value]
    distributed.broadcast_object_list(box, src=0)
    return box[0]


@torch.no_grad()
def broadcast_buffers(module: nn.Module) -> None:
    """Overwrite batch-norm statistics and other float buffers with those of rank 0.

    Each rank sees its own part of a batch, so running statistics drift apart; without this, ranks
    would extract features with different networks and a resumed run would not be exact.
    """
    if is_distributed():
        for buffer in module.buffers():
            distributed.broadcast(buffer, src=0)


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over the global batch with its own denominator, exact under gradient averaging.

    DDP averages gradients over ranks, so each rank divides by the mean over ranks of the
    denominators: the average of the ranks' results is then sum(w v) / sum(w) of the joined batch.

    Args:
        values: [B] losses per image, with gradient.
        weights: [B] non-negative, 0 leaves an image out.

    Returns:
        Scalar; 0 (with a gradient path) when all weights are 0.

    >>> weighted_mean(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([1.0, 1.0, 0.0]))
    tensor(2.)
    """
    denominator = weights.detach().sum()
    if is_distributed():
        distributed.all_reduce(denominator)
        denominator = denominator / world_size()
    tiny = torch.finfo(denominator.dtype).tiny
    return (weights * values).sum() / denominator.clamp_min(tiny)


def sum_of_means(values: Tensor, groups: Tensor) -> Tensor:
    """Sum over groups of the mean of each in the global batch, exact under gradient averaging.

    Args:
        values: [B] losses per image, with gradient.
        groups: [B] int64, which group each image belongs to; any numbers.

    Returns:
        Scalar.

    >>> sum_of_means(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([7, 7, -1]))
    tensor(7.)
    """
    sizes = (groups[:, None] == gather(groups)).sum(1)
    return world_size() * (values / sizes).sum()


def on_rank_zero(compute: Callable[[], Value]) -> Value:
    """Compute on rank 0 alone; its result, or its error, reaches every rank.

    Others ask the store whether rank 0 is done and only then enter a collective. Clustering a
    million images can so take hours: a collective under way would end by its time-out, half an
    hour or less. Between two questions a signal is noticed, too.

    >>> on_rank_zero(lambda: 6 * 7)
    42

    Raises:
        Exception: on rank 0 what `compute` raised; elsewhere a UserError if it was one, else a
            RuntimeError, which name rank 0 in a note.
    """
    if not is_distributed():
        return compute()
    done, store = f"reidzoo/rank zero/{next(_computed)}", _store()
    result: Value | None = None
    error: Exception | None = None
    if rank() == 0:
        try:
            result = compute()
        except Exception as problem:
            error = problem
        store.set(done, "")
    while not store.check([done]):
        time.sleep(POLL)
    mistake = isinstance(error, UserError)
    failed, mistake, words = broadcast_object((error is not None, mistake, str(error)))
    if failed:
        if error is None:
            error = UserError(words) if mistake else RuntimeError(words)
            error.add_note(ELSEWHERE)
        raise error
    return cast(Value, broadcast_object(result))


def open_store() -> Any:
    """A new connection to the keys and values that all ranks share, for a thread of one's own.

    Returns:
        A `torch.distributed.Store`; None while there is no group of processes.
    """
    return _store().clone() if is_distributed() else None


def _store() -> Any:
    return distributed.distributed_c10d._get_default_store()
