"""PersonX: 45,792 rendered images of 1,266 people, 6 cameras (Sun and Zheng, CVPR 2019)."""

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.formats import MARKET, locate, read_market, relabel_cameras
from reidzoo.data.records import Counts, Splits


class PersonX(ReIDDataModule):
    """PersonX as unsupervised papers use it: subset1 of VisDA-2020, cameras 3, 4, 8, 10, 11, 12.

    Whatever cameras are there are numbered 0, 1, ... in their order.
    """

    official = Counts(9840, 410, 5136, 856, 30816, 6)

    def read(self) -> Splits:
        """Find the images."""
        folder = locate(self.root, "personx", MARKET.matches, str(MARKET))
        return relabel_cameras(read_market(folder))
