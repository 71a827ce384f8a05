"""Exact k nearest neighbours among unit rows, in blocks: memory grows with N, never with N x N.

A matrix product proposes; it may be rough (bfloat16, or fp32 summed in any order), because every
candidate that its error bound cannot rule out is scored again, in fp64 rounded to fp32, before the
k best are taken. So the answer does not depend on what made the candidates.
"""

from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from reidzoo.clustering.contracts import Array
from reidzoo.clustering.rows import checked_rows, like

Backend: TypeAlias = Literal["auto", "numba", "torch", "faiss"]
Found: TypeAlias = tuple[Tensor, Tensor]
Propose: TypeAlias = Callable[[Tensor, int], Found]

BLOCK_BYTES = 128 << 20  # of scores, or of gathered rows, at a time
SPARE = 18  # candidates fetched beyond k: enough unless scores crowd around the k-th
BFLOAT16_FROM = 256  # for shorter rows the product is not what costs


def knn(features: Array, k: int, backend: Backend = "auto") -> tuple[Array, Array]:
    """Find the k most similar rows of every row: itself first, ties by lower index.

    Args:
        features: unit rows [N, D], array or tensor of any float type and device.
        k: neighbours per row, the row itself included; 1 <= k <= N.
        backend: "numba" (on the processor), "torch" (on the tensor's device) or "faiss"; "auto"
            takes torch on an accelerator and numba elsewhere. All find the same neighbours.

    Returns:
        indices [N, k] int64 and inner products [N, k] float32, descending, of the kind given.

    Raises:
        ValueError: k outside 1..N, an unknown backend, or rows that are not finite unit rows.

    >>> indices, similarities = knn(np.array([[1, 0], [0, 1], [0.6, 0.8]]), 2)
    >>> indices.tolist()
    [[0, 2], [1, 2], [2, 1]]
    """
    rows = checked_rows(features)
    if not 1 <= k <= len(rows):
        raise ValueError(f"k={k} neighbours asked of {len(rows)} rows; allowed: 1 to {len(rows)}")
    if backend == "auto":
        backend = "numba" if rows.device.type == "cpu" else "torch"
    if backend == "numba":
        found = _by_selection(rows.cpu(), k)
    elif backend == "torch":
        found = _by_proposals(rows, k, _product(rows), _rough_error(rows))
    elif backend == "faiss":
        found = _by_proposals(rows.cpu(), k, _faiss(rows.cpu()), _sum_error(rows))
    else:
        raise ValueError(f"backend={backend!r}; allowed: auto, numba, torch, faiss")
    return like(found[0], features), like(found[1], features)


def _by_selection(rows: Tensor, k: int) -> Found:
    """Score a block against all rows, select in compiled code."""
    from reidzoo.clustering import selection
    from reidzoo.clustering.compiled import over_rows

    rough, slack = _rough(rows), 2 * _rough_error(rows)
    indices = np.empty((len(rows), k), dtype=np.int64)
    similarities = np.empty((len(rows), k), dtype=np.float32)
    for first, last in _blocks(len(rows), 4 * len(rows)):
        scores = (rough[first:last] @ rough.T).float().numpy()
        over_rows(
            selection.select_nearest, last - first, first, scores, slack, rows.numpy(),
            indices, similarities,
        )  # fmt: skip
    return torch.from_numpy(indices), torch.from_numpy(similarities)


def _by_proposals(rows: Tensor, k: int, propose: Propose, error: float) -> Found:
    """Fetch k + SPARE candidates a row and score them; rows not proved complete fetch more."""
    indices = torch.empty(len(rows), k, dtype=torch.int64, device=rows.device)
    similarities = torch.empty(len(rows), k, device=rows.device)
    pending, width = torch.arange(len(rows), device=rows.device), k + SPARE
    while len(pending):
        width = min(width, len(rows))
        unproved = []
        for first, last in _blocks(len(pending), max(4 * len(rows), 12 * width * rows.shape[1])):
            own = pending[first:last]
            scores, candidates = propose(own, width)
            indices[own], similarities[own] = _nearest_of(rows, own, candidates, k)
            left_out = scores[:, -1] + error  # the best that a row not fetched can have
            proved = left_out < similarities[own, -1]
            unproved.append(own[~proved])
        pending = torch.cat(unproved) if width < len(rows) else pending[:0]
        width *= 4
    return indices, similarities


def _nearest_of(rows: Tensor, own: Tensor, candidates: Tensor, k: int) -> Found:
    """Score candidates [b, w] of the rows `own` to the last bit of fp32 and take the k best."""
    candidates = candidates.sort(dim=1).values  # ascending, so that a stable sort keeps ties so
    scores = (rows[own, None].double() * rows[candidates]).sum(-1).float()  # [b, w]
    key = scores.masked_fill(candidates == own[:, None], torch.inf)  # itself first
    order = key.argsort(dim=1, descending=True, stable=True)[:, :k]
    return candidates.gather(1, order), scores.gather(1, order)


def _product(rows: Tensor) -> Propose:
    rough = _rough(rows)

    def propose(own: Tensor, width: int) -> Found:
        scores = (rough[own] @ rough.T).float()
        scores[torch.arange(len(own), device=rows.device), own] = 2  # always among its own
        best = scores.topk(width, dim=1)
        return best.values, best.indices

    return propose


def _faiss(rows: Tensor) -> Propose:
    import faiss

    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows.numpy())

    def propose(own: Tensor, width: int) -> Found:
        scores, candidates = index.search(rows[own].numpy(), width)
        missing = ~(candidates == own.numpy()[:, None]).any(axis=1)  # too many copies of it
        candidates[missing, -1] = own.numpy()[missing]
        return torch.from_numpy(scores), torch.from_numpy(candidates)

    return propose


def _rough(rows: Tensor) -> Tensor:
    """What the product multiplies: bfloat16 where the hardware does that several times faster."""
    return rows.bfloat16() if _rounds(rows) else rows


def _rough_error(rows: Tensor) -> float:
    """Bound on |rough score - final score|, for rows of norm 1."""
    if not _rounds(rows):
        return _sum_error(rows)
    lost = float((rows - rows.bfloat16().float()).norm(dim=1).max())
    return 2.02 * lost + 1.02 * 2**-9 + _sum_error(rows)  # both factors, and the rounded result


def _sum_error(rows: Tensor) -> float:
    return 1.02 * (rows.shape[1] + 1) * 2**-24  # a sum of D products in any order, then rounded


def _rounds(rows: Tensor) -> bool:
    if rows.shape[1] < BFLOAT16_FROM:
        return False
    if rows.device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


def _blocks(count: int, bytes_each: int) -> Iterator[tuple[int, int]]:
    step = max(1, BLOCK_BYTES // bytes_each)
    for first in range(0, count, step):
        yield first, min(first + step, count)
