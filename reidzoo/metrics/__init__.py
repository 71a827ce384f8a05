"""Scores: retrieval (mAP, CMC, mINP), verification, agreement of clusters with identities."""

from reidzoo.metrics.camera_bias import camera_nmi, other_camera_share, single_camera_share
from reidzoo.metrics.camera_pairs import CameraPairs, camera_pair_scores
from reidzoo.metrics.distances import distance_blocks
from reidzoo.metrics.identity_errors import IdentityErrors, identity_errors
from reidzoo.metrics.neighbourhood import Neighbourhood, evenly_spaced, nearest_others
from reidzoo.metrics.partition import PartitionScores, partition_scores
from reidzoo.metrics.retrieval import (
    RetrievalScores,
    retrieval_scores,
    retrieval_scores_from_distances,
)
from reidzoo.metrics.silhouette import cosine_silhouette
from reidzoo.metrics.torchmetric import ReIDRetrieval
from reidzoo.metrics.verification import VerificationScores, verification_scores

__all__ = [
    "CameraPairs",
    "IdentityErrors",
    "Neighbourhood",
    "PartitionScores",
    "ReIDRetrieval",
    "RetrievalScores",
    "VerificationScores",
    "camera_nmi",
    "camera_pair_scores",
    "cosine_silhouette",
    "distance_blocks",
    "evenly_spaced",
    "identity_errors",
    "nearest_others",
    "other_camera_share",
    "partition_scores",
    "retrieval_scores",
    "retrieval_scores_from_distances",
    "single_camera_share",
    "verification_scores",
]
