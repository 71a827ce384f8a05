"""One generator per drawn thing, so that no drawing depends on what was drawn before it."""

from enum import IntEnum

import numpy as np


class Kind(IntEnum):
    """What is drawn; part of the key, so that person 3 and camera 3 have nothing in common."""

    IDENTITY = 1
    CAMERA = 2
    IMAGE = 3
    PLACEMENT = 4


def generator(seed: int, kind: Kind, *key: int) -> np.random.Generator:
    """Return the generator of one thing, the same in every process and in any order.

    >>> a, b = (generator(0, Kind.IMAGE, 7, 1, 2) for _ in range(2))
    >>> bool(a.random() == b.random())
    True
    """
    return np.random.default_rng([seed, int(kind), *key])
