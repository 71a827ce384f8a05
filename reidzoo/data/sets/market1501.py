"""Market-1501: 32,668 images of 1,501 people, 6 cameras (Zheng et al., ICCV 2015)."""

from dataclasses import replace
from typing import Any

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.formats import MARKET, add_distractors, locate, read_market
from reidzoo.data.records import Counts, Splits


class Market1501(ReIDDataModule):
    """Market-1501, with or without its 500k distractors.

    Args:
        distractors: add the images of the folder `images/` (distractors_500k.zip) to the gallery.
        loading: see `ReIDDataModule`.
    """

    official = Counts(12936, 751, 3368, 750, 15913, 6)

    def __init__(self, *, distractors: bool = False, **loading: Any) -> None:
        super().__init__(**loading)
        self.distractors = distractors

    def read(self) -> Splits:
        """Find the images."""
        folder = locate(self.root, "market1501", MARKET.matches, str(MARKET))
        splits = read_market(folder)
        if not self.distractors:
            return splits
        more = add_distractors(splits, folder / "images")
        extra = len(more.gallery) - len(splits.gallery)
        self.official = replace(self.official, gallery=self.official.gallery + extra)
        return more
