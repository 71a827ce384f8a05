"""The options of the training augmentation, free of any slow import."""

from dataclasses import dataclass

from reidzoo.errors import UserError

# The published runs erase after normalisation, with the ImageNet means as *normalised* values;
# as pixels that is 255 * (mean * deviation + mean).
ERASED = (152, 142, 127)
ERASE_TRIES = 100


@dataclass(frozen=True)
class Augment:
    """How training images are varied; the defaults are those of the published runs.

    Args:
        flip: probability of a left-right flip.
        pad: zero pixels put on every side before a random crop back to the image's size.
        jitter: strength of the photometric jitter (channel gains, brightness, gamma, saturation);
            0 is off, 0.8 is best where clusters would otherwise follow the cameras' colours.
        jitter_probability: share of the draws that are jittered, when `jitter` is not 0.
        erase: probability that a rectangle is erased.
        erase_area: smallest and largest erased share of the image.
        erase_aspect: smallest and largest height / width of the erased rectangle.
        on_device: vary whole batches where the network is, in distribution as the loader's workers
            do it (by albumentations, image by image); for machines with few cores per GPU.
    """

    flip: float = 0.5
    pad: int = 10
    jitter: float = 0.0
    jitter_probability: float = 0.8
    erase: float = 0.5
    erase_area: tuple[float, float] = (0.02, 0.4)
    erase_aspect: tuple[float, float] = (0.3, 1 / 0.3)
    on_device: bool = False

    def __post_init__(self) -> None:
        for name in ("flip", "jitter_probability", "erase"):
            self._check(name, 0 <= getattr(self, name) <= 1, "a probability from 0 to 1")
        for name in ("pad", "jitter"):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        for name, most in (("erase_area", 1.0), ("erase_aspect", float("inf"))):
            low, high = getattr(self, name)
            self._check(name, 0 < low <= high <= most, "a range of positive numbers, lowest first")

    def _check(self, name: str, good: bool, wanted: str) -> None:
        if not good:
            raise UserError(f"--data.augment.{name} {getattr(self, name)}: must be {wanted}")
