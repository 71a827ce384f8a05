"""Data sets of pixels only: what an image's label is, is never known here.

Pseudo-labels are put into a batch by the main process, so workers cannot hold stale ones.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import Dataset

from reidzoo.data.images import Pixels
from reidzoo.data.samplers import Draw, Key

Item = dict[str, Tensor | int]
Augmentation = Callable[[Pixels, Key, int], Pixels]


class ImageSource(Protocol):
    """Anything that gives image i as uint8 RGB [height, width, 3]: files or a cache."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Pixels: ...


class DrawnImages(Dataset[Item]):
    """Training images: a draw (index, key) in, one augmented image per view out.

    Args:
        source: images in index order.
        cameras: their cameras, -1 unknown.
        augmentation: called with (image, key, view).
        views: 1 gives images [3, H, W]; more give [views, 3, H, W].
    """

    def __init__(
        self,
        source: ImageSource,
        cameras: Sequence[int],
        augmentation: Augmentation,
        views: int = 1,
    ) -> None:
        self.source = source
        self.cameras = cameras
        self.augmentation = augmentation
        self.views = views

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, draw: Draw) -> Item:
        index, key = draw
        image = self.source[index]
        views = [_to_tensor(self.augmentation(image, key, view)) for view in range(self.views)]
        return {
            "image": views[0] if self.views == 1 else torch.stack(views),
            "index": index,
            "camera": self.cameras[index],
        }


class PlainImages(Dataset[Item]):
    """Images as they are, for extraction and evaluation: an index in, [3, H, W] out."""

    def __init__(self, source: ImageSource) -> None:
        self.source = source

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Item:
        return {"image": _to_tensor(self.source[index]), "index": index}


def collate_items(items: Sequence[Item]) -> dict[str, Tensor]:
    """Join items to a batch whose images are channels-last in memory, the layout they came in.

    Nothing is transposed on the way: OpenCV's pixels are interleaved, and so are the ones that
    convolutions on tensor cores like best.

    >>> pixels = torch.zeros(4, 2, 3, dtype=torch.uint8).movedim(-1, 0)
    >>> collate_items([{"image": pixels, "index": 5}])["image"].shape
    torch.Size([1, 3, 4, 2])
    """
    batch = {
        name: torch.tensor([item[name] for item in items]) for name in items[0] if name != "image"
    }
    images = [torch.as_tensor(item["image"]).movedim(-3, -1) for item in items]
    batch["image"] = torch.stack(images).movedim(-1, -3)
    return batch


def _to_tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels).movedim(-1, 0)
