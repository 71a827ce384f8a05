"""Take the camera out of the features before they are clustered."""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from reidzoo.clustering.contracts import Array
from reidzoo.clustering.rows import checked_rows, integers, refuse

Normalise: TypeAlias = Literal["none", "camera_mean", "camera_meanstd"]
SMALL_CAMERA = 8  # images; below it, statistics of all images are steadier
VANISHED = 1e-5  # of a unit row: what is left is rounding


def normalise_rows(
    features: Array, cameras: Array | None = None, how: Normalise = "none"
) -> Tensor:
    """Remove each camera's mean, or mean and standard deviation, from its rows; then L2.

    Song, Park, Lee, "Exploring the Camera Bias of Person Re-identification" (ICLR 2025). Rows of an
    unknown camera (-1), or of one with fewer than 8 images, use the statistics of all images.
    Adding one vector to all rows of a camera before the L2 norm changes nothing.

    Args:
        features: unit rows [N, D].
        cameras: [N] integers, -1 unknown; needed unless `how` is "none".
        how: "none" (only checks the rows), "camera_mean" or "camera_meanstd".

    Returns:
        unit rows [N, D] float32 on the device of the features.

    Raises:
        ValueError: no cameras, an unknown `how`, or rows that equal their camera's mean.

    >>> import numpy as np
    >>> normalise_rows(np.eye(2), np.array([0, 1]), "camera_mean").shape
    torch.Size([2, 2])
    """
    rows = checked_rows(features)
    if how == "none":
        return rows
    if how not in ("camera_mean", "camera_meanstd"):
        raise ValueError(f"normalise={how!r}; allowed: none, camera_mean, camera_meanstd")
    if cameras is None:
        raise ValueError(f"normalise={how!r} needs cameras [N]; give them or use normalise='none'")
    numbers = torch.from_numpy(integers(cameras, "cameras", len(rows))).to(rows.device)
    result = torch.empty_like(rows)
    known = sorted(set(numbers[numbers >= 0].tolist()))
    own = [numbers == camera for camera in known]
    own = [members for members in own if members.sum() >= SMALL_CAMERA]
    rest = ~torch.stack(own).any(0) if own else torch.ones_like(numbers, dtype=torch.bool)
    everything = torch.ones_like(rest)
    for members, source in [(members, members) for members in own] + [(rest, everything)]:
        result[members] = _standardised(rows[members], rows[source], how == "camera_meanstd")
    norms = torch.linalg.vector_norm(result, dim=1, keepdim=True)
    refuse((norms < VANISHED).flatten(), "equal the mean of their camera; use normalise='none'")
    return result.div_(norms)


def _standardised(rows: Tensor, source: Tensor, divide: bool) -> Tensor:
    """Subtract the mean of `source` [M, D] and, if asked, divide by its standard deviation."""
    mean = source.mean(0, dtype=torch.float64)
    if not divide:
        return (rows - mean).float()
    deviation = (source - mean).square().mean(0).sqrt()
    return ((rows - mean) / deviation.clamp(min=VANISHED)).float()
