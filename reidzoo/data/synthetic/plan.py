"""Which images a synthetic data set has: who is seen by which camera, how often, in which split."""

from dataclasses import dataclass

import numpy as np

from reidzoo.data.formats.market import JUNK, MARKET
from reidzoo.data.records import DISTRACTOR
from reidzoo.data.synthetic.presets import Preset
from reidzoo.data.synthetic.randomness import Kind, generator

STRANGERS = 10_000  # people from here on are nobody's search


@dataclass(frozen=True)
class Shot:
    """One image to draw.

    Args:
        folder: of the split.
        identity: as the name says.
        person: who is drawn; the name of a distractor or of junk does not tell.
        camera: 0-based.
        number: tells apart images of one person by one camera.
        empty: nobody is on it.
    """

    folder: str
    identity: int
    person: int
    camera: int
    number: int
    empty: bool = False

    @property
    def path(self) -> str:
        """File name in Market-1501's style, with its folder.

        >>> Shot("query", 7, 7, 0, 2).path
        'query/0007_c1s1_000050_02.jpg'
        """
        identity = "-1" if self.identity == JUNK else f"{self.identity:04d}"
        frame = 25 * self.number
        return f"{self.folder}/{identity}_c{self.camera + 1}s1_{frame:06d}_{self.number:02d}.jpg"


def plan_shots(preset: Preset, seed: int) -> list[Shot]:
    """List all images of a synthetic data set.

    The first image of each (test identity, camera) is a query, the others are the gallery.

    >>> from reidzoo.data.synthetic.presets import PRESETS
    >>> shots = plan_shots(PRESETS["tiny"], seed=0)
    >>> len({shot.path for shot in shots}) == len(shots)
    True
    """
    shots = []
    for person in range(1, preset.identities + preset.test_identities + 1):
        random = generator(seed, Kind.PLACEMENT, person)
        for camera in _seen_by(random, preset):
            for number in range(int(random.integers(*_closed(preset.shots)))):
                folder = MARKET.train
                if person > preset.identities:
                    folder = MARKET.gallery if number else MARKET.query
                shots.append(Shot(folder, person, person, camera, number))
    return shots + _distractors(preset, seed) + _junk(preset, seed)


def _seen_by(random: np.random.Generator, preset: Preset) -> list[int]:
    count = int(random.integers(*_closed(preset.seen_by)))
    return sorted(random.choice(preset.cameras, count, replace=False).tolist())


def _closed(least_and_most: tuple[int, int]) -> tuple[int, int]:
    return least_and_most[0], least_and_most[1] + 1


def _distractors(preset: Preset, seed: int) -> list[Shot]:
    shots = []
    for number in range(preset.distractors):
        person = STRANGERS + number
        camera = int(generator(seed, Kind.PLACEMENT, person).integers(preset.cameras))
        empty = number % 3 == 0
        shots.append(Shot(MARKET.gallery, DISTRACTOR, person, camera, number, empty))
    return shots


def _junk(preset: Preset, seed: int) -> list[Shot]:
    shots = []
    for number in range(preset.junk):
        random = generator(seed, Kind.PLACEMENT, 2 * STRANGERS + number)
        person = preset.identities + int(random.integers(1, preset.test_identities + 1))
        camera = int(random.integers(preset.cameras))
        shots.append(Shot(MARKET.gallery, JUNK, person, camera, 1_000 + number))
    return shots
