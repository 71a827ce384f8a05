"""Data sets of pixels only: what an image's label is, is never known here.

Pseudo-labels are put into a batch by the main process, so workers cannot hold stale ones.

A loader asks these data sets for whole batches (`__getitems__`): each image goes straight to its
place in the batch, and only that is fresh memory. Collecting single images first and joining them
afterwards cost a third of the whole input time, all of it in page faults.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset

from reidzoo.data.samplers import Draw, Key
from reidzoo.images import Pixels

Batch = dict[str, Tensor]
Augmentation = Callable[[Pixels, Key, int], Pixels]


class ImageSource(Protocol):
    """Anything that gives image i as uint8 RGB [height, width, 3]: files or a cache."""

    height: int
    width: int

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Pixels: ...


class DrawnImages(Dataset[Batch]):
    """Training images: draws (index, key) in; `image`, `index` and `camera` out.

    Args:
        source: images in index order.
        cameras: their cameras, -1 unknown.
        augmentation: called with (image, key, view); None leaves it to the device, for
            which the keys [B, 3] come out as `draw`.
        views: 1 gives images [B, 3, H, W]; more give [B, views, 3, H, W].
    """

    def __init__(
        self,
        source: ImageSource,
        cameras: Sequence[int],
        augmentation: Augmentation | None,
        views: int = 1,
    ) -> None:
        self.source = source
        self.cameras = cameras
        self.augmentation = augmentation
        self.views = 1 if augmentation is None else views

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, draw: Draw) -> Batch:
        """A batch of one."""
        return self.__getitems__([draw])

    def __getitems__(self, draws: Sequence[Draw]) -> Batch:
        """A batch, in the order of the draws."""
        image = _stack(
            (view for draw in draws for view in self._augmented(*draw)),
            (len(draws) * self.views, self.source.height, self.source.width, 3),
        )
        batch = {
            "image": image if self.views == 1 else image.view(-1, self.views, *image.shape[1:]),
            "index": torch.tensor([index for index, _ in draws]),
            "camera": torch.tensor([self.cameras[index] for index, _ in draws]),
        }
        if self.augmentation is None:
            batch["draw"] = torch.tensor([key for _, key in draws])
        return batch

    def _augmented(self, index: int, key: Key) -> Iterable[Pixels]:
        image = self.source[index]
        if self.augmentation is None:
            return [image]
        return (self.augmentation(image, key, view) for view in range(self.views))


class PlainImages(Dataset[Batch]):
    """Images as they are, for extraction and evaluation: indices in; `image`, `index` out."""

    def __init__(self, source: ImageSource) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Batch:
        """A batch of one."""
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """A batch, in the order of the indices."""
        image = _stack(
            (self.source[index] for index in indices),
            (len(indices), self.source.height, self.source.width, 3),
        )
        return {"image": image, "index": torch.tensor(indices)}


def keep_batch(batch: Any) -> Batch:
    """Collate nothing: the data sets above make whole batches."""
    return cast(Batch, batch)


def _stack(images: Iterable[Pixels], shape: tuple[int, int, int, int]) -> Tensor:
    """Write [H, W, 3] images into one tensor [B, 3, H, W], channels last in memory.

    Nothing is transposed on the way: OpenCV's pixels are interleaved, and so are those that
    convolutions on tensor cores like best.
    """
    batch = torch.empty(shape, dtype=torch.uint8)
    for place, image in zip(batch.numpy(), images, strict=True):
        place[...] = image
    return batch.movedim(-1, 1)
