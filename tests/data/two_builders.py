"""Two processes build all caches at the same moment; run by `test_two_builders`.

Both draw people, decode them into a pixel cache and compile a kernel, into the same empty folders.
"""

import hashlib
import multiprocessing
import sys
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np

from reidzoo.clustering.compiled import dot
from reidzoo.data import cache
from reidzoo.data.pixel_cache import cache_images
from reidzoo.data.synthetic.drawing import synthetic_people
from reidzoo.data.synthetic.presets import PRESETS
from reidzoo.images import ImageFiles

SMALL = replace(PRESETS["tiny"], identities=6, test_identities=4, distractors=4, junk=3)


def build(folder: Path, name: str, together: Barrier) -> None:
    """Everything that is cached, and a digest of what was read back."""
    together.wait(60)
    people = synthetic_people(SMALL, 0, folder / "people")
    paths = sorted(str(path) for path in people.rglob("*.jpg"))[:40]
    together.wait(60)
    images = cache_images(ImageFiles(paths, 32, 16), folder / "pixels")
    row = np.arange(4, dtype=np.float32)
    together.wait(60)
    product = dot(row, row)
    found = [cache.digest(people), hashlib.sha256(images.pixels.tobytes()).hexdigest()]
    (folder / name).write_text(" ".join([*found, str(product)]))


def main(folder: Path) -> int:
    """Returns how many of the two failed."""
    context = multiprocessing.get_context("fork")
    together = context.Barrier(2)
    builders = [context.Process(target=build, args=(folder, name, together)) for name in "ab"]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    return sum(builder.exitcode != 0 for builder in builders)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
