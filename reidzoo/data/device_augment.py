"""The training augmentation for a whole batch on the device, where many workers would be needed.

Equal in distribution to `transforms`, which stays the default, and as much a function of the draw's
key: numbers come from a hash of (key, view), not from a generator, so neither the batch, the rank
nor the number of workers matters. The two do not draw the same numbers for the same key.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor

from reidzoo.data.augment import ERASE_TRIES, ERASED, Augment
from reidzoo.models.masks import folded, keyed_uniform

LUMA = (0.299, 0.587, 0.114)


def augment_batch(image: Tensor, key: Tensor, augment: Augment, view: int = 0) -> Tensor:
    """Flip, jitter, shift and erase each image of a batch as its key says.

    Args:
        image: [B, 3, H, W] uint8, as decoded.
        key: [B, 3] int64, (seed, epoch, position) of each draw.
        augment: how much.
        view: tells several draws of one key apart.

    Returns:
        [B, 3, H, W] uint8.

    >>> image = torch.arange(96, dtype=torch.uint8).view(1, 3, 8, 4)
    >>> augment_batch(image, torch.tensor([[0, 1, 7]]), Augment(flip=1, pad=0, erase=0))[0, 0, 0]
    tensor([3, 2, 1, 0], dtype=torch.uint8)
    """
    draws = keyed_uniform(folded(key), view, 13 + 2 * ERASE_TRIES)  # [R, B]
    flip, down, right, erase, top, left = draws[:6]
    areas, aspects = draws[13:].chunk(2)
    moved = _move(image, flip < augment.flip, _step(down, augment.pad), _step(right, augment.pad))
    if augment.jitter:
        moved = _jitter(moved, draws[6:13], augment)
    box = _boxes(areas, aspects, top, left, (image.shape[2], image.shape[3]), augment)
    inside = box & (erase < augment.erase)[:, None, None]
    colour = _column(ERASED, moved.device).to(moved.dtype)
    return torch.where(inside[:, None], colour, moved)


def _step(draw: Tensor, pad: int) -> Tensor:
    """Whole numbers [B] in -pad..pad."""
    return (draw * (2 * pad + 1)).long() - pad


def _move(image: Tensor, flip: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Mirror where `flip` [B], then move by `down` and `right` [B] pixels over black."""
    B, _, H, W = image.shape
    row = torch.arange(H, device=image.device) - down[:, None]  # [B, H], where each comes from
    column = torch.arange(W, device=image.device) - right[:, None]
    seen = _within(row, H)[:, :, None] & _within(column, W)[:, None, :]  # [B, H, W]
    column = torch.where(flip[:, None], W - 1 - column, column)
    which = torch.arange(B, device=image.device)[:, None, None]
    taken = image.movedim(1, -1)[
        which, row.clamp(0, H - 1)[:, :, None], column.clamp(0, W - 1)[:, None, :]
    ]
    return (taken * seen[..., None]).movedim(-1, 1)  # channels last in memory, as it came


def _within(place: Tensor, size: int) -> Tensor:
    return (place >= 0) & (place < size)


def _jitter(image: Tensor, draws: Tensor, augment: Augment) -> Tensor:
    """Saturation, channel gains, brightness and gamma as `transforms.Jitter`, from draws [7, B]."""
    j = augment.jitter
    # A normal variable is sqrt(2) erfinv(2 u - 1); half a step keeps u = 0 away from infinity.
    normal = math.sqrt(2) * torch.erfinv((2 * draws[:5] - 1) + 2.0**-24)
    brightness, gamma = (0.3 * j * normal[0]).exp(), (0.25 * j * normal[1]).exp()  # [B]
    gains = (0.16 * j * normal[2:5]).exp() * brightness  # [3, B]
    saturation = (1 + (draws[5] - 0.6) * j)[:, None, None, None]
    luma = (image * _column(LUMA, image.device)).sum(1, keepdim=True)
    mixed = (saturation * image + (1 - saturation) * luma).round().clamp(0, 255) / 255
    lit = (mixed * gains.T[:, :, None, None]).clamp(max=1) ** gamma[:, None, None, None]
    on = (draws[6] < augment.jitter_probability)[:, None, None, None]
    return torch.where(on, (255 * lit).round().to(image.dtype), image)


def _boxes(
    areas: Tensor, aspects: Tensor, top: Tensor, left: Tensor, size: tuple[int, int], a: Augment
) -> Tensor:
    """Pixels [B, H, W] of the first rectangle that fits; none where no try [T, B] does."""
    H, W = size
    low, high = a.erase_area
    area = (low + areas * (high - low)) * H * W
    low, high = a.erase_aspect
    aspect = low + aspects * (high - low)
    heights, widths = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    fits = (heights < H) & (widths < W)  # [T, B]
    first = fits.to(torch.uint8).argmax(0, keepdim=True)
    height, width = heights.gather(0, first)[0].long(), widths.gather(0, first)[0].long()
    top, left = (top * (H - height + 1)).long(), (left * (W - width + 1)).long()
    rows = torch.arange(H, device=areas.device) - top[:, None]
    columns = torch.arange(W, device=areas.device) - left[:, None]
    inside = ((rows >= 0) & (rows < height[:, None]))[:, :, None]
    inside = inside & ((columns >= 0) & (columns < width[:, None]))[:, None, :]
    return inside & fits.any(0)[:, None, None]


@lru_cache
def _column(values: tuple[float, ...], device: torch.device) -> Tensor:
    """[3, 1, 1], copied to the device once: a step should not wait for that."""
    return torch.tensor(values, device=device).view(3, 1, 1)
