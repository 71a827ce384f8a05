"""The most similar images of a gallery for each query, and whether they are similar enough."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reidzoo.gallery.files import Gallery

BLOCK_BYTES = 64 << 20  # of similarities at a time, where faiss is missing


@dataclass(frozen=True, slots=True)
class Answer:
    """One image of the gallery.

    Args:
        path: its file.
        camera: -1 unknown.
        similarity: cosine with the query.
        match: whether that reaches the threshold; None when there is no threshold.
    """

    path: str
    camera: int
    similarity: float
    match: bool | None


@dataclass(frozen=True, slots=True)
class Search:
    """A query and its answers, most similar first."""

    query: str
    answers: tuple[Answer, ...]

    @property
    def matches(self) -> int | None:
        """Answers that reach the threshold; None when there is no threshold."""
        verdicts = [answer.match for answer in self.answers]
        return None if None in verdicts else sum(map(bool, verdicts))

    @property
    def verdict(self) -> str:
        """The outcome in words.

        >>> Search("q.jpg", (Answer("a.jpg", 0, 0.9, True), Answer("b.jpg", 1, 0.4, False))).verdict
        '1 match'
        >>> Search("q.jpg", (Answer("b.jpg", 1, 0.4, False),)).verdict
        'no match'
        """
        if self.matches is None:
            return "no threshold: nothing is known about matches"
        if not self.matches:
            return "no match"
        return f"{self.matches} match" + ("es" if self.matches > 1 else "")


def search(
    gallery: Gallery,
    queries: Sequence[str],
    rows: NDArray[np.float32],
    top: int = 10,
    threshold: float | None = None,
) -> list[Search]:
    """Search each query in the gallery; a file is never an answer to itself.

    Args:
        gallery: what is searched.
        queries: paths of the query images.
        rows: their unit rows [Q, D], made by the network that made the gallery.
        top: answers per query; fewer where the gallery is smaller.
        threshold: similarity from which on an answer is a match; None: of no answer is it known.

    Raises:
        ValueError: rows of another length than the gallery's.

    >>> gallery = Gallery(["a.jpg", "b.jpg"], np.zeros(2, int), np.eye(2, dtype="f4"), {})
    >>> found = search(gallery, ["q.jpg"], np.array([[0.6, 0.8]], "f4"), threshold=0.7)
    >>> [(answer.path, answer.match) for answer in found[0].answers]
    [('b.jpg', True), ('a.jpg', False)]
    """
    indices, similarities = nearest_rows(rows, gallery.features, min(top + 1, len(gallery)))
    searches = []
    for query, found, values in zip(queries, indices.tolist(), similarities.tolist(), strict=True):
        itself = {os.path.abspath(query), os.path.realpath(query)}  # noqa: PTH100  as text
        answers = (
            Answer(
                gallery.paths[i],
                int(gallery.cameras[i]),
                value,
                None if threshold is None else value >= threshold,
            )
            for i, value in zip(found, values, strict=True)
            if gallery.paths[i] not in itself
        )
        searches.append(Search(query, tuple(answers)[:top]))
    return searches


def nearest_rows(
    queries: NDArray[np.float32], base: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k most similar rows of `base` [N, D] for each query [Q, D], by inner product; exact.

    faiss scans the rows where they lie: no index is built, nothing is copied, and a million rows
    of 512 take a fraction of a second per query.

    Returns:
        indices [Q, k] int64 and similarities [Q, k] float32, descending, ties by lower index.

    >>> nearest_rows(np.array([[1, 0]], "f4"), np.eye(2, dtype="f4"), 1)[0].tolist()
    [[0]]
    """
    if queries.shape[1] != base.shape[1]:
        raise ValueError(
            f"query rows have {queries.shape[1]} features and the gallery's {base.shape[1]}: embed "
            "both with one network"
        )
    queries, base = (np.ascontiguousarray(rows, dtype=np.float32) for rows in (queries, base))
    try:
        import faiss
    except ImportError:
        similarities, indices = _scan(queries, base, k)
    else:
        similarities, indices = faiss.knn(queries, base, k, metric=faiss.METRIC_INNER_PRODUCT)
    order = np.lexsort((indices, -similarities))
    return np.take_along_axis(indices, order, 1), np.take_along_axis(similarities, order, 1)


def _scan(
    queries: NDArray[np.float32], base: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    asked, rows = torch.from_numpy(queries), torch.from_numpy(base)
    step = max(1, BLOCK_BYTES // (4 * len(base)))
    found = [(part @ rows.T).topk(k) for part in asked.split(step)]  # type: ignore[no-untyped-call]
    values, indices = (torch.cat(parts).numpy() for parts in zip(*found, strict=True))
    return values, indices
