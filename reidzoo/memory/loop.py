"""The loop that moves rows, compiled: on the CPU as it is written, on CUDA one label a program.

Neither reads anything back to the host, so a step is queued without waiting for the device. Vector
forms of the loop either wait (for the largest number of images of one label, which decides how many
turns there are) or pay for the worst case, in which all images have the same label.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reidzoo.machine_code import check_files

TINY = 1e-12  # least norm, as in torch.nn.functional.normalize


def walk(
    rows: Tensor, features: Tensor, labels: Tensor, keep: float, take: float, unit: bool
) -> None:
    """For each (f, y) in batch order: `rows[y] <- keep rows[y] + take f`, of norm 1 if `unit`.

    Sums are made in batch order on any device, so all ranks get the same bits. Other devices than
    the CPU and CUDA (with triton, which torch brings along) take the way over the CPU.

    Args:
        rows: [C, D] or [C, S, D] fp32, contiguous, changed in place.
        features: [B, D] or [B, S, D], no gradient flows through.
        labels: [B] int64 in 0..C-1; a negative one moves nothing, a larger one is an IndexError
            on the CPU and moves nothing on CUDA, where nobody looks.
        keep: weight of the old row.
        take: weight of the feature.
        unit: divide each row (or each of the S parts) by its norm after every image.
    """
    if not features.numel():
        return
    D = rows.shape[-1]
    parts = rows.view(len(rows), features[0].numel() // D, D)
    taken = features.detach().to(rows).contiguous().view(len(labels), *parts.shape[1:])
    if rows.is_cuda and _has_triton():
        from reidzoo.memory.loop_cuda import walk_runs

        walk_runs(parts, taken, labels, keep, take, unit)
        return
    moved = parts.cpu()  # the rows themselves where they are on the CPU
    weights = np.float32(keep), np.float32(take)
    _walk(moved.numpy(), taken.cpu().numpy(), labels.cpu().numpy(), *weights, unit)
    if not rows.is_cpu:
        parts.copy_(moved)


# Not `fastmath=True`, which assumes that there are no NaN.
@check_files
@numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _walk(
    rows: NDArray[Any],
    features: NDArray[Any],
    labels: NDArray[np.int64],
    keep: np.float32,
    take: np.float32,
    unit: bool,
) -> None:
    for i in range(len(labels)):
        if labels[i] < 0:
            continue
        if labels[i] >= len(rows):
            raise IndexError("a label is beyond the rows of the memory")
        for s in range(rows.shape[1]):
            row, feature = rows[labels[i], s], features[i, s]
            squares = 0.0  # fp64
            for d in range(len(row)):
                row[d] = keep * row[d] + take * feature[d]
                squares += row[d] * row[d]
            if unit:
                norm = np.float32(max(np.sqrt(squares), TINY))
                for d in range(len(row)):
                    row[d] /= norm


def _has_triton() -> bool:
    try:
        import triton  # noqa: F401
    except ImportError:
        return False
    return True
