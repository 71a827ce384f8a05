"""VeRi-776: 51,035 images of 776 vehicles, 20 cameras (Liu et al., ECCV 2016)."""

from typing import Any

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.formats import VERI, locate, read_market
from reidzoo.data.records import Counts, Splits


class VeRi776(ReIDDataModule):
    """VeRi-776. Vehicles are wider than people: images are square unless told otherwise.

    Args:
        height: image height in pixels.
        width: image width in pixels.
        loading: see `ReIDDataModule`.
    """

    official = Counts(37778, 576, 1678, 200, 11579, 20)

    def __init__(self, *, height: int = 256, width: int = 256, **loading: Any) -> None:
        super().__init__(height=height, width=width, **loading)

    def read(self) -> Splits:
        """Find the images."""
        return read_market(locate(self.root, "veri776", VERI.matches, str(VERI)), VERI)
