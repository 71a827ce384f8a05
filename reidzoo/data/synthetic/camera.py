"""A synthetic camera: where it hangs, what it looks at, and what it does to a picture."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SCENE_HEIGHT, SCENE_WIDTH = 208, 160  # pixels; images are 128 x 64 windows of it
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Camera:
    """What is the same in all images of one camera.

    Args:
        gains: [3] factors of red, green, blue, times brightness.
        gamma: exponent of the response.
        saturation: 1 keeps colours, 0 is grey.
        offset: [3] added to red, green, blue, in grey levels.
        blur: standard deviation in finished pixels.
        noise: standard deviation in grey levels.
        resolution: share of the pixels in each direction that survive.
        quality: of the JPEG file.
        keystone: how much narrower the bottom is than the top, as a share.
        scale: height of people, as a share of the usual one.
        light: -1..1, where the light comes from.
        occluders: share of images with something in front.
        views: [4] shares of front, back, left and right views.
        scene: uint8 [208,160,3], what is behind people.
    """

    gains: Floats
    gamma: float
    saturation: float
    offset: Floats
    blur: float
    noise: float
    resolution: float
    quality: int
    keystone: float
    scale: float
    light: float
    occluders: float
    views: NDArray[np.float64]
    scene: Pixels


def draw_camera(random: np.random.Generator, strength: float, background: float) -> Camera:
    """Choose a camera.

    Args:
        random: the camera's own generator.
        strength: k, 0 for no difference between cameras.
        background: b, contrast of the scene.
    """
    gains = np.exp(random.normal(0, 0.16 * strength, 3))
    brightness = np.exp(random.normal(0, 0.28 * strength))
    mix = 0.75 * random.dirichlet([0.8, 0.8, 0.5, 0.5]) + 0.25 / 4
    scene = draw_scene(random).astype(np.float32)
    return Camera(
        gains=(gains / gains.mean() * brightness).astype(np.float32),
        gamma=float(np.exp(random.normal(0, 0.22 * strength))),
        saturation=1 - random.uniform(0, 0.65) * strength,
        offset=random.normal(0, 10 * strength, 3).astype(np.float32),
        blur=random.uniform(0, 1.1) * strength,
        noise=random.uniform(2, 9) * strength,
        resolution=1 - random.uniform(0, 0.55) * strength,
        quality=int(random.integers(40, 89)),
        keystone=random.uniform(-0.05, 0.14) * strength,
        scale=random.uniform(0.82, 1.02),
        light=random.uniform(-1, 1),
        occluders=random.uniform(0.05, 0.25) * strength,
        views=mix / mix.sum(),
        scene=np.rint(118 + background * (scene - 118)).astype(np.uint8),
    )


def draw_scene(random: np.random.Generator) -> Pixels:
    """Draw what a camera looks at: wall or sky, ground, boxes, lines and stains, [208,160,3]."""
    height, width = SCENE_HEIGHT * 2, SCENE_WIDTH * 2
    scene = np.empty((height, width, 3), np.float32)
    horizon = int(height * random.uniform(0.35, 0.75))
    scene[:horizon] = random.uniform(90, 225) + random.normal(0, 14, 3)
    scene[horizon:] = random.uniform(60, 180) + random.normal(0, 10, 3)
    for _ in range(random.integers(15, 36)):
        left, top = random.uniform((-20, -20), (width - 10, height - 20)).astype(int)
        wide, tall = random.uniform((8, 12), (90, 150)).astype(int)
        part = scene[max(0, top) : max(0, top + tall), max(0, left) : max(0, left + wide)]
        part += random.uniform(0.3, 0.9) * (_paint(random) - part)
    for _ in range(random.integers(8, 20)):
        ends = random.uniform((0, 0), (width, height), (2, 2)).astype(int).tolist()
        upright = random.random() < 0.6  # posts and kerbs rather than slanting wires
        end = (ends[0][0], ends[1][1]) if upright else ends[1]
        cv2.line(scene, ends[0], end, _paint(random).tolist(), int(random.integers(1, 6)))
    stains = random.normal(0, 10, (10, 6, 3)).astype(np.float32)
    scene += cv2.resize(stains, (width, height), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(scene, (SCENE_WIDTH, SCENE_HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small, 0, 255), np.uint8)


def _paint(random: np.random.Generator) -> Floats:
    """Choose the colour of a thing in a scene: seldom gaudy."""
    chroma = random.choice([10.0, 22.0, 50.0])
    return (random.uniform(30, 225) + random.normal(0, chroma, 3)).astype(np.float32)


def expose(image: Pixels, camera: Camera, random: np.random.Generator) -> Pixels:
    """Turn a clean picture, uint8 [128,64,3], into what the camera delivers."""
    picture: NDArray[Any] = image.astype(np.float32)
    grey = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    picture = grey[..., None] + camera.saturation * (picture - grey[..., None])
    illumination = np.float32(np.exp(random.normal(0, 0.08)))
    picture = np.clip(picture * camera.gains * illumination / 255, 0, 1) ** camera.gamma * 255
    picture += camera.offset
    height, width = picture.shape[:2]
    if camera.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (5, 5), camera.blur)
    if camera.resolution < 0.95:
        small = (round(width * camera.resolution), round(height * camera.resolution))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    picture += camera.noise * random.standard_normal(picture.shape, np.float32)
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)
