"""The Jaccard graph in torch, for tensors on an accelerator: the kernels' steps as sorts and sums.

Every sum adds its terms in a fixed order (stable sorts, sums over segments), so results do not
change from run to run; they equal the compiled kernels' to rounding.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

BLOCK_ENTRIES = 1 << 24  # of intermediate tensors


class Sparse(NamedTuple):
    """Rows of a square CSR matrix: lengths [N] and columns [nnz] int64, values [nnz] float32."""

    lengths: Tensor
    columns: Tensor
    values: Tensor

    @property
    def starts(self) -> Tensor:
        """Where each row starts, [N]."""
        return self.lengths.cumsum(0) - self.lengths


def reciprocal_weights(rows: Tensor, ranks: Tensor, half: int) -> Sparse:
    """Weigh each row's expanded k-reciprocal set.

    Args:
        rows: unit rows [N, D] float32.
        ranks: neighbours [N, k1] int64, the row itself first.
        half: length of the half lists, at most k1.

    Returns:
        weights that sum to 1 in every row, columns ascending.
    """
    N, k1 = ranks.shape
    mutual, half_sets = torch.empty_like(ranks), ranks.new_empty(N, half)
    for first, last in _row_blocks(N, k1 * k1):
        own = torch.arange(first, last, device=ranks.device)[:, None, None]
        named = ranks[ranks[first:last]] == own  # [b, k1, k1]: the neighbour's list names the row
        mutual[first:last] = ranks[first:last].where(named.any(2), N)
        near = ranks[first:last, :half]
        half_sets[first:last] = near.where(named[:, :half, :half].any(2), N)
    half_sets = torch.cat([half_sets, half_sets.new_full((1, half), N)])  # row N: nobody
    pieces = []
    for first, last in _row_blocks(N, k1 * half * k1):
        own = mutual[first:last]
        sets = half_sets[own]  # [b, k1, half]
        inside = sets < N
        shared = (sets[..., None] == own[:, None, None, :]).any(3) & inside
        added = 3 * shared.sum(2) > 2 * inside.sum(2)  # [b, k1]
        members = torch.cat([own, sets.where(added[..., None], N).flatten(1)], dim=1).sort(1).values
        kept = members < N
        kept[:, 1:] &= members[:, 1:] != members[:, :-1]
        pieces.append(_softmax_of(rows, first, members[kept], kept.sum(1)))
    return _joined(pieces)


def averaged(weights: Sparse, groups: Tensor) -> Sparse:
    """Replace each row by the mean of the rows `groups[i]` [N, g], added in the order given."""
    N, g = groups.shape
    widest = int(weights.lengths.max())
    pieces = []
    for first, last in _row_blocks(N, g * widest):
        members = groups[first:last].flatten()
        lengths = weights.lengths[members]
        entries = _runs(weights.starts[members], lengths)
        local = torch.arange(last - first, device=groups.device).repeat_interleave(g)
        keys = local.repeat_interleave(lengths) * N + weights.columns[entries]
        keys, sums = _summed(keys, weights.values[entries])
        pieces.append(
            Sparse(torch.bincount(keys // N, minlength=last - first), keys % N, (sums / g).float())
        )
    return _joined(pieces)


def near_pairs(weights: Sparse, limit: float) -> Sparse:
    """Find all pairs of rows at Jaccard distance <= limit, both ways round, columns ascending."""
    N = len(weights.lengths)
    order = weights.columns.argsort(stable=True)
    row_of = torch.arange(N, device=order.device).repeat_interleave(weights.lengths)
    members, masses = row_of[order], weights.values[order]  # by column, rows ascending
    lengths = torch.bincount(weights.columns, minlength=N)
    starts = lengths.cumsum(0) - lengths
    found = []
    for first, last in _entry_blocks(lengths[weights.columns], weights.lengths):
        columns, own = weights.columns[first:last], row_of[first:last]
        counts = lengths[columns]
        entries = _runs(starts[columns], counts)
        rows, others = own.repeat_interleave(counts), members[entries]
        minima = masses[entries].minimum(weights.values[first:last].repeat_interleave(counts))
        later = others > rows
        keys, shared = _summed(rows[later] * N + others[later], minima[later])
        distances = (1 - shared / (2 - shared)).clamp_min(0)
        near = distances <= limit
        found.append((keys[near], distances[near]))
    keys = torch.cat([keys for keys, _ in found])
    keys, order = torch.cat([keys, keys % N * N + keys // N]).sort()
    values = torch.cat([distances for _, distances in found]).repeat(2)[order].float()
    return Sparse(torch.bincount(keys // N, minlength=N), keys % N, values)


def _softmax_of(rows: Tensor, first: int, columns: Tensor, lengths: Tensor) -> Sparse:
    """Weigh the columns of rows first.. by a softmax of minus squared distances."""
    own = torch.arange(first, first + len(lengths), device=rows.device).repeat_interleave(lengths)
    values = torch.cat(
        [
            (rows[own[a:b]].double() * rows[columns[a:b]]).sum(1).float()
            for a, b in _row_blocks(len(columns), 4 * rows.shape[1])
        ]
    )
    values = torch.exp(2 * values - 2)
    sums = torch.segment_reduce(values.double(), "sum", lengths=lengths, unsafe=True)
    return Sparse(lengths, columns, values / sums.float().repeat_interleave(lengths))


def _summed(keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Sum the values of equal keys in fp64, in the order given; keys come back ascending."""
    keys, order = keys.sort(stable=True)
    unique, counts = torch.unique_consecutive(keys, return_counts=True)
    return unique, torch.segment_reduce(values[order].double(), "sum", lengths=counts, unsafe=True)


def _runs(starts: Tensor, lengths: Tensor) -> Tensor:
    """List start, start + 1, ... of each run, one run after the other."""
    shift = starts - (lengths.cumsum(0) - lengths)
    total = torch.arange(int(lengths.sum()), device=starts.device)
    return total + shift.repeat_interleave(lengths)


def _joined(pieces: list[Sparse]) -> Sparse:
    return Sparse(*(torch.cat(parts) for parts in zip(*pieces, strict=True)))


def _row_blocks(count: int, entries_each: int) -> Iterator[tuple[int, int]]:
    step = max(1, BLOCK_ENTRIES // entries_each)
    for first in range(0, count, step):
        yield first, min(first + step, count)


def _entry_blocks(costs: Tensor, lengths: Tensor) -> Iterator[tuple[int, int]]:
    """Cut the entries [nnz] into whole rows that cost about BLOCK_ENTRIES together."""
    ends = lengths.cumsum(0)
    totals = torch.cat([costs.new_zeros(1), costs.cumsum(0)])[ends].cpu()  # after each row
    ends = ends.cpu()
    first, spent, row = 0, 0, 0
    while row < len(ends):
        stop = int(torch.searchsorted(totals, spent + BLOCK_ENTRIES, right=True))
        row = max(row + 1, stop)
        last = int(ends[row - 1])
        if last > first:
            yield first, last
        first, spent = last, int(totals[row - 1])
