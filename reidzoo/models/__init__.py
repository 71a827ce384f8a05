"""Backbones, pooling, neck, ghost batch norm, attention, teacher; loading and saving a network."""

from reidzoo.models.batch_norm import GhostBatchNorm1d, GhostBatchNorm2d, calibrate_batch_norm
from reidzoo.models.embedder import Embedder
from reidzoo.models.options import EmbedderOptions
from reidzoo.models.saving import TrainedEmbedder, load, save_embedder

__all__ = [
    "Embedder",
    "EmbedderOptions",
    "GhostBatchNorm1d",
    "GhostBatchNorm2d",
    "TrainedEmbedder",
    "calibrate_batch_norm",
    "load",
    "save_embedder",
]
