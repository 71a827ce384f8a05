"""Colour histograms: what clothes' colours alone achieve, the reference line of every table."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

STRIPES = 6
BINS = (8, 4, 4)  # of hue, saturation and value, counted jointly


def colour_histogram(image: NDArray[Any]) -> NDArray[np.float32]:
    """Describe a person by the colours from head to feet.

    The middle half of the columns is cut into horizontal stripes; the square roots of each
    stripe's HSV histogram make up a unit row, so that a product of two rows is the
    Bhattacharyya coefficient of the histograms.

    Args:
        image: uint8 RGB [H,W,3] with H >= 6 and W >= 4.

    Returns:
        float32 [768], of length 1.

    Raises:
        ValueError: the image has another type or shape.

    >>> image = np.zeros((12, 8, 3), np.uint8)
    >>> colour_histogram(image).shape
    (768,)
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image must be uint8 [H,W,3], got {image.dtype} {image.shape}")
    height, width = image.shape[:2]
    if height < STRIPES or width < 4:
        raise ValueError(f"image must be at least {STRIPES} x 4 pixels, got {height} x {width}")
    middle = image[:, width // 4 : width - width // 4]
    # The full-range conversion spreads hue over 0..255 like the other two.
    colours = cv2.cvtColor(np.ascontiguousarray(middle), cv2.COLOR_RGB2HSV_FULL)
    counts = [
        cv2.calcHist([stripe], [0, 1, 2], None, BINS, [0, 256] * 3).ravel() / stripe[..., 0].size
        for stripe in np.array_split(colours, STRIPES)
    ]
    return np.asarray(np.sqrt(np.concatenate(counts) / STRIPES), np.float32)
