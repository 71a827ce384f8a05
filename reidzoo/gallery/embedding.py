"""Rows of many image files, in order; what cannot be read is skipped and reported."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from reidzoo.data.datamodule import use_one_thread
from reidzoo.errors import UserError
from reidzoo.gallery.parts import Parts
from reidzoo.images import read_image, resize


class Loaded(NamedTuple):
    """A batch of files: the images [B', 3, H, W] uint8 that could be read, why others could not."""

    image: Tensor
    files: int
    failed: dict[int, str]


class Files(Dataset[Loaded]):
    """Image files by index, a whole batch at a time."""

    def __init__(self, paths: Sequence[str], height: int, width: int) -> None:
        self.paths = paths
        self.height, self.width = height, width

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Loaded:
        """A batch of one."""
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Loaded:
        """The files of some indices, in order."""
        images, failed = [], {}
        for index in indices:
            try:
                images.append(resize(read_image(self.paths[index]), self.height, self.width))
            except UserError as error:
                failed[index] = str(error)
        pixels = np.array(images, np.uint8).reshape(-1, self.height, self.width, 3)
        return Loaded(torch.from_numpy(pixels).movedim(-1, 1), len(indices), failed)


def keep(batch: Any) -> Loaded:
    """Collate nothing: `Files` gives whole batches."""
    return cast(Loaded, batch)


@torch.no_grad()
def embed_files(
    model: Any,
    paths: Sequence[str],
    parts: Parts,
    batch_size: int = 256,
    workers: int = 0,
    advance: Callable[[int], None] = lambda count: None,
) -> None:
    """Embed the files that `parts` has no rows of yet, one batch in memory at a time.

    Args:
        model: what `reidzoo.load` gives: images to unit rows, with `transform` and `device`.
        paths: image files.
        parts: where rows go, and from where on they are missing.
        batch_size: images per step.
        workers: processes that read files.
        advance: told the number of files after every step.
    """
    model.eval()
    height, width = model.transform.height, model.transform.width
    loader: DataLoader[Loaded] = DataLoader(
        Subset(Files(paths, height, width), range(parts.done, len(paths))),
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=keep,
        worker_init_fn=use_one_thread,
        generator=torch.Generator(),  # leaves the global one alone
    )
    for batch in loader:
        rows = np.empty((0, 0), np.float32)
        if len(batch.image):
            rows = model(batch.image.to(model.device, non_blocking=True)).float().cpu().numpy()
        parts.append(rows, batch.files, batch.failed)
        advance(batch.files)


@torch.no_grad()
def embed_paths(model: Any, paths: Sequence[str], batch_size: int = 256) -> NDArray[np.float32]:
    """Unit rows [N, D] of a few files, all of which must be readable.

    Raises:
        UserError: a file that cannot be read.
    """
    rows = []
    for first in range(0, len(paths), batch_size):
        images = [model.transform(path) for path in paths[first : first + batch_size]]
        rows.append(model(torch.stack(images).to(model.device)).float().cpu().numpy())
    return np.concatenate(rows)


def listing(paths: Sequence[str]) -> str:
    """A digest of files by name and size: whether a stopped run may go on with them."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path}\0{Path(path).stat().st_size}\0".encode(errors="surrogateescape"))
    return total.hexdigest()
