"""One image: a person in a pose, before a scene, behind an obstacle, through a camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reidzoo.data.synthetic.camera import Camera, Pixels, expose
from reidzoo.data.synthetic.canvas import HEIGHT as CANVAS_HEIGHT
from reidzoo.data.synthetic.canvas import WIDTH as CANVAS_WIDTH
from reidzoo.data.synthetic.figure import VIEWS, Pose, draw_figure
from reidzoo.data.synthetic.person import Person, cloth

HEIGHT, WIDTH = CANVAS_HEIGHT // 2, CANVAS_WIDTH // 2  # pixels of the finished image
FULL_HEIGHT = CANVAS_HEIGHT  # pixels of a person of scale 1


@dataclass(frozen=True)
class Framing:
    """How badly a detector cropped: shifts as shares of the image, and zoom."""

    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0


def draw_shot(
    random: np.random.Generator,
    camera: Camera,
    person: Person | None,
    passer_by: Person,
    framing: Framing | None = None,
) -> Pixels:
    """Draw one image, uint8 RGB [128,64,3].

    Args:
        random: the image's own generator.
        camera: where it is taken.
        person: who is on it; None for a false detection.
        passer_by: who may walk behind.
        framing: of junk images.
    """
    framing = framing or Framing()
    picture = crop_scene(random, camera.scene)
    if random.random() < camera.occluders / 2:
        paste(picture, shrink(draw_figure(passer_by, stranger_pose(random, camera))))
    if person is not None:
        figure = shrink(draw_figure(person, draw_pose(random, camera, framing)))
        cast_shadow(picture, figure)
        light_figure(random, figure, camera.light)
        paste(picture, figure)
    if random.random() < camera.occluders:
        draw_obstacle(random, picture)
    return expose(picture, camera, random)


def shrink(figure: Pixels) -> NDArray[np.float32]:
    """Shrink a canvas to the size of the image, which smooths it; [128,64,4] in 0..255."""
    small = cv2.resize(figure, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def crop_scene(random: np.random.Generator, scene: Pixels) -> Pixels:
    """Cut a random window of the canvas's size out of a scene."""
    top = int(random.integers(0, scene.shape[0] - HEIGHT + 1))
    left = int(random.integers(0, scene.shape[1] - WIDTH + 1))
    return scene[top : top + HEIGHT, left : left + WIDTH].copy()


def draw_pose(random: np.random.Generator, camera: Camera, framing: Framing) -> Pose:
    """Choose how a person stands before a camera."""
    height = FULL_HEIGHT * camera.scale * random.uniform(0.93, 1.06) * framing.zoom
    return Pose(
        view=VIEWS[int(random.choice(4, p=camera.views))],
        phase=random.uniform(0, 2 * np.pi),
        height=height,
        x=CANVAS_WIDTH * (0.5 + random.normal(0, 0.04) + framing.right),
        y=(CANVAS_HEIGHT + height) / 2 + CANVAS_HEIGHT * (random.normal(0, 0.012) + framing.down),
        lean=random.normal(0, 0.015),
        keystone=camera.keystone,
    )


def stranger_pose(random: np.random.Generator, camera: Camera) -> Pose:
    """Choose how a passer-by walks at the edge of the picture, a little farther away."""
    side = 1 if random.random() < 0.5 else -1
    height = FULL_HEIGHT * camera.scale * random.uniform(0.7, 0.9)
    return Pose(
        view=VIEWS[int(random.integers(4))],
        phase=random.uniform(0, 2 * np.pi),
        height=height,
        x=CANVAS_WIDTH * (0.5 + side * random.uniform(0.3, 0.5)),
        y=CANVAS_HEIGHT * random.uniform(0.84, 0.92),
        keystone=camera.keystone,
    )


def light_figure(random: np.random.Generator, figure: NDArray[np.float32], light: float) -> None:
    """Light a figure from one side and fold its clothes a little, in place."""
    across = np.linspace(-1, 1, WIDTH, dtype=np.float32)
    down = np.linspace(0, 1, HEIGHT, dtype=np.float32)
    folds = random.normal(0, 0.05, (20, 10)).astype(np.float32)
    shading = 1 + 0.35 * light * across - 0.12 * down[:, None]
    shading += cv2.resize(folds, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    figure[..., :3] *= shading[..., None]


def cast_shadow(picture: Pixels, figure: NDArray[np.float32]) -> None:
    """Darken the ground at the feet, in place."""
    solid = figure[..., 3] > 128
    rows = np.flatnonzero(solid.any(axis=1))
    if not len(rows):
        return  # badly cropped: nothing of the person is on the picture
    bottom = int(rows[-1])
    columns = np.flatnonzero(solid[max(0, bottom - 6) : bottom + 1].any(axis=0))
    middle, half = int(columns.mean()), int(np.ptp(columns)) // 2 + 3
    shadow = np.ones((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(shadow, (middle, bottom - 1), (half, 3), 0, 0, 360, 0.55, -1)
    picture[:] = picture * cv2.GaussianBlur(shadow, (3, 3), 0)[..., None]


def paste(picture: Pixels, figure: NDArray[np.float32]) -> None:
    """Lay a premultiplied figure over a picture, in place."""
    mixed = picture * (1 - figure[..., 3:] / 255) + figure[..., :3]
    picture[:] = np.clip(np.rint(mixed), 0, 255)


def draw_obstacle(random: np.random.Generator, picture: Pixels) -> None:
    """Put a box at the bottom, a pole, or a box at the side in front of the person."""
    colour = [int(channel) for channel in cloth(random)]
    kind = random.integers(3)
    if kind == 0:
        top = int(HEIGHT * random.uniform(0.62, 0.85))
        picture[top:] = colour
        picture[top : top + 2] = [min(255, channel + 30) for channel in colour]
    elif kind == 1:
        left, wide = WIDTH * random.uniform(0.2, 0.8), WIDTH * random.uniform(0.06, 0.13)
        picture[:, int(left) : int(left + wide)] = colour
        picture[:, int(left) : int(left) + 1] = [min(255, channel + 30) for channel in colour]
    else:
        wide, top = int(WIDTH * random.uniform(0.15, 0.32)), int(HEIGHT * random.uniform(0, 0.5))
        columns = slice(0, wide) if random.random() < 0.5 else slice(WIDTH - wide, WIDTH)
        picture[top:, columns] = colour
