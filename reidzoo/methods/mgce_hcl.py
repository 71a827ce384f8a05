"""MGCE-HCL: HCL whose pairs count by how many clusterings of several granularities agree.

Sun, Li, Li, "Hybrid Contrastive Learning with Cluster Ensemble for Unsupervised Person
Re-identification", ACPR 2021 (arXiv 2201.11995). The graph of an epoch is clustered at T radii;
the priority of a pair is the share of clusterings that put it together, so that doubtful positives
count less.

    w_ij = (1/T) sum_t [i and j are in one cluster at radius eps_t]
    L = mean_i (sum_{j in S(i)} w_ij L_ij) / (sum_{j in S(i)} w_ij), L_ij as in HCL

The log shows how many pairs have a priority below 1 (cluster/doubtful_pairs): near 0, this is HCL.

Fidelity: reconstruction from the abstract; no code and no full text could be had.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from reidzoo.clustering import as_graph_clusterer, labels_around
from reidzoo.methods.hcl import HCL
from reidzoo.methods.state import FeatureBank, PseudoLabels


class MGCEHCL(HCL):
    """As HCL, with priorities as weights.

    Args:
        offsets: what is added to the clusterer's eps, one number per granularity; the first one
            makes the labels.
    """

    def __init__(
        self, *, offsets: Sequence[float] = (0.0, -0.04, -0.02, 0.02, 0.04), **base: Any
    ) -> None:
        super().__init__(**base)
        as_graph_clusterer(self.clusterer)  # refuse early
        self.offsets = tuple(offsets)

    def clusterings(self, features: Tensor, cameras: Tensor) -> Tensor:
        """Labels [T, N] at all radii."""
        return labels_around(self.clusterer, features, cameras, self.offsets)

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """As HCL, and the share of pairs on which the granularities disagree."""
        labels = super().pseudo_label(bank, previous, epoch)
        weights = labels.tables["weights"]
        pairs = weights[weights > 0]
        doubtful = (pairs < 1).float().mean().nan_to_num()  # no pairs at all: 0
        return PseudoLabels(labels.labels, {**labels.tables, "doubtful_pairs": doubtful})
