"""CUHK03, new protocol: 14,097 images of 1,467 people, 2 views (Li et al., CVPR 2014)."""

from typing import Any, Literal

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.formats import cuhk03, locate
from reidzoo.data.records import Counts, Splits

OFFICIAL = {
    "detected": Counts(7365, 767, 1400, 700, 5332, 2),
    "labeled": Counts(7368, 767, 1400, 700, 5328, 2),
}


class CUHK03(ReIDDataModule):
    """CUHK03: the original archive, an extracted tree, or cuhk03-np.

    Args:
        boxes: people as a detector found them, or in boxes drawn by hand.
        loading: see `ReIDDataModule`.
    """

    def __init__(
        self, *, boxes: Literal["detected", "labeled"] = "detected", **loading: Any
    ) -> None:
        super().__init__(**loading)
        self.boxes: Literal["detected", "labeled"] = boxes
        self.official = OFFICIAL[boxes]

    def read(self) -> Splits:
        """Find the images."""
        folder = locate(self.root, "cuhk03", cuhk03.matches, cuhk03.LOOKED_FOR)
        return cuhk03.read_cuhk03(folder, self.boxes)
