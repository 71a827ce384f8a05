"""What a synthetic person looks like: clothes, build, hair and bag, drawn at random once."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

Colour = tuple[int, int, int]  # RGB, 0..255
Pattern = Literal["plain", "stripes", "bars", "check", "block", "disc", "jacket"]
Hair = Literal["short", "long", "bald", "cap"]
Bag = Literal["none", "backpack", "shoulder", "hand"]
Legwear = Literal["trousers", "shorts", "skirt"]

NEUTRALS: tuple[Colour, ...] = (
    (28, 28, 31),
    (62, 63, 68),
    (112, 113, 116),
    (168, 168, 166),
    (226, 225, 220),
    (92, 76, 60),
    (190, 172, 142),
    (36, 44, 72),
)
TROUSERS: tuple[Colour, ...] = (
    (44, 58, 92),
    (66, 86, 128),
    (98, 120, 156),
    (74, 74, 78),
    (120, 120, 122),
    (170, 154, 126),
    (112, 96, 72),
    (26, 26, 30),
    (34, 34, 40),
)
SKINS: tuple[Colour, ...] = (
    (241, 206, 180),
    (224, 178, 146),
    (190, 140, 104),
    (138, 94, 66),
    (88, 58, 42),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    (24, 20, 18),
    (58, 38, 26),
    (110, 74, 42),
    (190, 152, 92),
    (150, 148, 146),
)
SHOES: tuple[Colour, ...] = (
    (24, 24, 26),
    (230, 230, 228),
    (96, 62, 40),
    (120, 122, 126),
    (170, 44, 40),
)


@dataclass(frozen=True)
class Person:
    """Everything that stays the same in all images of one person.

    Lengths are shares of the body height; `shoulders`, `hips` and `head` are factors around 1.
    """

    upper: Colour
    second: Colour
    pattern: Pattern
    repeats: int
    long_sleeves: bool
    coat: float
    legwear: Legwear
    lower: Colour
    shoes: Colour
    skin: Colour
    hair_colour: Colour
    hair: Hair
    bag: Bag
    bag_colour: Colour
    shoulders: float
    hips: float
    legs: float
    head: float


PATTERNS: tuple[Pattern, ...] = (
    *("plain", "plain", "plain"),
    *("stripes", "bars", "check", "block", "disc", "jacket"),
)
HAIR_STYLES: tuple[Hair, ...] = ("short", "short", "long", "bald", "cap")
BAGS: tuple[Bag, ...] = ("none", "none", "backpack", "backpack", "shoulder", "hand")
LEGWEAR: tuple[Legwear, ...] = ("trousers", "trousers", "trousers", "shorts", "skirt")
COATS = (0.0, 0.0, 0.10, 0.22)

Choice = TypeVar("Choice")


def draw_person(random: np.random.Generator) -> Person:
    """Choose a person's looks.

    >>> draw_person(np.random.default_rng(0)).hair in HAIR_STYLES
    True
    """
    return Person(
        upper=cloth(random),
        second=cloth(random),
        pattern=pick(random, PATTERNS),
        repeats=int(random.integers(3, 7)),
        long_sleeves=bool(random.random() < 0.6),
        coat=pick(random, COATS),
        legwear=pick(random, LEGWEAR),
        lower=shade(random, pick(random, TROUSERS)) if random.random() < 0.75 else cloth(random),
        shoes=pick(random, SHOES),
        skin=pick(random, SKINS),
        hair_colour=pick(random, HAIR_COLOURS),
        hair=pick(random, HAIR_STYLES),
        bag=pick(random, BAGS),
        bag_colour=cloth(random),
        shoulders=random.uniform(0.82, 1.18),
        hips=random.uniform(0.80, 1.20),
        legs=random.uniform(0.45, 0.53),
        head=random.uniform(0.9, 1.12),
    )


def pick(random: np.random.Generator, choices: Sequence[Choice]) -> Choice:
    """Choose one of several, all equally likely."""
    return choices[int(random.integers(len(choices)))]


def cloth(random: np.random.Generator) -> Colour:
    """Choose the colour of a garment: nearly half are neutral, as in any street."""
    if random.random() < 0.45:
        return shade(random, pick(random, NEUTRALS))
    hue, saturation, value = random.uniform((0.0, 0.45, 0.35), (1.0, 0.95, 0.95))
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return (round(255 * red), round(255 * green), round(255 * blue))


def shade(random: np.random.Generator, colour: Colour) -> Colour:
    """Make a colour a little lighter or darker."""
    red, green, blue = np.clip(np.array(colour) * random.uniform(0.85, 1.15), 0, 255).astype(int)
    return (int(red), int(green), int(blue))
