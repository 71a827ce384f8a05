"""Rows on their way into a gallery file: on disk after every batch, so that a stopped run goes on.

Beside `gallery.npz` lies, until it is finished, the folder `gallery.npz.parts` with `rows.f32` (all
rows so far, float32) and `state.json` (how far they reach). Memory does not grow with the gallery.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.files import write_text


class Parts:
    """The unfinished rows of one gallery file.

    Args:
        output: the gallery file.
        key: everything that the rows depend on, as text; parts with another key are dropped.

    Attributes:
        done: images looked at so far, in order.
        skipped: index -> reason of those among them that have no row.

    >>> import tempfile
    >>> output = Path(tempfile.mkdtemp()) / "gallery.npz"
    >>> Parts(output, "key").append(np.ones((2, 4), np.float32), 3, {1: "truncated"})
    >>> parts = Parts(output, "key")
    >>> parts.done, parts.skipped, parts.rows().shape
    (3, {1: 'truncated'}, (2, 4))
    """

    def __init__(self, output: Path, key: str) -> None:
        self.folder = output.with_name(f"{output.name}.parts")
        self.key = key
        self.done = 0
        self.skipped: dict[int, str] = {}
        self._length = 0
        state = self._read()
        if state is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
            self._rows.touch()
        else:
            self.done, self._length = int(state["done"]), int(state["length"])
            self.skipped = {int(index): reason for index, reason in state["skipped"].items()}

    def append(self, rows: NDArray[np.float32], images: int, skipped: Mapping[int, str]) -> None:
        """Add the rows of the next images; `images` counts those without a row as well."""
        kept = self.done - len(self.skipped)
        self._length = rows.shape[1] if len(rows) else self._length
        with self._rows.open("r+b") as file:
            file.truncate(4 * kept * self._length)  # what a batch that was cut short has left
            file.seek(0, 2)
            file.write(np.ascontiguousarray(rows, dtype="<f4").data)
        self.done += images
        self.skipped |= skipped
        state = {
            "key": self.key,
            "done": self.done,
            "length": self._length,
            "skipped": self.skipped,
        }
        write_text(self.folder / "state.json", json.dumps(state))

    def rows(self) -> NDArray[np.float32]:
        """All rows so far [M, D], mapped from the file."""
        kept = self.done - len(self.skipped)
        return np.memmap(self._rows, dtype="<f4", mode="r", shape=(kept, self._length))

    def remove(self) -> None:
        """The gallery file is written: nothing of this is needed any more."""
        shutil.rmtree(self.folder)

    @property
    def _rows(self) -> Path:
        return self.folder / "rows.f32"

    def _read(self) -> dict[str, Any] | None:
        """The state, if it is of the same images and network, and the rows are there."""
        try:
            state: dict[str, Any] = json.loads((self.folder / "state.json").read_text("utf-8"))
            kept = state["done"] - len(state["skipped"])
            whole = self._rows.stat().st_size >= 4 * kept * state["length"]
        except (OSError, ValueError, KeyError):
            return None
        return state if state["key"] == self.key and whole else None
