"""How many people, how often they are seen, and how hard they are to tell apart."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A synthetic data set, up to the seed.

    Args:
        identities: people to train on; they get the identities 1, 2, ...
        test_identities: people to search for, numbered after the training ones.
        cameras: number of cameras.
        seen_by: least and most cameras that see one person.
        shots: least and most images of one person by one camera.
        distractors: gallery images of nobody searched for, a third of them without a person.
        junk: badly cropped images of test people, identity -1.
        camera_strength: k, how much cameras differ in colour, sharpness, noise and perspective.
        background: b, contrast of the backgrounds; 1 is full. At 1 clusters become cameras.
    """

    identities: int
    test_identities: int
    cameras: int
    seen_by: tuple[int, int]
    shots: tuple[int, int]
    distractors: int
    junk: int
    camera_strength: float
    background: float


PRESETS = {
    "easy": Preset(100, 60, 6, (3, 6), (2, 5), 60, 20, 0.4, 0.4),
    "standard": Preset(100, 60, 6, (3, 6), (2, 5), 60, 20, 0.6, 0.7),
    "hard": Preset(100, 60, 6, (3, 6), (2, 5), 60, 20, 0.5, 1.0),
    "tiny": Preset(32, 24, 4, (3, 4), (2, 4), 12, 4, 0.4, 0.4),
}
