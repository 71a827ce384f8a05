"""Image files to pixels: every kind of file becomes uint8 RGB rows, upright and of one size."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from reidzoo.errors import UserError

Pixels = NDArray[np.uint8]

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
PNG_START, PNG_END = b"\x89PNG", b"IEND\xaeB`\x82"


class ImageFileError(UserError):
    """One image file that cannot be decoded.

    A loader worker's exception reaches the main process with a whole traceback as its message;
    only the last line, without the class name, is meant for people.
    """

    def __init__(self, message: str) -> None:
        line = message.strip().rsplit("\n", 1)[-1]
        super().__init__(line.removeprefix(f"{type(self).__module__}.{type(self).__qualname__}: "))


def read_image(path: str | Path) -> Pixels:
    """Decode one file to uint8 RGB [H, W, 3], turned upright; alpha is dropped, 16 bits become 8.

    OpenCV decodes JPEG and PNG, about 1.5 times as fast as Pillow. It would fill the missing part
    of a truncated file with grey and say nothing, so only files that end as they should go that
    way; Pillow decides about all others.

    Raises:
        ImageFileError: the file is missing, truncated or not an image.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123  a Path costs as much as reading does
            data = file.read()
        image = _decode_quickly(data) if _is_whole(data) else None
        return _decode_carefully(data) if image is None else image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = _explain(error)
        raise ImageFileError(
            f"cannot read the image {path} ({reason}); remove it or copy it again"
        ) from None


def resize(image: Pixels, height: int, width: int) -> Pixels:
    """Resize uint8 [h, w, 3] to [height, width, 3], bicubic, without aliasing when it shrinks.

    The reference resizes with Pillow's bicubic filter, which widens when it shrinks; OpenCV's does
    not, so an image that shrinks both ways is averaged over areas instead.

    >>> resize(np.full((128, 64, 3), 7, np.uint8), 256, 128).shape
    (256, 128, 3)
    """
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cast(Pixels, cv2.resize(image, (width, height), interpolation=how))


class ImageFiles:
    """Files as a sequence of images of one size: `files[i]` is uint8 RGB [height, width, 3]."""

    def __init__(self, paths: Sequence[str], height: int, width: int) -> None:
        self.paths = paths
        self.height = height
        self.width = width

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Pixels:
        return resize(read_image(self.paths[index]), self.height, self.width)


def _is_whole(data: bytes) -> bool:
    return (data.startswith(JPEG_START) and data.endswith(JPEG_END)) or (
        data.startswith(PNG_START) and data.endswith(PNG_END)
    )


def _decode_quickly(data: bytes) -> Pixels | None:
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:  # more pixels than it accepts: Pillow says so in words
        return None
    return cast(Pixels | None, image)


def _decode_carefully(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as file:
        image: Any = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):  # 16-bit grey: convert("RGB") would clip it to white
            return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, axis=2)
        return np.array(image.convert("RGB"))


def _explain(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())
