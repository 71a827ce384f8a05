"""Losses: pure functions, tensors in, tensor out; no state, no Lightning."""

from reidzoo.losses.agreement import (
    agreement_smoothed_cross_entropy,
    part_guided_cross_entropy,
)
from reidzoo.losses.attraction import pair_attraction
from reidzoo.losses.bounded import bounded_cross_entropy
from reidzoo.losses.camera import camera_losses
from reidzoo.losses.instance import instance_discrimination
from reidzoo.losses.mining import mined_contrast
from reidzoo.losses.proxies import proxy_contrast
from reidzoo.losses.selective import selective_cross_entropy, with_gradient
from reidzoo.losses.smoothing import smoothed_cross_entropy
from reidzoo.losses.triplet import soft_triplet

__all__ = [
    "agreement_smoothed_cross_entropy",
    "bounded_cross_entropy",
    "camera_losses",
    "instance_discrimination",
    "mined_contrast",
    "pair_attraction",
    "part_guided_cross_entropy",
    "proxy_contrast",
    "selective_cross_entropy",
    "smoothed_cross_entropy",
    "soft_triplet",
    "with_gradient",
]
