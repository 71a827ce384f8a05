"""Who is a right answer to whom: the bookkeeping that every retrieval score shares."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

UNKNOWN_CAMERA = -1

Integers = NDArray[np.int64]


class Truth(NamedTuple):
    """Gallery positions of each query's identity, found by one sort instead of a Q x G mask.

    The candidates of query q are `order[first[q]:last[q]]`, ascending; those of the query's own
    known camera are no answers, neither right nor wrong. Compiled code reads it as it is.

    Args:
        order: gallery positions sorted by identity, [G].
        first: where the query's identity begins in `order`, [Q].
        last: where it ends, [Q]; equal to `first` when the gallery lacks the identity.
        query_cameras: camera of each query, -1 unknown, [Q].
        gallery_cameras: camera of each gallery image, -1 unknown, [G].
        dropped: gallery positions without a usable identity (negative): they answer nothing.
    """

    order: Integers
    first: Integers
    last: Integers
    query_cameras: Integers
    gallery_cameras: Integers
    dropped: Integers

    def of_queries(self, part: slice) -> "Truth":
        """The same for some of the queries."""
        return self._replace(
            first=self.first[part],
            last=self.last[part],
            query_cameras=self.query_cameras[part],
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Q and G."""
        return len(self.first), len(self.order)


def match(
    query_identities: Any, gallery_identities: Any, query_cameras: Any, gallery_cameras: Any
) -> Truth:
    """Find each query's candidates.

    Identities are compared as they are: 0, the distractors of Market-1501, is an ordinary number
    here and stays in the gallery as a wrong answer because no query carries it. Rows of negative
    identity (-1 junk, -2 unknown) are left out on both sides.

    Args:
        query_identities: [Q] integers, array or tensor, as all four.
        gallery_identities: [G].
        query_cameras: [Q], -1 unknown.
        gallery_cameras: [G], -1 unknown.

    Raises:
        ValueError: lengths disagree, a side is empty or values are not integers.

    >>> match([7, 3], [3, 7, 0, 7], [0, 0], [1, 1, 1, 1]).order.tolist()
    [2, 0, 1, 3]
    """
    query, gallery = (
        as_integers("query_identities", query_identities),
        as_integers("gallery_identities", gallery_identities),
    )
    cameras = as_integers("query_cameras", query_cameras)
    others = as_integers("gallery_cameras", gallery_cameras)
    for side, identities, seen in (("query", query, cameras), ("gallery", gallery, others)):
        if len(identities) != len(seen):
            raise ValueError(
                f"{side}_identities has {len(identities)} entries and {side}_cameras {len(seen)}: "
                "give one of each per image"
            )
        if not len(identities):
            raise ValueError(f"{side}_identities is empty: there is nothing to score")
    order = np.argsort(gallery, kind="stable")
    first = np.searchsorted(gallery[order], query, side="left")
    last = np.searchsorted(gallery[order], query, side="right")
    return Truth(
        order=order,
        first=first,
        last=np.where(query < 0, first, last),
        query_cameras=cameras,
        gallery_cameras=others,
        dropped=np.flatnonzero(gallery < 0),
    )


def as_integers(name: str, values: Any) -> Integers:
    """One-dimensional int64 array of an array, tensor or list; anything else is a ValueError.

    >>> as_integers("labels", [3, 4])
    array([3, 4])
    """
    array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    if array.ndim != 1 or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise ValueError(
            f"{name} must be one row of integers, got shape {array.shape} and type {array.dtype}"
        )
    return np.ascontiguousarray(array, dtype=np.int64)
