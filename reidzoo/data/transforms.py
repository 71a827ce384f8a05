"""The training augmentation: an albumentations pipeline whose every draw follows from a key.

Works on uint8 [H, W, 3]; images come in at their final size and leave as uint8, because the model
normalises on the device. Equal in distribution to the augmentation of the published runs
(pipeline.md 0.2): flip, pad with zeros and crop, erase. This is the only file that knows
albumentations.
"""

import math
import os
import random
from typing import Any, cast

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it asks the network for newer versions otherwise

import albumentations as A
import cv2
import numpy as np

from reidzoo.data.augment import ERASE_TRIES, ERASED, Augment
from reidzoo.data.samplers import Key
from reidzoo.images import Pixels


class KeyedTransform:
    """Steps of albumentations that draw the same for the same key, whoever calls them.

    albumentations 2.0 keeps one random state per pipeline, which fork copies into all workers;
    here every call sets it anew from (key, view). Its `Compose` would do no more for one image,
    in a fifth of the whole time.
    """

    def __init__(self, steps: list[A.BasicTransform]) -> None:
        self.random = random.Random()
        self.generator = np.random.Generator(np.random.PCG64())
        self.steps = steps
        for step in steps:
            step.set_random_state(self.generator, self.random)

    def __call__(self, image: Pixels, key: Key, view: int = 0) -> Pixels:
        """Transform uint8 [H, W, 3]; `view` tells several draws of one key apart."""
        self._seed(key, view)
        self.random.random()  # as Compose draws: a key keeps the image that it always gave
        for step in self.steps:
            image = step(image=image)["image"]
        return image

    def _seed(self, key: Key, view: int) -> None:
        seed, epoch, position = key
        self.random.seed((((seed << 32 | epoch) << 40 | position) << 8) | view)
        self.generator.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": self.random.getrandbits(128), "inc": 1},
            "has_uint32": 0,
            "uinteger": 0,
        }


class Jitter(A.ImageOnlyTransform):  # type: ignore[misc]
    """Photometric jitter of strength j: saturation, then channel gains, brightness and gamma.

    Gains are exp N(0, .16 j), brightness exp N(0, .3 j), gamma exp N(0, .25 j) and saturation
    1 + (U(0, 1) - .6) j (synthetic_people.md).
    """

    def __init__(self, strength: float, p: float) -> None:
        super().__init__(p=p)
        self.strength = strength

    def get_params(self) -> dict[str, Any]:
        """Draw one image's gains [3] (brightness included), gamma and saturation."""
        normal, j = self.py_random.gauss, self.strength
        brightness = math.exp(normal(0, 0.3 * j))
        return {
            "gains": np.array([brightness * math.exp(normal(0, 0.16 * j)) for _ in range(3)]),
            "gamma": math.exp(normal(0, 0.25 * j)),
            "saturation": 1 + (self.py_random.random() - 0.6) * j,
        }

    def apply(
        self, img: Pixels, gains: Any = None, gamma: float = 1, saturation: float = 1, **_: Any
    ) -> Pixels:
        """Mix each pixel with its luma, then look gains and gamma up in one table per channel."""
        luma = np.array([0.299, 0.587, 0.114])
        mixed = cv2.transform(img, saturation * np.eye(3) + (1 - saturation) * luma)
        levels = np.linspace(0, 1, 256)[:, None] * gains  # [256, 3]
        table = np.rint(255 * np.minimum(levels, 1) ** gamma).astype(np.uint8)
        return cast(Pixels, cv2.LUT(mixed, table[:, None]))


class Shift(A.ImageOnlyTransform):  # type: ignore[misc]
    """Pad with zeros and crop back at random, in one step and a third of the time of the two."""

    def __init__(self, pad: int) -> None:
        super().__init__(p=1)
        self.pad = pad

    def get_params(self) -> dict[str, Any]:
        """Draw how far the image moves, in pixels, each way alike."""
        move = self.py_random.randint
        return {"down": move(-self.pad, self.pad), "right": move(-self.pad, self.pad)}

    def apply(self, img: Pixels, down: int = 0, right: int = 0, **_: Any) -> Pixels:
        """Copy what stays inside; the rest is black."""
        rows, columns = img.shape[:2]
        up, left = max(-down, 0), max(-right, 0)
        down, right = max(down, 0), max(right, 0)
        if max(up, down) >= rows or max(left, right) >= columns:
            return np.zeros_like(img)
        inside = img[up : rows - down, left : columns - right]
        return cast(Pixels, cv2.copyMakeBorder(inside, down, up, right, left, cv2.BORDER_CONSTANT))


class Erase(A.ImageOnlyTransform):  # type: ignore[misc]
    """Random erasing as in the published runs: area and aspect are uniform, not log-uniform."""

    def __init__(self, area: tuple[float, float], aspect: tuple[float, float], p: float) -> None:
        super().__init__(p=p)
        self.area = area
        self.aspect = aspect

    def get_params_dependent_on_data(
        self, params: dict[str, Any], data: dict[str, Any]
    ) -> dict[str, Any]:
        """Draw (top, left, height, width), or None if nothing fitted in a hundred tries."""
        return {"box": self._draw_box(*params["shape"][:2])}

    def _draw_box(self, rows: int, columns: int) -> tuple[int, int, int, int] | None:
        for _ in range(ERASE_TRIES):
            area = self.py_random.uniform(*self.area) * rows * columns
            aspect = self.py_random.uniform(*self.aspect)
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if height < rows and width < columns:
                top = self.py_random.randint(0, rows - height)
                return top, self.py_random.randint(0, columns - width), height, width
        return None

    def apply(self, img: Pixels, box: tuple[int, int, int, int] | None = None, **_: Any) -> Pixels:
        """Paint the box; the input is left as it was."""
        if box is None:
            return img
        top, left, height, width = box
        return cast(Pixels, cv2.rectangle(img.copy(), (left, top, width, height), ERASED, -1))


def make_augmentation(augment: Augment) -> KeyedTransform:
    """Build the training transform, for images that already have their final size.

    >>> transform = make_augmentation(Augment(pad=1))
    >>> image = np.arange(96, dtype=np.uint8).reshape(8, 4, 3)
    >>> bool((transform(image, (0, 1, 2)) == transform(image, (0, 1, 2))).all())
    True
    """
    steps: list[A.BasicTransform] = [A.HorizontalFlip(p=augment.flip)]
    if augment.jitter:
        steps.append(Jitter(augment.jitter, p=augment.jitter_probability))
    if augment.pad:
        steps.append(Shift(augment.pad))
    steps.append(Erase(augment.erase_area, augment.erase_aspect, p=augment.erase))
    return KeyedTransform(steps)
