"""A map of an embedding: t-SNE of a sample of images, small enough to see and to compute."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PEOPLE = 24  # groups shown; more could not be told apart by colour
EACH = 25  # images of one group


def choose_sample(groups: Any, people: int = PEOPLE, each: int = EACH) -> NDArray[np.int64]:
    """Positions of the images of some groups, evenly spaced over groups and over their images.

    Args:
        groups: [N] integers, identities or clusters; negative ones are in no group. Where there
            are none, images are evenly spaced over everything.
        people: groups at most.
        each: images per group at most.

    >>> choose_sample([5, 5, 5, 6, 6, -1], people=1, each=2).tolist()
    [0, 2]
    """
    numbers = np.asarray(groups, dtype=np.int64)
    known = np.unique(numbers[numbers >= 0])
    if not len(known):
        return _evenly(np.arange(len(numbers)), people * each)
    chosen = [_evenly(np.flatnonzero(numbers == group), each) for group in _evenly(known, people)]
    return np.sort(np.concatenate(chosen))


def project(features: Any, seed: int = 0) -> NDArray[np.float64]:
    """Places of unit rows on a plane, neighbours near each other; the same for the same rows.

    Args:
        features: [n, D] unit rows; a few hundred take seconds.
        seed: of the optimisation.

    Returns:
        [n, 2]; distances and directions mean little, neighbourhoods a lot.

    >>> project(np.eye(8, dtype=np.float32)).shape
    (8, 2)
    """
    from sklearn.manifold import TSNE  # slow to import

    rows = np.asarray(features, dtype=np.float32)
    if len(rows) < 4:
        return np.stack([np.arange(len(rows)), np.zeros(len(rows))], axis=1)
    perplexity = min(30.0, (len(rows) - 1) / 3)
    places: NDArray[np.float64] = TSNE(
        perplexity=perplexity, metric="cosine", init="random", random_state=seed
    ).fit_transform(rows)
    return places.astype(np.float64)


def _evenly(values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    at = np.linspace(0, len(values) - 1, min(len(values), count)).round().astype(np.int64)
    chosen: NDArray[np.int64] = values[at]
    return chosen
