"""Which searches to look at, and what they find: the material of ranked lists."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidzoo.data.records import Splits
from reidzoo.gallery.scoring import truth


@dataclass(frozen=True)
class Answers:
    """The first gallery images for a few queries, enough to draw ranked lists.

    Args:
        queries: positions in `splits.query`, [Q].
        gallery: positions in `splits.gallery`, nearest first, same-camera images of the same
            identity left out, [Q, top].
        distances: 1 - cosine, [Q, top]; infinite where an answer does not count.
    """

    queries: Tensor
    gallery: Tensor
    distances: Tensor


def first_answers(
    query: Tensor, gallery: Tensor, splits: Splits, asked: Tensor, top: int = 10
) -> Answers:
    """The nearest gallery images of some queries, as the protocol ranks them.

    Args:
        query: unit rows [Q, D] of `splits.query`.
        gallery: unit rows [G, D].
        splits: who is on the images, and which camera took them.
        asked: positions of the queries.
        top: answers per query.
    """
    identity, camera = truth(splits.query)
    gallery_identity, gallery_camera = truth(splits.gallery)
    distances = 1 - (query[asked.to(query.device)] @ gallery.T).cpu()
    same = (identity[asked, None] == gallery_identity) & (camera[asked, None] == gallery_camera)
    distances[same & (gallery_camera >= 0)] = torch.inf
    nearest = distances.topk(min(top, len(gallery)), largest=False)
    return Answers(asked, nearest.indices, nearest.values)


def evenly(total: int, count: int) -> Tensor:
    """At most `count` evenly spaced positions of 0..total-1.

    >>> evenly(9, 3).tolist()
    [0, 4, 8]
    """
    return torch.linspace(0, total - 1, min(total, count)).long()


def best_and_worst(precisions: NDArray[np.float64], count: int) -> tuple[Tensor, Tensor]:
    """Positions of the queries of highest and of lowest average precision, most extreme first.

    Queries without a right answer in the gallery (NaN) are in neither; none is in both.

    >>> best, worst = best_and_worst(np.array([0.5, np.nan, 0.9, 0.1]), count=1)
    >>> best.tolist(), worst.tolist()
    ([2], [3])
    """
    order = torch.from_numpy(np.argsort(precisions, kind="stable"))  # NaN comes last
    order = order[: int(np.isfinite(precisions).sum())]
    worst = order[:count]
    return order[len(worst) :].flip(0)[:count], worst
