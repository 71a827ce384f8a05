"""SpCL's self-paced labels: a cluster is trusted if it survives a tighter and a looser DBSCAN.

Ge et al., "Self-paced Contrastive Learning with Hybrid Memory" (NeurIPS 2020), exact to the
released code (`specs/spcl.md`). The released code compares N x N matrices; here the size of an
intersection is the count of a pair of labels, so one sort of N numbers does it.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reidzoo.clustering.contracts import AnyArray, Array, CamerasIn, renumber
from reidzoo.clustering.dbscan import JaccardDBSCAN
from reidzoo.clustering.normalisation import Normalise
from reidzoo.clustering.rows import integers, like

TRUSTED_SHARE = 0.9  # of the clusters that the threshold lets pass when it is set
SLACK = 1e-9  # scores are ratios of small integers: equal ones must compare equal


class Reliability(NamedTuple):
    """What `self_paced_labels` returns; low scores are reliable.

    Args:
        labels: [N] int64; images that are not trusted have a label of their own, after all others.
        compactness: [N] float64, R_comp: what the tighter clustering changes, 0 nothing.
        independence: [N] float64, R_indep: what the looser clustering changes, 0 nothing.
        threshold: largest independence score of a trusted cluster.
    """

    labels: NDArray[np.int64]
    compactness: NDArray[np.float64]
    independence: NDArray[np.float64]
    threshold: float


def with_singletons(labels: AnyArray) -> NDArray[np.int64]:
    """Give each outlier a label of its own: C, C + 1, ... in the order of the images.

    >>> with_singletons(np.array([-1, 0, 0, -1]))
    array([1, 0, 0, 2])
    """
    result = integers(labels, "labels").copy()
    outliers = result < 0
    result[outliers] = result.max(initial=-1) + 1 + np.arange(outliers.sum())
    return result


def disagreement(labels: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compare each image's two clusters: 1 - intersection / union, [N] float64.

    >>> disagreement(np.array([0, 0, 1]), np.array([0, 1, 1])).round(2)
    array([0.5 , 0.67, 0.5 ])
    """
    _, place, shared = np.unique(
        labels * (others.max(initial=0) + 1) + others, return_inverse=True, return_counts=True
    )
    both = shared[place]
    union = np.bincount(labels)[labels] + np.bincount(others)[others] - both
    return 1 - both / union


def self_paced_labels(
    labels: AnyArray, tight: AnyArray, loose: AnyArray, threshold: float | None = None
) -> Reliability:
    """Keep an image in its cluster only while the cluster is independent and the image compact.

    Args:
        labels: [N] of DBSCAN at eps, -1 outlier.
        tight: [N] at a smaller eps.
        loose: [N] at a larger eps.
        threshold: of the first epoch, which SpCL keeps; None sets it, so that 90 % of the clusters
            pass.

    >>> same = np.array([0, 0, 1, 1, -1])
    >>> self_paced_labels(same, same, same).labels
    array([0, 0, 1, 1, 2])
    """
    given = with_singletons(labels)
    compactness = disagreement(given, with_singletons(tight))
    independence = disagreement(given, with_singletons(loose))
    worst_independence, best_compactness = _lowest(given, independence), _lowest(given, compactness)
    if threshold is None:
        several = np.sort(worst_independence[np.bincount(given) > 1])
        place = min(len(several) - 1, round(TRUSTED_SHARE * len(several)))
        threshold = float(several[place]) if len(several) else 0.0
    trusted = (worst_independence[given] <= threshold + SLACK) & (
        compactness <= best_compactness[given] + SLACK
    )
    result = np.where(trusted, given, -1)
    result[~trusted] = given.max(initial=-1) + 1 + np.arange((~trusted).sum())
    return Reliability(result, compactness, independence, threshold)


@dataclass(frozen=True)
class SelfPaced:
    """Label filter: images that SpCL's scores do not trust become outliers.

    The labels given must come from the same distance: k1, k2, eps, min_samples and normalise must
    be those of the clusterer. One more Jaccard graph serves both further DBSCANs.

    Args:
        k1: length of the neighbour lists, the image itself included.
        k2: images averaged in local query expansion.
        eps: radius that made the labels.
        gap: the tighter and the looser radius are eps - gap and eps + gap.
        min_samples: neighbours that make a core image, itself included.
        normalise: camera normalisation of the features, as for the clusterer.

    >>> rows = np.eye(8, dtype=np.float32)[[0, 0, 0, 0, 1]]
    >>> SelfPaced(k1=4, k2=1)(np.array([0, 0, 0, 0, -1]), rows)
    array([ 0,  0,  0,  0, -1])
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": ("normalise",)}

    k1: int = 30
    k2: int = 6
    eps: float = 0.6
    gap: float = 0.02
    min_samples: int = 4
    normalise: Normalise = "none"

    def __call__(
        self, labels: Array, features: Array | None = None, cameras: Array | None = None
    ) -> Array:
        """Filter labels [N] int64 (-1 outlier) by features [N, D]."""
        if features is None:
            raise ValueError("SelfPaced needs features [N, D]; give them or drop the filter")
        clusterer = JaccardDBSCAN(
            self.k1, self.k2, self.eps + self.gap, self.min_samples, self.normalise
        )
        graph = clusterer.graph(features, cameras)
        tight = clusterer.labels(graph, self.eps - self.gap)
        given = integers(labels, "labels", len(tight))
        refined = self_paced_labels(given, tight, clusterer.labels(graph)).labels
        return like(renumber(np.where(refined == given, given, -1)), labels)


def _lowest(labels: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the lowest score of each label [L]."""
    lowest = np.full(labels.max(initial=-1) + 1, np.inf)
    np.minimum.at(lowest, labels, scores)
    return lowest
