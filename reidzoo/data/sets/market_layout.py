"""Any data set in Market layout: bounding_box_train/, query/, bounding_box_test/."""

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.formats import MARKET, locate, read_market
from reidzoo.data.records import Splits


class MarketLayout(ReIDDataModule):
    """Images named `<identity>_c<camera>...` in three folders; no counts to compare with."""

    def read(self) -> Splits:
        """Find the images."""
        return read_market(locate(self.root, "market_layout", MARKET.matches, str(MARKET)))
