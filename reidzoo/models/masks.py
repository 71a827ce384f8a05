"""Masked views of a map: which block each view loses."""

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # splitmix64's constants, as signed integers
FACTORS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)


def keyed_uniform(index: Tensor, step: int, draws: int) -> Tensor:
    """Numbers that depend on (index, step) alone, not on batch, rank or generator (splitmix64).

    Args:
        index: [B] int64.
        step: any counter below 2^40.
        draws: numbers per index, R.

    Returns:
        [R, B] fp32, uniform in [0, 1).

    >>> one = keyed_uniform(torch.tensor([3, 5]), step=7, draws=2)
    >>> one[:, 1:].equal(keyed_uniform(torch.tensor([5]), step=7, draws=2))
    True
    """
    counter = torch.arange(draws, device=index.device)[:, None] + step * draws
    bits = _mix(_mix(index + GOLDEN) + counter * GOLDEN)
    return _shift(bits, 40).float() * 2.0**-24


def folded(keys: Tensor) -> Tensor:
    """One number for each row of several, for `keyed_uniform`.

    Args:
        keys: [B, R] int64.

    Returns:
        [B] int64.

    >>> one, other = folded(torch.tensor([[0, 1, 2], [0, 2, 1]])).tolist()
    >>> one == other
    False
    """
    number = torch.zeros_like(keys[:, 0])
    for column in keys.unbind(1):
        number = _mix(number + column + GOLDEN)
    return number


def drop_blocks(
    index: Tensor, step: int, size: tuple[int, int], ratio: float, width_ratio: float = 1.0
) -> Tensor:
    """Two masks per image, each without one block; the blocks are apart if both fit.

    An image that is twice in a batch gets the same masks twice. A block that would cover the
    whole map, or ratio 0, drops nothing.

    Args:
        index: [B] int64, which images.
        step: changes the draw; the same on every rank.
        size: height and width of the map.
        ratio: height of a block over h, rounded, at least one row.
        width_ratio: width of a block over w; 1 takes full rows.

    Returns:
        keep [2, B, 1, h, w] bool, False inside the block.

    >>> keep = drop_blocks(torch.arange(4), step=0, size=(6, 2), ratio=1 / 3)
    >>> keep.shape, (~keep).sum(dim=(2, 3, 4)).unique(), (keep[0] | keep[1]).all()
    (torch.Size([2, 4, 1, 6, 2]), tensor([4]), tensor(True))
    """
    height, width = size
    rows, columns = max(1, round(ratio * height)), max(1, round(width_ratio * width))
    if ratio == 0 or (rows >= height and columns >= width):
        return torch.ones(2, len(index), 1, height, width, dtype=torch.bool, device=index.device)
    draws = keyed_uniform(index, step, 5)
    top = _spread(draws[:2], draws[2], height, rows)  # [2, B]
    left = (draws[3:] * (width - columns + 1)).long()
    inside_rows = _inside(top, rows, height)[..., :, None]  # [2, B, h, 1]
    inside_columns = _inside(left, columns, width)[..., None, :]  # [2, B, 1, w]
    return ~(inside_rows & inside_columns).unsqueeze(2)


def paired_blocks(
    index: Tensor, step: int, size: tuple[int, int], ratio: float, width_ratio: float = 1.0
) -> Tensor:
    """The masks of `drop_blocks` [2B, 1, h, w] for rows that come in pairs: a a' b b' ...

    >>> paired_blocks(torch.arange(3), step=0, size=(6, 2), ratio=1 / 3).shape
    torch.Size([6, 1, 6, 2])
    """
    return drop_blocks(index, step, size, ratio, width_ratio).transpose(0, 1).flatten(0, 1)


def _spread(draws: Tensor, coin: Tensor, height: int, rows: int) -> Tensor:
    """First rows [2, B] of two blocks: independent, or apart from each other where both fit.

    Two sorted numbers in 0..h - 2b, the later one moved down by b, give blocks that cannot meet;
    the coin says which view gets the upper one.
    """
    if 2 * rows > height:
        return (draws * (height - rows + 1)).long()
    free = (draws * (height - 2 * rows + 1)).long().sort(dim=0).values
    top = free + rows * torch.arange(2, device=draws.device)[:, None]
    return torch.where(coin < 0.5, top, top.flip(0))


def _inside(start: Tensor, length: int, total: int) -> Tensor:
    position = torch.arange(total, device=start.device)
    return (position >= start[..., None]) & (position < start[..., None] + length)


def _shift(bits: Tensor, by: int) -> Tensor:
    """Logical shift to the right; torch's own keeps the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def _mix(bits: Tensor) -> Tensor:
    for by, factor in zip((30, 27), FACTORS, strict=True):
        bits = (bits ^ _shift(bits, by)) * factor
    return bits ^ _shift(bits, 31)
