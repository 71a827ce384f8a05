"""How well clusters agree with true identities: for diagnosis only, never for training.

Source of the definitions: CALR, evaluation/metrics.py (specs/pipeline.md, section 9).
"""

from typing import Any, NamedTuple, TypedDict, cast

import numpy as np

from reidzoo.metrics.truth import Integers, as_integers


class PartitionScores(TypedDict):
    """Agreement of clusters with identities, in 0..1 (ARI may fall below 0) except `expansion`.

    `expansion` is the mean number of clusters that an identity is spread over, 1 at best.
    """

    ari: float
    nmi: float
    pairwise_precision: float
    pairwise_recall: float
    pairwise_f: float
    bcubed_precision: float
    bcubed_recall: float
    bcubed_f: float
    expansion: float
    coverage: float


class _Table(NamedTuple):
    """The contingency table by its filled cells: at most one per image, whatever the clusters."""

    counts: Integers  # [cells] images of one identity in one cluster
    identities: Integers  # [cells] images of the cell's identity
    clusters: Integers  # [cells] images of the cell's cluster
    identity_sizes: Integers  # [identities]
    cluster_sizes: Integers  # [clusters]


def partition_scores(identities: Any, labels: Any) -> PartitionScores:
    """Compare labels with identities on the rows that have both; O(N) memory.

    Edge cases: a precision without any claimed pair and a recall without any pair to find are 1, so
    equal partitions always score 1; without any labelled row coverage is 0 and the rest NaN.

    Args:
        identities: [N] integers, array or tensor; rows of negative identity (unknown) are left out.
        labels: [N] integers; -1 rows (outliers) are left out, `coverage` is the share that stays.

    Raises:
        ValueError: lengths differ, or no row has a known identity.

    >>> scores = partition_scores([1, 1, 2, 2, 3], [0, 0, 1, 1, -1])
    >>> scores["ari"], scores["expansion"], scores["coverage"]
    (1.0, 1.0, 0.8)
    """
    truth, found = as_integers("identities", identities), as_integers("labels", labels)
    if len(truth) != len(found):
        raise ValueError(
            f"identities has {len(truth)} entries and labels {len(found)}: give one of each per row"
        )
    known = int((truth >= 0).sum())
    if not known:
        raise ValueError(f"none of the {len(truth)} identities is known (0 or more)")
    kept = (truth >= 0) & (found >= 0)
    if not kept.any():
        undefined = dict.fromkeys(PartitionScores.__annotations__, float("nan"))
        return cast(PartitionScores, undefined | {"coverage": 0.0})
    table = _tabulate(truth[kept], found[kept])
    both, same_identity, same_cluster, every = (
        _pairs(sizes)
        for sizes in (table.counts, table.identity_sizes, table.cluster_sizes, kept.sum()[None])
    )
    pairwise = _precision_recall_f(_ratio(both, same_cluster), _ratio(both, same_identity))
    bcubed = _precision_recall_f(
        float(table.counts @ (table.counts / table.clusters)) / int(kept.sum()),
        float(table.counts @ (table.counts / table.identities)) / int(kept.sum()),
    )
    return {
        "ari": _adjusted_rand(both, same_identity, same_cluster, every),
        "nmi": _normalised_information(table),
        "pairwise_precision": pairwise[0],
        "pairwise_recall": pairwise[1],
        "pairwise_f": pairwise[2],
        "bcubed_precision": bcubed[0],
        "bcubed_recall": bcubed[1],
        "bcubed_f": bcubed[2],
        "expansion": len(table.counts) / len(table.identity_sizes),
        "coverage": int(kept.sum()) / known,
    }


def _tabulate(truth: Integers, found: Integers) -> _Table:
    _, row, row_sizes = np.unique(truth, return_inverse=True, return_counts=True)
    _, column, column_sizes = np.unique(found, return_inverse=True, return_counts=True)
    cell, counts = np.unique(row * len(column_sizes) + column, return_counts=True)
    at_row, at_column = np.divmod(cell, len(column_sizes))
    return _Table(counts, row_sizes[at_row], column_sizes[at_column], row_sizes, column_sizes)


def _pairs(sizes: Integers) -> int:
    """Ordered pairs of different images inside groups of these sizes."""
    return int(sizes @ (sizes - 1))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _precision_recall_f(precision: float, recall: float) -> tuple[float, float, float]:
    both = precision + recall
    return precision, recall, 2 * precision * recall / both if both else 0.0


def _adjusted_rand(both: int, same_identity: int, same_cluster: int, every: int) -> float:
    """Hubert and Arabie, 1985, multiplied out so that only integers are subtracted."""
    wanted = every * (same_identity + same_cluster) - 2 * same_identity * same_cluster
    if wanted == 0:  # all together or all apart, in both partitions
        return 1.0
    return 2 * (every * both - same_identity * same_cluster) / wanted


def _normalised_information(table: _Table) -> float:
    """Mutual information over the arithmetic mean of the two entropies."""
    total = int(table.counts.sum())
    entropies = _entropy(table.identity_sizes, total) + _entropy(table.cluster_sizes, total)
    if entropies == 0.0:  # one identity in one cluster
        return 1.0
    expected = table.identities / total * table.clusters
    information = float(table.counts @ np.log(table.counts / expected)) / total
    return min(1.0, max(0.0, 2 * information / entropies))


def _entropy(sizes: Integers, total: int) -> float:
    return float(sizes @ np.log(total / sizes)) / total
