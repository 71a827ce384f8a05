"""Synthetic people that the program draws itself: nothing to download; the default data."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.formats import read_market
from reidzoo.data.records import Splits
from reidzoo.data.synthetic import PRESETS, synthetic_people
from reidzoo.errors import UserError

MOST_PEOPLE = 9_000  # names have four digits, and test identities follow


class Synthetic(ReIDDataModule):
    """Synthetic people in Market-1501 layout, drawn once into a cache.

    The cache is `--data.root`, else the folder in REIDZOO_CACHE, else ~/.cache/reidzoo.

    Args:
        preset: "easy", "standard", "hard" (backgrounds at full contrast: clusters become cameras)
            or "tiny" (for tests).
        draw_seed: of the drawing: other people and other cameras.
        identities: people to train on; None takes the preset's.
        height: image height in pixels.
        width: image width in pixels.
        loading: see `ReIDDataModule`.
    """

    def __init__(
        self,
        *,
        preset: Literal["easy", "standard", "hard", "tiny"] = "standard",
        draw_seed: int = 0,
        identities: int | None = None,
        height: int = 64,
        width: int = 32,
        **loading: Any,
    ) -> None:
        super().__init__(height=height, width=width, **loading)
        if draw_seed < 0:
            raise UserError(f"--data.draw_seed {draw_seed}: must be at least 0")
        if identities is not None and not 2 <= identities < MOST_PEOPLE:
            raise UserError(f"--data.identities {identities}: must be in 2..{MOST_PEOPLE - 1}")
        chosen = PRESETS[preset]
        self.preset = chosen if identities is None else replace(chosen, identities=identities)
        self.preset_name = preset
        self.draw_seed = draw_seed

    def prepare_data(self) -> None:
        """Draw on one process of a machine; the others find the finished folder."""
        self._draw()

    def read(self) -> Splits:
        """Draw the images unless that was done before, and find them."""
        splits = read_market(self._draw())
        return replace(splits, edition=f"{self.preset_name} preset, drawing seed {self.draw_seed}")

    def _draw(self) -> Path:
        place = Path(self.root).expanduser().absolute() if self.root else None
        return synthetic_people(self.preset, self.draw_seed, place)
