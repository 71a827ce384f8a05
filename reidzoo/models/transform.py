"""Any image to what a trained network takes."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from reidzoo.images import Pixels, read_image, resize


class ImageTransform:
    """An image of any size to the bytes that a trained embedder takes.

    >>> ImageTransform(64, 32)(np.zeros((100, 50, 3), np.uint8)).shape
    torch.Size([3, 64, 32])
    """

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width

    def __call__(self, image: str | Path | Image.Image | Pixels) -> Tensor:
        """Path, Pillow image, or RGB array [h, w, 3] uint8 -> [3, height, width] uint8.

        Raises:
            ValueError: an array of another shape or type.
            UserError: a file that cannot be read.
        """
        if isinstance(image, str | Path):
            pixels = read_image(image)
        elif isinstance(image, Image.Image):
            upright: Any = ImageOps.exif_transpose(image)
            pixels = np.array(upright.convert("RGB"))
        else:
            pixels = image
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(
                f"an image array must be RGB uint8 [h, w, 3], got {pixels.dtype} "
                f"{list(pixels.shape)}"
            )
        resized = resize(pixels, self.height, self.width)
        return torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
