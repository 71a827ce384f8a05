"""Decode once: the training images as uint8 pixels in one memory-mapped file.

All workers and ranks of a machine map the same pages. The file is made again when an image's path,
size or time of change differs, when other dimensions are asked for, or when it is damaged.
"""

import hashlib
import os
from pathlib import Path
from typing import Any, cast

import numpy as np

from reidzoo import distributed
from reidzoo.data.cache import build_once, cache_root
from reidzoo.images import ImageFileError, ImageFiles, Pixels

PIXELS = "pixels.npy"


class CachedImages:
    """Images [N, height, width, 3] in a file, as a sequence: `images[i]` is a read-only view."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pixels = np.load(path, mmap_mode="r", allow_pickle=False)
        self.height, self.width = self.pixels.shape[1:3]

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Pixels:
        return cast(Pixels, self.pixels[index])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path: numpy would pickle every pixel of a mapped file."""
        return CachedImages, (self.path,)


def cache_images(files: ImageFiles, parent: Path | None = None) -> CachedImages:
    """Decode all files into a cache below `parent`, or map what an earlier run left there.

    Rank 0 goes first and the others find its work done; on another machine they repeat it.

    Args:
        files: the images, in index order.
        parent: a folder of caches; None is the program's own (`$REIDZOO_CACHE`).

    Raises:
        UserError: an image is unreadable, or the folder cannot be written to.
    """
    built: list[CachedImages] = []
    distributed.on_rank_zero(lambda: built.append(_open_or_build(files, parent)))
    return built[0] if built else _open_or_build(files, parent)


def _open_or_build(files: ImageFiles, parent: Path | None) -> CachedImages:
    places = "\n".join(str(Path(path).absolute()) for path in files.paths)
    name = f"{files.height}x{files.width}-{hashlib.sha256(places.encode()).hexdigest()[:12]}"
    size: dict[str, str | int | float] = {"height": files.height, "width": files.width}
    folder = (parent or cache_root() / "pixels") / name
    build_once(
        folder,
        size | {"files": _fingerprint(files)},
        lambda fresh: _decode_all(files, fresh / PIXELS),
    )
    return CachedImages(folder / PIXELS)


def _fingerprint(files: ImageFiles) -> str:
    """Hash what changes when a file does: its size and its time of change."""
    total = hashlib.sha256()
    for path in files.paths:
        try:
            status = Path(path).stat()
        except OSError as error:
            raise ImageFileError(f"cannot read the image {path} ({error.strerror})") from None
        total.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return total.hexdigest()


def _decode_all(files: ImageFiles, path: Path) -> None:
    shape = (len(files), files.height, files.width, 3)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):  # on a full disk an error now, not a bus error later
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    for place, index in zip(pixels, range(len(files)), strict=True):
        place[...] = files[index]
    pixels.flush()
