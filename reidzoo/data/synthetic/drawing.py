"""Draw a synthetic data set: every image by itself, in as many processes as there are cores."""

import hashlib
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from reidzoo.data.cache import build_once, cache_root
from reidzoo.data.formats.market import JUNK, MARKET
from reidzoo.data.synthetic.camera import Camera, draw_camera
from reidzoo.data.synthetic.person import Person, draw_person
from reidzoo.data.synthetic.plan import STRANGERS, Shot, plan_shots
from reidzoo.data.synthetic.presets import Preset
from reidzoo.data.synthetic.randomness import Kind, generator
from reidzoo.data.synthetic.shots import Framing, draw_shot

VERSION = 2  # of the drawing; to be raised with every change that alters a pixel
CHUNK = 64  # images per task

logger = logging.getLogger(__name__)


def synthetic_people(
    preset: Preset, seed: int = 0, folder: Path | None = None, processes: int | None = None
) -> Path:
    """Return the folder of a synthetic data set in Market-1501 layout, drawing it if need be.

    Args:
        preset: how many people, how hard.
        seed: of the drawing; another seed gives other people and other cameras.
        folder: what it lies in; None takes the cache.
        processes: to draw with; None takes one per core. They do not change a byte.

    Raises:
        UserError: the folder cannot be written to.
    """
    what: dict[str, str | int | float] = {"version": VERSION, "seed": seed, "preset": repr(preset)}
    name = hashlib.sha256(repr(sorted(what.items())).encode()).hexdigest()[:12]
    place = (folder or cache_root() / "synthetic") / name
    return build_once(place, what, partial(draw_all, preset, seed, processes))


def draw_all(preset: Preset, seed: int, processes: int | None, folder: Path) -> None:
    """Draw all images of a data set into an empty folder."""
    shots = plan_shots(preset, seed)
    for name in MARKET.folders:
        (folder / name).mkdir()
    chunks = [shots[start : start + CHUNK] for start in range(0, len(shots), CHUNK)]
    count = min(processes or len(os.sched_getaffinity(0)), len(chunks))
    began = time.perf_counter()
    drawn = run_tasks(partial(draw_chunk, preset, seed, folder), chunks, count)
    bar = track(
        drawn,
        f"drawing {len(shots)} synthetic people",
        len(chunks),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    total = sum(bar)
    seconds = time.perf_counter() - began
    logger.info("drew %d images of synthetic people in %.1f s: %s", total, seconds, folder.parent)


def run_tasks(
    work: Callable[[list[Shot]], int], chunks: list[list[Shot]], processes: int
) -> Iterator[int]:
    """Do the work on every chunk, in this process or in several; results come in any order."""
    if processes == 1:
        yield from map(work, chunks)
        return
    # A forked worker needs no second import and no `if __name__ == "__main__"` in user scripts.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    with context.Pool(processes, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.imap_unordered(work, chunks)


def draw_chunk(preset: Preset, seed: int, folder: Path, shots: list[Shot]) -> int:
    """Draw and write some images; returns how many."""
    for shot in shots:
        (folder / shot.path).write_bytes(draw_jpeg(preset, seed, shot))
    return len(shots)


def draw_jpeg(preset: Preset, seed: int, shot: Shot) -> bytes:
    r"""Draw one image; the same arguments give the same bytes.

    >>> from reidzoo.data.synthetic.presets import PRESETS
    >>> draw_jpeg(PRESETS["tiny"], 0, Shot("query", 33, 33, 0, 0))[:2]
    b'\xff\xd8'
    """
    random = generator(seed, Kind.IMAGE, shot.person, shot.camera, shot.number)
    camera = camera_of(seed, shot.camera, preset.camera_strength, preset.background)
    person = None if shot.empty else person_of(seed, shot.person)
    passer_by = person_of(seed, STRANGERS + int(random.integers(STRANGERS)))
    framing = bad_framing(random) if shot.identity == JUNK else Framing()
    image = draw_shot(random, camera, person, passer_by, framing)
    quality = [cv2.IMWRITE_JPEG_QUALITY, camera.quality]
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], quality)
    return bytes(encoded)


@cache
def person_of(seed: int, person: int) -> Person:
    """Return a person's looks."""
    return draw_person(generator(seed, Kind.IDENTITY, person))


@cache
def camera_of(seed: int, camera: int, strength: float, background: float) -> Camera:
    """Return a camera."""
    return draw_camera(generator(seed, Kind.CAMERA, camera), strength, background)


def bad_framing(random: np.random.Generator) -> Framing:
    """Choose a crop that shows a part of a person only."""
    right, down = random.uniform((0.22, 0.15), (0.42, 0.4)) * random.choice([-1, 1], 2)
    return Framing(float(right), float(down), random.uniform(1.1, 1.7))
