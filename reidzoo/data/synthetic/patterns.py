"""Patterns of the upper garment: a second colour laid over the torso where a grid says so."""

import numpy as np
from numpy.typing import NDArray

from reidzoo.data.synthetic.canvas import Canvas, Point
from reidzoo.data.synthetic.person import Pattern, Person

FRONT_ONLY = frozenset({"disc", "jacket"})
GRID = 48  # samples each way


def weave_pattern(canvas: Canvas, person: Person, outline: list[Point], front: bool) -> None:
    """Lay the second colour of a person's upper garment over the torso."""
    if person.pattern == "plain" or (person.pattern in FRONT_ONLY and not front):
        return
    canvas.weave(outline, person.second, cover(person.pattern, person.repeats))


def cover(pattern: Pattern, repeats: int) -> NDArray[np.float32]:
    """Share of the second colour over the torso, [48,48] in 0..1, rows from shoulder to hem.

    >>> float(cover("block", 3)[0, 0]), float(cover("block", 3)[-1, 0])
    (0.0, 1.0)
    """
    down, across = np.mgrid[0 : 1 : GRID * 1j, -1 : 1 : GRID * 1j].astype(np.float32)
    rows = np.sin(2 * np.pi * repeats * down)
    columns = np.sin(np.pi * repeats * across)
    wave = {
        "stripes": rows,
        "bars": columns,
        "check": rows * columns,
        "block": down - 0.5,
        "disc": 0.30 - np.hypot(across * 0.72, down - 0.33) * 1.6,
        "jacket": 0.24 - np.abs(across) * (1.1 - 0.35 * down),
    }.get(pattern, np.full_like(down, -1))
    return np.asarray(np.clip(wave * 6 + 0.5, 0, 1), np.float32)
