"""JPEG files of coloured figures, of which even a network of random weights makes clusters."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from reidzoo.benchmarks.input import MARKET_SIZE
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.records import Record, Splits

COARSE = (8, 4)  # patches of colour, from head to feet and across
CAMERAS = 6


class DrawnPeople(ReIDDataModule):
    """Images that `write_people` wrote; every tenth one is a query, the next one in the gallery."""

    def __init__(self, records: list[Record], **loading: Any) -> None:
        super().__init__(**loading)
        self.records = records

    def read(self) -> Splits:
        """The records, and a few of them as query and gallery."""
        records = tuple(self.records)
        return Splits(records, query=records[::10], gallery=records[1::10])


def write_people(folder: Path, images: int, people: int) -> list[Record]:
    """Write JPEG files of Market-1501's size and weight: a person is a few patches of colour."""
    rng = np.random.default_rng(0)
    height, width = MARKET_SIZE
    colours = rng.integers(20, 236, (people, *COARSE, 3)).astype(np.float32)
    tints = rng.normal(0, 12, (CAMERAS, 3)).astype(np.float32)
    records = []
    for index in range(images):
        person, camera = index * people // images, int(rng.integers(CAMERAS))
        patches = colours[person] + tints[camera] + rng.normal(0, 8, (*COARSE, 1))
        soft = cv2.resize(patches.astype(np.float32), (width, height))
        grain = rng.integers(-8, 9, (height, width, 1), dtype=np.int8)
        path = str(folder / f"{index:06d}.jpg")
        pixels = np.clip(soft + grain, 0, 255).astype(np.uint8)
        cv2.imwrite(path, pixels, [cv2.IMWRITE_JPEG_QUALITY, 88])
        records.append(Record(path, identity=1 + person, camera=camera))
    return records
