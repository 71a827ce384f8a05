"""Losses: pure functions, tensors in, tensor out; no state, no Lightning."""

from reidzoo.losses.instance import instance_discrimination
from reidzoo.losses.smoothing import smoothed_cross_entropy

__all__ = ["instance_discrimination", "smoothed_cross_entropy"]
