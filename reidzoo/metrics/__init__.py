"""Scores: retrieval (mAP, CMC, mINP) and agreement of clusters with identities."""

from reidzoo.metrics.distances import distance_blocks
from reidzoo.metrics.partition import PartitionScores, partition_scores
from reidzoo.metrics.retrieval import (
    RetrievalScores,
    retrieval_scores,
    retrieval_scores_from_distances,
)
from reidzoo.metrics.torchmetric import ReIDRetrieval

__all__ = [
    "PartitionScores",
    "ReIDRetrieval",
    "RetrievalScores",
    "distance_blocks",
    "partition_scores",
    "retrieval_scores",
    "retrieval_scores_from_distances",
]
