"""CALR's refinement: an image that the pivot's own camera keeps apart from the pivot leaves.

"Camera-Aware Label Refinement" (CALR), exact to the released code (`specs/calr.md`, 2.3). Scores
and pivots need the neighbour table only, so they serve any clusterer.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reidzoo.clustering.contracts import AnyArray, Array
from reidzoo.clustering.rows import as_numpy, integers, like

PivotRule: TypeAlias = Literal["last_above_mean", "max_score"]


def similarity_links(
    neighbours: tuple[AnyArray, AnyArray], min_similarity: float = 0.5
) -> csr_matrix:
    """Link each image to those of its neighbours that are similar enough.

    Args:
        neighbours: what `knn(features, k1)` returned, the image itself first.
        min_similarity: of the inner products that make a link.

    Returns:
        directed CSR [N, N] of similarities, float64.

    >>> links = similarity_links((np.array([[0, 1], [1, 0]]), np.array([[1.0, 0.6], [1.0, 0.6]])))
    >>> links.nnz
    2
    """
    ranks, similarities = as_numpy(neighbours[0]), as_numpy(neighbours[1]).astype(np.float64)
    N = len(ranks)
    linked = (1 - similarities <= 1 - min_similarity) & (ranks != np.arange(N)[:, None])
    rows = np.repeat(np.arange(N), linked.sum(1))
    return csr_matrix((similarities[linked], (rows, ranks[linked])), shape=(N, N))


def density_scores(
    neighbours: tuple[AnyArray, AnyArray], min_similarity: float = 0.5
) -> NDArray[np.float64]:
    """Score images by how many near neighbours they have: sum over links of 1 / (d + mean d).

    Args:
        neighbours: what `knn(features, k1)` returned, the image itself first.
        min_similarity: of the inner products that make a link.

    Returns:
        [N] float64; d is 1 - similarity, its mean is over the whole table, the images themselves
        included.

    >>> density_scores((np.array([[0, 1], [1, 0]]), np.array([[1.0, 0.6], [1.0, 0.6]]))).round(3)
    array([1.667, 1.667])
    """
    links = similarity_links(neighbours, min_similarity)
    mean_distance = (1 - as_numpy(neighbours[1]).astype(np.float64)).mean()
    links.data = 1 / (1 - links.data + mean_distance)
    return np.asarray(links.sum(axis=1), dtype=np.float64).ravel()


def find_pivots(
    labels: AnyArray, scores: AnyArray, rule: PivotRule = "last_above_mean"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the trusted image of each cluster that has a score above the mean of all images.

    Args:
        labels: [N], -1 outlier.
        scores: [N], as of `density_scores`.
        rule: of those above the mean, "last_above_mean" takes the one of highest index (the
            released code), "max_score" that of highest score.

    Returns:
        clusters [Q] ascending and their pivots [Q].

    >>> find_pivots(np.array([0, 0, 1]), np.array([3.0, 2.0, 0.5]))
    (array([0]), array([1]))
    """
    if rule not in ("last_above_mean", "max_score"):
        raise ValueError(f"rule={rule!r}; allowed: last_above_mean, max_score")
    numbers, values = integers(labels, "labels"), as_numpy(scores)
    above = np.flatnonzero((values > values.mean()) & (numbers >= 0))
    if rule == "max_score":
        above = above[np.argsort(values[above], kind="stable")]
    pivots = np.full(numbers.max(initial=-1) + 1, -1)
    pivots[numbers[above]] = above  # the last one written stays
    clusters = np.flatnonzero(pivots >= 0)
    return clusters, pivots[clusters]


def refine_by_pivots(
    labels: Array,
    scores: AnyArray,
    cameras: AnyArray,
    local_labels: AnyArray,
    rule: PivotRule = "last_above_mean",
    spared: AnyArray | None = None,
) -> Array:
    """Remove the images of the pivot's camera that this camera's own clustering puts elsewhere.

    Pivots always stay, so no cluster vanishes; clusters without a pivot are left alone.

    Args:
        labels: [N], -1 outlier.
        scores: [N], as of `density_scores`.
        cameras: [N].
        local_labels: [N] labels of a clustering within each camera.
        rule: see `find_pivots`.
        spared: [N] bool, images that are left where they are.

    Returns:
        labels [N] int64 with the removed images at -1, of the kind given.

    >>> refine_by_pivots(
    ...     np.array([0, 0, 0]), np.array([1.0, 1.0, 4.0]), np.array([1, 1, 1]), np.array([5, 6, 6])
    ... )
    array([-1,  0,  0])
    """
    numbers = integers(labels, "labels")
    seen_by = integers(cameras, "cameras", len(numbers))
    local = integers(local_labels, "local_labels", len(numbers))
    clusters, pivots = find_pivots(numbers, scores, rule)
    pivot_of = np.full(numbers.max(initial=-1) + 2, -1)  # the last entry serves label -1
    pivot_of[clusters] = pivots
    pivot = pivot_of[numbers]
    removed = (pivot >= 0) & (seen_by == seen_by[pivot]) & (local != local[pivot])
    if spared is not None:
        removed &= ~as_numpy(spared)
    return like(np.where(removed, -1, numbers), labels)
