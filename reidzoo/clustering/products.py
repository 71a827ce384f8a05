"""Inner products of many unit rows: exact to fp32, or rough and fast with a bound on the error."""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK_BYTES = 128 << 20  # of scores, or of gathered rows, at a time
BFLOAT16_FROM = 256  # for shorter rows the product is not what costs


def exact_product(a: Tensor, b: Tensor) -> Tensor:
    """Inner products [A, B] of rows in full fp32, whatever the trainer around it prefers.

    >>> exact_product(torch.eye(2), torch.ones(1, 2))
    tensor([[1.],
            [1.]])
    """
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(a.device.type, enabled=False):
            return a @ b.T
    finally:
        torch.set_float32_matmul_precision(precision)


def rough(rows: Tensor) -> Tensor:
    """Round rows to bfloat16 where the hardware multiplies these several times faster."""
    return rows.bfloat16() if _rounds(rows) else rows


def rough_product(a: Tensor, rough_b: Tensor) -> Tensor:
    """Inner products [A, B], float32, of rows and of what `rough` made of other rows."""
    if rough_b.dtype == torch.float32:
        return exact_product(a, rough_b)
    with torch.autocast(a.device.type, enabled=False):
        return (a.to(rough_b.dtype) @ rough_b.T).float()


def rough_error(a: Tensor, b: Tensor) -> float:
    """Bound on how far `rough_product` is from the inner product of unit rows, rounded to fp32."""
    if not _rounds(b):
        return sum_error(b)
    moved = _largest_move(a) + _largest_move(b)  # Cauchy-Schwarz, for both factors
    return 1.05 * (moved + 2**-8) + sum_error(b)  # the result is rounded to 8 bits as well


def sum_error(rows: Tensor) -> float:
    """Bound on the error of an fp32 sum of D products, in any order, for unit rows [N, D]."""
    return 1.05 * (rows.shape[1] + 1) * 2**-24


def blocks(count: int, bytes_each: int) -> Iterator[tuple[int, int]]:
    """Cut 0..count into ranges of about BLOCK_BYTES.

    >>> list(blocks(3, BLOCK_BYTES))
    [(0, 1), (1, 2), (2, 3)]
    """
    step = max(1, BLOCK_BYTES // bytes_each)
    for first in range(0, count, step):
        yield first, min(first + step, count)


def _largest_move(rows: Tensor) -> float:
    """How far rounding to bfloat16 moves a row, at most."""
    return max(
        float((rows[first:last] - rows[first:last].bfloat16().float()).norm(dim=1).max())
        for first, last in blocks(len(rows), 4 * rows.shape[1])
    )


def _rounds(rows: Tensor) -> bool:
    if rows.shape[1] < BFLOAT16_FROM:
        return False
    if rows.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
