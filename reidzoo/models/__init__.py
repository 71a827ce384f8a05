"""Backbones, pooling, neck, ghost batch norm, attention, teacher; loading and saving a network."""

from reidzoo.models.batch_norm import (
    GhostBatchNorm1d,
    GhostBatchNorm2d,
    calibrate_batch_norm,
    use_ghost_batch_norm,
)
from reidzoo.models.cameras import CameraClassifier, reverse_gradient
from reidzoo.models.classifiers import CentroidClassifier
from reidzoo.models.compiling import compile_backbone
from reidzoo.models.embedder import Embedder
from reidzoo.models.masks import drop_blocks
from reidzoo.models.options import EmbedderOptions
from reidzoo.models.predictors import Predictor, RegionPredictor
from reidzoo.models.saving import LoadedEmbedder, TrainedEmbedder, load, save_embedder
from reidzoo.models.stripes import StripeHead, StripeNecks
from reidzoo.models.teacher import Teacher, ramped_momentum
from reidzoo.models.waveblock import set_waving

__all__ = [
    "CameraClassifier",
    "CentroidClassifier",
    "Embedder",
    "EmbedderOptions",
    "GhostBatchNorm1d",
    "GhostBatchNorm2d",
    "LoadedEmbedder",
    "Predictor",
    "RegionPredictor",
    "StripeHead",
    "StripeNecks",
    "Teacher",
    "TrainedEmbedder",
    "calibrate_batch_norm",
    "compile_backbone",
    "drop_blocks",
    "load",
    "ramped_momentum",
    "reverse_gradient",
    "save_embedder",
    "set_waving",
    "use_ghost_batch_norm",
]
