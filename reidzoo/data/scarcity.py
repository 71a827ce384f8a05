"""Training sets made poorer on purpose: fewer cameras, images, meetings; camera ids that lie.

What benchmarks offer, a new place seldom has. Each switch takes one thing away, so that methods can
be compared under it. Query and gallery are never touched.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reidzoo.data.records import UNKNOWN_CAMERA, UNKNOWN_IDENTITY, Record
from reidzoo.errors import UserError

OPTION = "--data.scarcity"
Records = Sequence[Record]


@dataclass(frozen=True)
class Scarcity:
    """What is taken from the training images, in this order; the defaults take nothing.

    Args:
        cameras: only these cameras, by their numbers from 0; they are numbered 0, 1, ... anew.
        long_tail: exponent a of a power law: the identity with the most images keeps its n, the
            r-th at most n / r^a, one at least; 0 is off.
        single_camera_identities: share of the identities that one camera only has seen; of the
            others' images those of one camera are kept.
        images: share of the images that is kept.
        wrong_cameras: share of the images (with a known camera) that name another camera.
        unknown_cameras: share of them, beside the wrong ones, that lose their camera.
        seed: of the choice; it does not depend on the seed of the run.
    """

    cameras: tuple[int, ...] | None = None
    long_tail: float = 0.0
    single_camera_identities: float = 0.0
    images: float = 1.0
    wrong_cameras: float = 0.0
    unknown_cameras: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("single_camera_identities", "wrong_cameras", "unknown_cameras"):
            self._check(name, 0 <= getattr(self, name) <= 1, "a share from 0 to 1")
        self._check("images", 0 < self.images <= 1, "a share above 0, at most 1")
        self._check("long_tail", 0 <= self.long_tail < float("inf"), "an exponent, 0 or more")
        self._check("seed", self.seed >= 0, "0 or more")
        both = self.wrong_cameras + self.unknown_cameras <= 1
        self._check("unknown_cameras", both, f"at most 1 with wrong_cameras {self.wrong_cameras}")
        chosen = self.cameras
        good = chosen is None or (len(set(chosen)) == len(chosen) >= 2 and min(chosen) >= 0)
        self._check("cameras", good, "two or more different numbers from 0, such as [0,2]")

    def __str__(self) -> str:
        """What is taken, in words; empty where nothing is."""
        plain = Scarcity()
        chosen = {
            name: value
            for name, value in vars(self).items()
            if name != "seed" and value != getattr(plain, name)
        }
        words = [f"{name.replace('_', ' ')} {value}" for name, value in chosen.items()]
        return ", ".join([*words, f"seed {self.seed}"]) if words else ""

    def _check(self, name: str, good: bool, wanted: str) -> None:
        if not good:
            raise UserError(f"{OPTION}.{name} {getattr(self, name)}: must be {wanted}")


def make_scarce(records: Records, scarcity: Scarcity) -> tuple[Record, ...]:
    """Take from training records what the options say.

    Every switch draws from its own random numbers, so that adding one leaves the others' draws.

    Args:
        records: training images, sorted by path.
        scarcity: what to take.

    Returns:
        What is left, in the same order.

    Raises:
        UserError: a switch needs identities or cameras that are not known, or fewer than two
            images, or of several cameras fewer than two, would be left.

    >>> people = [Record(f"{i}.jpg", identity=i // 4, camera=i % 2) for i in range(8)]
    >>> [record.path for record in make_scarce(people, Scarcity(images=0.5))]
    ['0.jpg', '2.jpg', '3.jpg', '4.jpg']
    """
    if not str(scarcity):
        return tuple(records)
    _check_known(records, scarcity)
    left = records
    if scarcity.cameras is not None:
        left = _only_cameras(left, scarcity.cameras)
    if scarcity.long_tail:
        left = _cut_tail(left, scarcity.long_tail, _random(scarcity, 0))
    if scarcity.single_camera_identities:
        left = _separate(left, scarcity.single_camera_identities, _random(scarcity, 1))
    if scarcity.images < 1:
        left = _draw(left, scarcity.images, _random(scarcity, 2))
    _check_enough(records, left, scarcity)
    return tuple(_mislead(left, scarcity, _random(scarcity, 3)))


def _random(scarcity: Scarcity, switch: int) -> np.random.Generator:
    return np.random.default_rng([scarcity.seed, switch])


def _only_cameras(records: Records, cameras: tuple[int, ...]) -> list[Record]:
    known = _cameras(records)
    if not known.issuperset(cameras):
        raise UserError(
            f"{OPTION}.cameras {list(cameras)}: the training images have the cameras "
            f"{', '.join(map(str, sorted(known)))}"
        )
    new = {camera: number for number, camera in enumerate(sorted(cameras))}
    return [replace(r, camera=new[r.camera]) for r in records if r.camera in new]


def _cut_tail(records: Records, exponent: float, random: np.random.Generator) -> list[Record]:
    """Largest identities first; equal ones in a random order, and random images of each."""
    counts = Counter(record.identity for record in records)
    shuffled = random.permutation(sorted(counts)).tolist()
    ranked = sorted(shuffled, key=lambda identity: -counts[identity])
    most = counts[ranked[0]]
    caps = {
        identity: max(1, round(most / rank**exponent))
        for rank, identity in enumerate(ranked, start=1)
    }
    kept: set[int] = set()
    for identity, places in _places(records).items():
        number = min(len(places), caps[identity])
        kept.update(random.choice(places, number, replace=False).tolist())
    return [records[place] for place in sorted(kept)]


def _separate(records: Records, share: float, random: np.random.Generator) -> list[Record]:
    """Keep one camera's images of so many identities that the share of the whole is reached."""
    seen: dict[int, set[int]] = defaultdict(set)
    for record in records:
        seen[record.identity].add(record.camera)
    several = sorted(identity for identity, cameras in seen.items() if len(cameras) > 1)
    missing = round(share * len(seen)) - (len(seen) - len(several))
    chosen = random.choice(several, max(0, missing), replace=False).tolist()
    only = {identity: int(random.choice(sorted(seen[identity]))) for identity in chosen}
    return [r for r in records if only.get(r.identity, r.camera) == r.camera]


def _draw(records: Records, share: float, random: np.random.Generator) -> list[Record]:
    kept = random.choice(len(records), round(share * len(records)), replace=False)
    return [records[place] for place in sorted(kept.tolist())]


def _mislead(records: Records, scarcity: Scarcity, random: np.random.Generator) -> Iterable[Record]:
    """Name another camera on some images and none on others; no image is drawn for both."""
    known = [place for place, record in enumerate(records) if record.camera != UNKNOWN_CAMERA]
    order = random.permutation(known).tolist()
    wrong = round(scarcity.wrong_cameras * len(known))
    unknown = min(round(scarcity.unknown_cameras * len(known)), len(known) - wrong)
    cameras = sorted(_cameras(records))
    changed = {}
    for place in order[:wrong]:
        others = [camera for camera in cameras if camera != records[place].camera]
        changed[place] = int(random.choice(others))
    changed |= dict.fromkeys(order[wrong : wrong + unknown], UNKNOWN_CAMERA)
    for place, record in enumerate(records):
        yield replace(record, camera=changed.get(place, record.camera))


def _cameras(records: Records) -> set[int]:
    return {record.camera for record in records} - {UNKNOWN_CAMERA}


def _places(records: Records) -> dict[int, list[int]]:
    """Identity -> positions of its images."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        places[record.identity].append(place)
    return places


def _check_known(records: Records, scarcity: Scarcity) -> None:
    """Refuse what the data cannot be asked for."""
    blind = any(record.identity == UNKNOWN_IDENTITY for record in records)
    few = len(_cameras(records)) < 2
    for name, missing, what in (
        ("long_tail", blind, "the identity of every training image"),
        ("single_camera_identities", blind, "the identity of every training image"),
        ("single_camera_identities", few, "two known cameras"),
        ("cameras", few, "two known cameras"),
        ("wrong_cameras", few, "two known cameras"),
        ("unknown_cameras", few, "two known cameras"),
    ):
        if missing and getattr(scarcity, name) not in (None, 0):
            value = getattr(scarcity, name)
            raise UserError(f"{OPTION}.{name} {value}: needs {what}, which these data do not give")


def _check_enough(before: Records, left: Records, scarcity: Scarcity) -> None:
    if len(left) < 2:
        raise UserError(f"{OPTION}: {scarcity}: leaves {len(left)} of {len(before)} images")
    if len(_cameras(left)) < 2 <= len(_cameras(before)):
        raise UserError(
            f"{OPTION}: {scarcity}: leaves the images of {len(_cameras(left))} of "
            f"{len(_cameras(before))} cameras, two are needed"
        )
