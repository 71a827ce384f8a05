"""Readers of data sets on disk: pure functions from a folder to `Splits`, one module per format."""

from reidzoo.data.formats.checks import count_notes, counts_of, with_notes
from reidzoo.data.formats.cuhk03 import read_cuhk03
from reidzoo.data.formats.folder import FolderRules, read_folder
from reidzoo.data.formats.market import (
    MARKET,
    VERI,
    Layout,
    add_distractors,
    read_market,
    relabel_cameras,
)
from reidzoo.data.formats.msmt17 import read_msmt17
from reidzoo.data.formats.places import locate, open_root

__all__ = [
    "MARKET",
    "VERI",
    "FolderRules",
    "Layout",
    "add_distractors",
    "count_notes",
    "counts_of",
    "locate",
    "open_root",
    "read_cuhk03",
    "read_folder",
    "read_market",
    "read_msmt17",
    "relabel_cameras",
    "with_notes",
]
