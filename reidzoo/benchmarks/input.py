"""`bench input`: images per second and core, from JPEG to an augmented batch.

The plain alternative is the torchvision and Pillow pipeline of the published runs (pipeline.md
0.2). It is timed without joining its images to a batch, which ours does; all variants run on one
thread, in turns, in one process, and the medians of CPU seconds are compared.
"""

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import albumentations
import cv2
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image

from reidzoo.benchmarks.machine import describe_processor
from reidzoo.data.augment import Augment
from reidzoo.data.dataset import DrawnImages, PlainImages
from reidzoo.data.pixel_cache import cache_images
from reidzoo.data.samplers import Draw
from reidzoo.data.transforms import make_augmentation
from reidzoo.files import write_text
from reidzoo.images import ImageFiles

PLAIN = "torchvision + Pillow"
MARKET_SIZE = (128, 64)  # height, width of the images on disk


@dataclass(frozen=True)
class Timing:
    """One way to make a batch: median over the rounds, on one core."""

    name: str
    microseconds_per_image: float
    images_per_second: float
    times_plain: float


@dataclass(frozen=True)
class InputReport:
    """All timings and what they were measured on."""

    timings: tuple[Timing, ...]
    images: int
    rounds: int
    height: int
    width: int
    bytes_per_file: float
    machine: str
    load: float
    versions: str

    def to_markdown(self) -> str:
        """Write the table that `experiments/benchmarks/input.md` holds."""
        rows = [
            f"| {t.name} | {t.microseconds_per_image:.0f} | {t.images_per_second:,.0f} "
            f"| {t.times_plain:.1f} |"
            for t in self.timings
        ]
        return "\n".join(
            [
                "# Input: from JPEG to an augmented batch, per core",
                "",
                f"{self.images} JPEG files of {MARKET_SIZE[0]} x {MARKET_SIZE[1]} pixels "
                f"({self.bytes_per_file / 1000:.1f} kB) to {self.height} x {self.width}; "
                f"median of {self.rounds} interleaved rounds, CPU seconds, one thread.",
                "",
                "| way | us per image | images/s/core | times the plain way |",
                "|---|---:|---:|---:|",
                *rows,
                "",
                f"{self.machine}; load average {self.load:.1f} at the start; {self.versions}.",
                "`python -m reidzoo.bench input` makes this table.",
                "",
            ]
        )


def bench_input(
    *,
    images: int = 256,
    rounds: int = 9,
    height: int = 256,
    width: int = 128,
    output: str | None = "experiments/benchmarks",
) -> InputReport:
    """Time every way from files to pixels; write input.json and input.md to the folder `output`.

    Args:
        images: images per round, which is the batch too.
        rounds: times each way is timed, in turns.
        height: of the images that a network sees.
        width: of the images that a network sees.
        output: an existing or new folder, None for none.
    """
    load = os.getloadavg()[0]  # other programs on the machine slow all ways alike
    with tempfile.TemporaryDirectory() as folder, one_thread():
        paths = write_photographs(Path(folder), images)
        ways = make_ways(paths, height, width, Path(folder, "cache"))
        seconds = time_in_turns(ways, rounds)
        size = statistics.mean(Path(path).stat().st_size for path in paths)
    plain = seconds[PLAIN]
    report = InputReport(
        tuple(
            Timing(name, spent / images * 1e6, images / spent, plain / spent)
            for name, spent in seconds.items()
        ),
        images,
        rounds,
        height,
        width,
        size,
        describe_processor(),
        load,
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"torchvision {torchvision.__version__}, Pillow {PIL.__version__}, "
        f"OpenCV {cv2.__version__}, albumentations {albumentations.__version__}",
    )
    if output is not None:
        Path(output).mkdir(parents=True, exist_ok=True)
        write_text(Path(output, "input.json"), json.dumps(asdict(report), indent=2) + "\n")
        write_text(Path(output, "input.md"), report.to_markdown())
    return report


def make_ways(
    paths: list[str], height: int, width: int, cache: Path
) -> dict[str, Callable[[], object]]:
    """Name every way to turn all `paths` into pixels, the plain one first."""
    files = ImageFiles(paths, height, width)
    augmentation = make_augmentation(Augment())
    cameras = [0] * len(paths)
    draws: list[Draw] = [(index, (0, 0, index)) for index in range(len(paths))]
    drawn = DrawnImages(files, cameras, augmentation)
    cached = DrawnImages(cache_images(files, cache), cameras, augmentation)
    plain = make_plain_pipeline(height, width)
    return {
        PLAIN: lambda: [plain(path) for path in paths],
        "reidzoo": lambda: drawn.__getitems__(draws),
        "reidzoo, cached pixels": lambda: cached.__getitems__(draws),
        "reidzoo, without augmentation": lambda: PlainImages(files).__getitems__(range(len(paths))),
    }


def make_plain_pipeline(height: int, width: int) -> Callable[[str], torch.Tensor]:
    """Build the augmentation that the published runs use, as they write it."""
    from torchvision import transforms

    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    pipeline = transforms.Compose(
        [
            transforms.Resize((height, width), interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.RandomHorizontalFlip(),
            transforms.Pad(10),
            transforms.RandomCrop((height, width)),
            transforms.ToTensor(),
            transforms.Normalize(mean, deviation),
            transforms.RandomErasing(0.5, (0.02, 0.4), (0.3, 1 / 0.3), mean),
        ]
    )

    def read(path: str) -> torch.Tensor:
        with Image.open(path) as image:
            pixels: torch.Tensor = pipeline(image.convert("RGB"))
        return pixels

    return read


def write_photographs(folder: Path, count: int) -> list[str]:
    """Write JPEG files of Market-1501's size and weight: soft colours and a little noise."""
    rng = np.random.default_rng(0)
    height, width = MARKET_SIZE
    paths = []
    for index in range(count):
        coarse = rng.integers(40, 200, (height // 6, width // 6, 3)).astype(np.float32)
        soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(soft + rng.normal(0, 5, soft.shape), 0, 255).astype(np.uint8)
        path = str(folder / f"{index:05d}.jpg")
        cv2.imwrite(path, noisy, [cv2.IMWRITE_JPEG_QUALITY, 88])
        paths.append(path)
    return paths


def time_in_turns(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return each way's median CPU seconds; a first round that warms caches is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            seconds[name].append(time.process_time() - start)
    return {name: statistics.median(spent[1:]) for name, spent in seconds.items()}


@contextmanager
def one_thread() -> Iterator[None]:
    """Pin OpenCV and torch to one thread for a while."""
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        torch.set_num_threads(before[1])
