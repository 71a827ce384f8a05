"""How the compiled kernels are made and run: serial code over a range of rows, one range a thread.

Each row has one owner and rows do not share sums, so results do not depend on the number of
threads. Plain threads around kernels that release the GIL need no threading layer: nothing that a
later fork (a loader's worker) could trip over, and compilation takes a third of the time.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from reidzoo.machine_code import check_files

Kernel = TypeVar("Kernel", bound=Callable[..., Any])
RANGES_PER_THREAD = 4  # rows differ in cost: threads that finish early take another range
SMALL = 2048


def compiled(kernel: Kernel) -> Kernel:
    """Compile a kernel on its first call, keep the machine code beside the file."""
    made = cast(Kernel, numba.njit(nogil=True, cache=True, error_model="numpy")(kernel))
    return check_files(made)


def compiled_fast(kernel: Kernel) -> Kernel:
    """Compile a kernel whose sums may be re-ordered, so that they use vector instructions."""
    return check_files(cast(Kernel, numba.njit(nogil=True, cache=True, fastmath=True)(kernel)))


def over_rows(kernel: Callable[..., Any], num_rows: int, *arguments: Any) -> list[Any]:
    """Call `kernel(first, last, *arguments)` on ranges covering all rows; results in row order."""
    # not numba.get_num_threads(): it starts numba's own threads, and raises torch's
    threads = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    ranges = 1 if num_rows < SMALL or threads == 1 else threads * RANGES_PER_THREAD
    bounds = np.linspace(0, num_rows, ranges + 1).astype(np.int64)
    if ranges == 1:
        return [kernel(0, num_rows, *arguments)]
    with ThreadPoolExecutor(threads) as pool:
        calls = [
            pool.submit(kernel, int(first), int(last), *arguments)
            for first, last in pairwise(bounds)
        ]
        return [call.result() for call in calls]


def starts_of(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Turn the lengths of rows [N] into their starts [N + 1], as CSR wants them.

    >>> starts_of(np.array([2, 0, 3]))
    array([0, 2, 2, 5])
    """
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts


@compiled_fast
def dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> np.float32:
    """Inner product of two rows [D]: summed in fp64, rounded to fp32; symmetric to the bit."""
    total = 0.0
    for d in range(len(a)):
        total += np.float64(a[d]) * np.float64(b[d])
    return np.float32(total)
