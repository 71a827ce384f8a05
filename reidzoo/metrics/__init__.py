"""Scores: retrieval (mAP, CMC, mINP), verification, agreement of clusters with identities."""

from reidzoo.metrics.camera_pairs import CameraPairs, camera_pair_scores
from reidzoo.metrics.distances import distance_blocks
from reidzoo.metrics.partition import PartitionScores, partition_scores
from reidzoo.metrics.retrieval import (
    RetrievalScores,
    retrieval_scores,
    retrieval_scores_from_distances,
)
from reidzoo.metrics.torchmetric import ReIDRetrieval
from reidzoo.metrics.verification import VerificationScores, verification_scores

__all__ = [
    "CameraPairs",
    "PartitionScores",
    "ReIDRetrieval",
    "RetrievalScores",
    "VerificationScores",
    "camera_pair_scores",
    "distance_blocks",
    "partition_scores",
    "retrieval_scores",
    "retrieval_scores_from_distances",
    "verification_scores",
]
