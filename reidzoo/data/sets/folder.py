"""Your own unlabelled crops in a folder, cameras from names, sub-folders, a CSV or a pattern."""

from typing import Any, Literal

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.formats import FolderRules, open_root, read_folder
from reidzoo.data.records import Splits


class Folder(ReIDDataModule):
    """A folder of images, read recursively; of several rules the first that says something wins.

    Args:
        pattern: regular expression with named groups `cam` and / or `pid`, searched in the base
            name, such as "(?P<cam>door|hall)-".
        table: CSV with the columns path,camera and, if known, identity and split (train, query,
            gallery).
        camera_from: "parent" (one sub-folder per camera), "name" (`_c<digits>` in the base name)
            or "none".
        labelled: folder of images with identities to evaluate on, relative to the root or not.
        loading: see `ReIDDataModule`.
    """

    def __init__(
        self,
        *,
        pattern: str | None = None,
        table: str | None = None,
        camera_from: Literal["name", "parent", "none"] = "name",
        labelled: str | None = None,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.rules = FolderRules(pattern, table, camera_from)
        self.labelled = labelled

    def read(self) -> Splits:
        """Find the images."""
        return read_folder(open_root(self.root, "folder"), self.rules, self.labelled)
