"""MSMT17: 126,441 images of 4,101 people, 15 cameras, V1 and V2 (Wei et al., CVPR 2018)."""

from dataclasses import replace
from typing import Any

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.formats import locate, msmt17
from reidzoo.data.records import Counts, Splits


class MSMT17(ReIDDataModule):
    """MSMT17 with its lists (V1, or V2 with blurred faces), or repacked in Market layout.

    Args:
        validation: train on list_train and list_val, as all unsupervised papers do; False leaves
            list_val out.
        loading: see `ReIDDataModule`.
    """

    official = Counts(32621, 1041, 11659, 3060, 82161, 15)

    def __init__(self, *, validation: bool = True, **loading: Any) -> None:
        super().__init__(**loading)
        self.validation = validation
        if not validation:
            self.official = replace(self.official, train=30248)

    def read(self) -> Splits:
        """Find the images."""
        folder = locate(self.root, "msmt17", msmt17.matches, msmt17.LOOKED_FOR)
        return msmt17.read_msmt17(folder, self.validation)
