"""What clusters did to people, in shares that can be pictured: torn apart, mixed up, lost.

For diagnosis only, never for training.
"""

from typing import Any, TypedDict

import numpy as np

from reidzoo.metrics.truth import Integers, as_integers


class IdentityErrors(TypedDict):
    """Shares in 0..1, 0 at best.

    `split_errors`: of the clustered images, those outside of the largest cluster of their identity
    (people torn apart). `merge_errors`: of the clustered images, those whose identity is not the
    most frequent one of their cluster (people mixed up). `lost_identities`: of the identities,
    those without an image in any cluster.
    """

    split_errors: float
    merge_errors: float
    lost_identities: float


def identity_errors(identities: Any, labels: Any) -> IdentityErrors:
    """Count the images that are in a wrong place, and the people that are in none.

    A group of 10 and a group of 6 images of one person are 6 split errors; a cluster of 10 images
    of one person and 6 of another has 6 merge errors. 1 - merge_errors is known as purity.

    Args:
        identities: [N] integers, array or tensor; rows of negative identity (unknown) are left out.
        labels: [N] integers, -1 outlier.

    Returns:
        errors; split and merge errors are NaN where no image of known identity is in a cluster.

    Raises:
        ValueError: lengths differ, or no row has a known identity.

    >>> identity_errors([1, 1, 1, 2, 2, 3], [0, 0, 1, 1, 1, -1])
    {'split_errors': 0.2, 'merge_errors': 0.2, 'lost_identities': 0.3333333333333333}
    """
    truth, found = as_integers("identities", identities), as_integers("labels", labels)
    if len(truth) != len(found):
        raise ValueError(
            f"identities has {len(truth)} entries and labels {len(found)}: give one of each per row"
        )
    people = len(np.unique(truth[truth >= 0]))
    if not people:
        raise ValueError(f"none of the {len(truth)} identities is known (0 or more)")
    kept = (truth >= 0) & (found >= 0)
    cells, counts = np.unique(np.stack([truth[kept], found[kept]]), axis=1, return_counts=True)
    return {
        "split_errors": _outside_of_largest(cells[0], counts),
        "merge_errors": _outside_of_largest(cells[1], counts),
        "lost_identities": (people - len(np.unique(cells[0]))) / people,
    }


def _outside_of_largest(groups: Integers, counts: Integers) -> float:
    """Share of images outside of the largest cell of each group; groups and counts [cells]."""
    if not len(counts):
        return float("nan")
    numbers = np.unique(groups, return_inverse=True)[1]
    largest = np.zeros(numbers.max() + 1, dtype=np.int64)
    np.maximum.at(largest, numbers, counts)
    return float(counts.sum() - largest.sum()) / float(counts.sum())
