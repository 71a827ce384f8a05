"""Exact k nearest neighbours among unit rows, in blocks: memory grows with N, never with N x N.

A matrix product proposes; it may be rough (bfloat16, or fp32 summed in any order), because every
candidate that its error bound cannot rule out is scored again, in fp64 rounded to fp32, before the
k best are taken. So the answer does not depend on what made the candidates.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from reidzoo.clustering.contracts import Array
from reidzoo.clustering.products import blocks, rough, rough_error, rough_product, sum_error
from reidzoo.clustering.rows import checked_rows, like

Backend: TypeAlias = Literal["auto", "numba", "torch", "faiss"]
Found: TypeAlias = tuple[Tensor, Tensor]
Propose: TypeAlias = Callable[[Tensor, int], Found]

SPARE = 18  # candidates fetched beyond k: enough unless scores crowd around the k-th


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
    own = torch.arange(len(rows), device=rows.device)
    indices, similarities = nearest(rows, rows, k, own, backend)
    return like(indices, features), like(similarities, features)


def nearest(
    queries: Tensor, base: Tensor, k: int, own: Tensor | None = None, backend: Backend = "auto"
) -> Found:
    """Find the k rows of `base` [M, D] most similar to each query [Q, D], ties by lower index.

    Args:
        queries: unit rows [Q, D] float32.
        base: unit rows [M, D] float32, on the same device.
        k: how many; 1 <= k <= M.
        own: [Q] which row of the base a query is: it comes first (-1: none); None: none is.
        backend: as for `knn`.

    Returns:
        indices [Q, k] int64 into the base and similarities [Q, k] float32, on the same device.

    >>> nearest(torch.eye(2), torch.eye(2), 1)[0].tolist()
    [[0], [1]]
    """
    if not 1 <= k <= len(base):
        raise ValueError(f"k={k} neighbours asked of {len(base)} rows; allowed: 1 to {len(base)}")
    if own is None:
        own = torch.full((len(queries),), -1, device=queries.device)
    if backend == "auto":
        backend = "numba" if queries.device.type == "cpu" else "torch"
    if backend == "numba":
        found = _by_selection(queries.cpu(), base.cpu(), k, own.cpu())
    elif backend == "torch":
        found = _by_proposals(
            queries, base, k, own, _product(queries, base), rough_error(queries, base)
        )
    elif backend == "faiss":
        queries, base = queries.cpu(), base.cpu()
        found = _by_proposals(queries, base, k, own.cpu(), _faiss(queries, base), sum_error(base))
    else:
        raise ValueError(f"backend={backend!r}; allowed: auto, numba, torch, faiss")
    return found[0].to(own.device), found[1].to(own.device)


def _by_selection(queries: Tensor, base: Tensor, k: int, own: Tensor) -> Found:
    """Score a block of queries against the base, select in compiled code."""
    from reidzoo.clustering import selection
    from reidzoo.clustering.compiled import over_rows

    rough_base, slack = rough(base), 2 * rough_error(queries, base)
    indices = np.empty((len(queries), k), dtype=np.int64)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    for first, last in blocks(len(queries), 4 * len(base)):
        block = slice(first, last)
        scores = rough_product(queries[block], rough_base).numpy()
        over_rows(
            selection.select_nearest, last - first, scores, slack, queries[block].numpy(),
            base.numpy(), own[block].numpy(), indices[block], similarities[block],
        )  # fmt: skip
    return torch.from_numpy(indices), torch.from_numpy(similarities)


def _by_proposals(
    queries: Tensor, base: Tensor, k: int, own: Tensor, propose: Propose, error: float
) -> Found:
    """Fetch k + SPARE candidates a query and score them; queries not proved complete fetch more."""
    indices = torch.empty(len(queries), k, dtype=torch.int64, device=base.device)
    similarities = torch.empty(len(queries), k, device=base.device)
    pending, width = torch.arange(len(queries), device=base.device), k + SPARE
    while len(pending):
        width = min(width, len(base))
        unproved = []
        for first, last in blocks(len(pending), max(4 * len(base), 12 * width * base.shape[1])):
            block = pending[first:last]
            scores, candidates = propose(block, width)
            left_out = scores[:, -1] + error  # the best that a row not fetched can have
            missing = (own[block] >= 0) & ~(candidates == own[block, None]).any(1)
            candidates[missing, -1] = own[block][missing]  # more copies of it than the width
            best = _best_of(queries[block], base, own[block], candidates, k)
            indices[block], similarities[block] = best
            unproved.append(block[left_out >= similarities[block, -1]])
        pending = torch.cat(unproved) if width < len(base) else pending[:0]
        width *= 4
    return indices, similarities


def _best_of(queries: Tensor, base: Tensor, own: Tensor, candidates: Tensor, k: int) -> Found:
    """Score candidates [b, w] of queries [b, D] to the last bit of fp32 and take the k best."""
    candidates = candidates.sort(dim=1).values  # ascending, so that a stable sort keeps ties so
    scores = (queries[:, None].double() * base[candidates]).sum(-1).float()  # [b, w]
    key = scores.masked_fill(candidates == own[:, None], torch.inf)
    order = key.argsort(dim=1, descending=True, stable=True)[:, :k]
    return candidates.gather(1, order), scores.gather(1, order)


def _product(queries: Tensor, base: Tensor) -> Propose:
    rough_base = rough(base)

    def propose(block: Tensor, width: int) -> Found:
        best = rough_product(queries[block], rough_base).topk(width, dim=1)
        return best.values, best.indices

    return propose


def _faiss(queries: Tensor, base: Tensor) -> Propose:
    import faiss

    index = faiss.IndexFlatIP(base.shape[1])
    index.add(base.numpy())

    def propose(block: Tensor, width: int) -> Found:
        scores, candidates = index.search(queries[block].numpy(), width)
        return torch.from_numpy(scores), torch.from_numpy(candidates)

    return propose
