"""Synthetic people: a data set in Market-1501 layout that the program draws itself."""

from reidzoo.data.synthetic.drawing import synthetic_people
from reidzoo.data.synthetic.presets import PRESETS, Preset

__all__ = ["PRESETS", "Preset", "synthetic_people"]
