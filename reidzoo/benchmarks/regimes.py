"""Feature sets of the kinds that clustering meets, from easy to hopeless."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Regime: TypeAlias = Literal["identities", "crowded", "duplicates", "unstructured"]
REGIMES: tuple[Regime, ...] = ("identities", "crowded", "duplicates", "unstructured")
CAMERAS = 6
BLOCK = 65_536  # rows drawn at a time: a million rows need no second copy


def make_rows(regime: Regime, n: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Draw unit rows [n, width].

    "identities": 17 images a person (as in Market-1501) under 6 cameras that shift them;
    "crowded": 200 images a person; "duplicates": identities, every row about four times;
    "unstructured": no structure at all, the worst case.

    >>> make_rows("crowded", 5, 4).shape
    (5, 4)
    """
    if regime not in REGIMES:
        raise ValueError(f"regime={regime!r}; allowed: {', '.join(REGIMES)}")
    rng = np.random.default_rng(seed)
    per_person = 200 if regime == "crowded" else 17
    people = max(2, n // per_person)
    centres = rng.standard_normal((people, width), dtype=np.float32)
    shifts = 0.6 * rng.standard_normal((CAMERAS, width), dtype=np.float32)
    rows = np.empty((n, width), dtype=np.float32)
    for first in range(0, n, BLOCK):
        block = rows[first : first + BLOCK]
        rng.standard_normal(out=block, dtype=np.float32)
        if regime != "unstructured":
            block *= 0.9
            block += centres[rng.integers(0, people, len(block))]
            block += shifts[rng.integers(0, CAMERAS, len(block))]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    if regime == "duplicates":
        rows = rows[rng.integers(0, max(1, n // 4), n)]
    return rows
