"""Draw a person in a pose: an articulated paper doll seen from one of four sides."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reidzoo.data.synthetic.canvas import Canvas, Point
from reidzoo.data.synthetic.patterns import weave_pattern
from reidzoo.data.synthetic.person import Colour, Person

View = Literal["front", "back", "left", "right"]
VIEWS: tuple[View, ...] = ("front", "back", "left", "right")
SIDE_WIDTH = 0.62  # how much narrower a body is from the side
SHOULDER, NECK = 0.185, 0.145  # heights from the top of the head, as shares of the body


@dataclass(frozen=True)
class Pose:
    """How a person stands in one image.

    Args:
        view: the side that is seen.
        phase: of the walk, in radians.
        height: of the body in pixels of the canvas.
        x: pixel column of the feet.
        y: pixel row of the soles.
        lean: sideways shift of the head, as a share of the height.
        keystone: how much narrower everything is at the bottom of the canvas than at its top.
    """

    view: View
    phase: float
    height: float
    x: float
    y: float
    lean: float = 0.0
    keystone: float = 0.0


def draw_figure(person: Person, pose: Pose) -> NDArray[np.uint8]:
    """Draw a person on a transparent sheet, uint8 RGBA [256,128,4], premultiplied."""
    canvas = Canvas(
        pose.height, pose.x, pose.y, pose.lean, pose.keystone, mirrored=pose.view == "left"
    )
    if pose.view in ("left", "right"):
        _draw_side(canvas, person, pose.phase)
    else:
        _draw_upright(canvas, person, pose.phase, back=pose.view == "back")
    return canvas.pixels


def darker(colour: Colour, factor: float) -> Colour:
    """Return a colour in the shade."""
    red, green, blue = (round(channel * factor) for channel in colour)
    return (red, green, blue)


def _draw_upright(canvas: Canvas, person: Person, phase: float, back: bool) -> None:
    swing = np.sin(phase)
    hip = 1 - person.legs
    half_shoulder, half_hip = 0.114 * person.shoulders, 0.092 * person.hips
    for side in (-1, 1):
        lift = max(0.0, side * swing) * 0.03  # the foot that is behind looks higher
        hip_point = (side * half_hip * 0.52, hip + 0.01)
        knee = (side * half_hip * 0.60, (hip + 1) / 2 - lift * 0.5)
        ankle = (side * half_hip * 0.62, 0.965 - lift)
        _draw_leg(canvas, person, (hip_point, knee, ankle), 1 - 4 * lift, toe=0.012 * side)
    _draw_skirt(canvas, person, half_hip, hip)
    for side in (-1, 1):
        shoulder = (side * (half_shoulder - 0.012), SHOULDER + 0.012)
        elbow = (side * (half_shoulder + 0.022), 0.335)
        hand = (side * (half_shoulder + 0.026 - 0.012 * side * swing), 0.475 - 0.02 * side * swing)
        _draw_arm(canvas, person, (shoulder, elbow, hand), 0.88)
        if person.bag == "hand" and side == 1:
            _draw_hand_bag(canvas, person, hand)
    outline = _torso_outline(person, half_shoulder, half_hip, hip)
    _draw_torso(canvas, person, outline, "back" if back else "front")
    _draw_neck(canvas, person, 0.036)
    if person.bag == "backpack":
        _draw_backpack(canvas, person, half_shoulder, back)
    if person.bag == "shoulder":
        _draw_shoulder_bag(canvas, person, half_shoulder, half_hip, hip, -1 if back else 1)
    _draw_head(canvas, person, "back" if back else "front")


def _draw_side(canvas: Canvas, person: Person, phase: float) -> None:
    swing = np.sin(phase)
    hip = 1 - person.legs
    half_shoulder = 0.114 * person.shoulders * SIDE_WIDTH
    half_hip = 0.092 * person.hips * SIDE_WIDTH * 1.25
    _draw_arm(canvas, person, _side_arm(-swing), 0.68)
    _draw_leg(canvas, person, _side_leg(-swing, hip), 0.72, toe=0.03)
    _draw_leg(canvas, person, _side_leg(swing, hip), 1.0, toe=0.03)
    _draw_skirt(canvas, person, half_hip * 1.1, hip)
    if person.bag == "backpack":
        canvas.polygon(
            _rounded(-half_shoulder - 0.052, 0.20, half_shoulder * 0.4, 0.43), person.bag_colour
        )
    _draw_neck(canvas, person, 0.032)
    outline = _torso_outline(person, half_shoulder, half_hip, hip)
    _draw_torso(canvas, person, outline, "side")
    arm = _side_arm(swing)
    _draw_arm(canvas, person, arm, 0.86)
    if person.bag == "hand":
        _draw_hand_bag(canvas, person, arm[2])
    if person.bag == "shoulder":
        _draw_shoulder_bag(canvas, person, half_shoulder, half_hip, hip, -1)
    _draw_head(canvas, person, "side")


def _side_leg(swing: float, hip: float) -> tuple[Point, Point, Point]:
    length = (1 - hip) / 2
    thigh, shin = 0.42 * swing, 0.42 * swing - 0.32 * max(0.0, -swing) - 0.06
    knee = (float(length * np.sin(thigh)), float(hip + length * np.cos(thigh)))
    ankle = (
        float(knee[0] + length * 0.92 * np.sin(shin)),
        float(knee[1] + length * 0.92 * np.cos(shin)),
    )
    return (0.0, hip), knee, ankle


def _side_arm(swing: float) -> tuple[Point, Point, Point]:
    upper, lower = -0.5 * swing, -0.5 * swing + 0.3
    elbow = (float(0.15 * np.sin(upper)), float(SHOULDER + 0.012 + 0.15 * np.cos(upper)))
    hand = (float(elbow[0] + 0.14 * np.sin(lower)), float(elbow[1] + 0.14 * np.cos(lower)))
    return (0.0, SHOULDER + 0.015), elbow, hand


def _draw_leg(
    canvas: Canvas,
    person: Person,
    joints: tuple[Point, Point, Point],
    light: float,
    toe: float,
) -> None:
    _, knee, ankle = joints
    widths = (0.096 * person.hips, 0.066, 0.048)
    cloth = darker(person.lower, light)
    skin = darker(person.skin, light)
    shoe = darker(person.shoes, light)
    canvas.disc((ankle[0] + toe, ankle[1] + 0.018), 0.024 + abs(toe) * 0.7, 0.017, shoe)
    if person.legwear == "trousers":
        canvas.limb(joints, widths, cloth)
        return
    canvas.limb(joints, (0.07, 0.052, 0.034), skin)
    if person.legwear == "shorts":
        canvas.limb(joints[:2], (widths[0], 0.082), cloth)
    canvas.limb([_between(knee, ankle, 0.85), ankle], (0.036, 0.036), shoe)


def _draw_skirt(canvas: Canvas, person: Person, half_hip: float, hip: float) -> None:
    if person.legwear != "skirt":
        return
    hem = hip + 0.2
    waist = half_hip * 1.02
    corners = [(-waist, hip - 0.04), (waist, hip - 0.04), (waist * 1.35, hem), (-waist * 1.35, hem)]
    canvas.polygon(corners, person.lower)


def _draw_arm(
    canvas: Canvas, person: Person, joints: tuple[Point, Point, Point], light: float
) -> None:
    shoulder, elbow, hand = joints
    cloth, skin = darker(person.upper, light), darker(person.skin, light)
    canvas.disc(hand, 0.018, 0.022, skin)
    if person.long_sleeves:
        canvas.limb(joints, (0.062, 0.052, 0.040), cloth)
        return
    canvas.limb(joints, (0.046, 0.038, 0.028), skin)
    canvas.limb([shoulder, _between(shoulder, elbow, 0.7)], (0.062, 0.058), cloth)


def _torso_outline(
    person: Person, half_shoulder: float, half_hip: float, hip: float
) -> list[Point]:
    """Corner points from the left shoulder to the right one, down and up again."""
    hem = hip + 0.03 + person.coat
    half_hem = half_hip * (1.06 + 1.2 * person.coat)
    half_waist = 0.45 * (half_shoulder + half_hip) * 0.98
    right: list[Point] = [
        (0.035, SHOULDER - 0.025),
        (half_shoulder * 0.86, SHOULDER - 0.006),
        (half_shoulder, SHOULDER + 0.02),
        (half_shoulder * 0.94, 0.27),
        (half_waist, 0.37),
        (half_hip * 1.02, hip),
        (half_hem, hem),
    ]
    return [(-x, y) for x, y in right] + right[::-1]


def _draw_torso(
    canvas: Canvas, person: Person, outline: list[Point], side: Literal["front", "back", "side"]
) -> None:
    canvas.polygon(outline, person.upper)
    weave_pattern(canvas, person, outline, front=side == "front")


def _draw_neck(canvas: Canvas, person: Person, width: float) -> None:
    canvas.limb(
        [(0, 0.11), (0, NECK + 0.022)], (width * 1.1, width * 1.2), darker(person.skin, 0.86)
    )


def _draw_backpack(canvas: Canvas, person: Person, half_shoulder: float, back: bool) -> None:
    if back:
        half = half_shoulder * 0.78
        canvas.polygon(_rounded(-half, 0.20, half, 0.445), person.bag_colour)
        canvas.polygon(
            _rounded(-half * 0.7, 0.33, half * 0.7, 0.425), darker(person.bag_colour, 0.75)
        )
        return
    for side in (-1, 1):
        strap = [(side * half_shoulder * 0.55, SHOULDER), (side * half_shoulder * 0.68, 0.34)]
        canvas.line(strap, 0.02, person.bag_colour)


def _draw_shoulder_bag(
    canvas: Canvas, person: Person, half_shoulder: float, half_hip: float, hip: float, side: int
) -> None:
    low = (side * half_hip * 1.15, hip - 0.05)
    canvas.line(
        [(-side * half_shoulder * 0.6, SHOULDER), low], 0.014, darker(person.bag_colour, 0.8)
    )
    canvas.polygon(_rounded(low[0] - 0.05, low[1], low[0] + 0.05, low[1] + 0.11), person.bag_colour)


def _draw_hand_bag(canvas: Canvas, person: Person, hand: Point) -> None:
    x, y = hand
    canvas.line([(x - 0.025, y + 0.05), (x, y), (x + 0.025, y + 0.05)], 0.008, person.bag_colour)
    canvas.polygon(_rounded(x - 0.05, y + 0.045, x + 0.05, y + 0.135), person.bag_colour)


def _draw_head(canvas: Canvas, person: Person, side: Literal["front", "back", "side"]) -> None:
    rx, ry = 0.050 * person.head, 0.068 * person.head
    middle = 0.075
    cap = person.hair == "cap"
    colour = person.second if cap else person.hair_colour
    if person.hair == "long" and side != "back":
        shift = 0.0 if side == "front" else -0.02
        canvas.polygon(
            _rounded(shift - rx * 1.2, 0.03, shift + rx * 1.15, 0.18), darker(colour, 0.8)
        )
        _draw_neck(canvas, person, 0.036)
    if side == "side":
        canvas.disc((rx * 0.98, middle + 0.012), 0.014, 0.012, person.skin)  # nose
    canvas.disc((0, middle), rx, ry, person.skin)
    if side == "front":
        for eye in (-1, 1):
            canvas.disc((eye * rx * 0.42, middle), 0.008, 0.006, (40, 32, 30))
        canvas.line([(-rx * 0.3, middle + 0.034), (rx * 0.3, middle + 0.034)], 0.006, (150, 84, 78))
    if side == "side":
        canvas.disc((rx * 0.55, middle), 0.007, 0.006, (40, 32, 30))
    if person.hair == "bald":
        return
    if side == "back":
        canvas.disc((0, middle - 0.008), rx * 1.08, ry * (0.72 if cap else 1.02), colour)
        if person.hair == "long":
            canvas.polygon(_rounded(-rx * 1.15, 0.06, rx * 1.15, 0.20), colour)
        return
    top = middle - 0.012
    canvas.disc((0, top), rx * 1.1, ry * 0.95, colour, arc=(180, 360))
    if side == "side" and not cap:
        canvas.disc((-rx * 0.25, top), rx * 0.88, ry * 1.0, colour, arc=(90, 300))
    if cap:
        reach = rx * (1.7 if side == "side" else 1.1)
        start = 0.0 if side == "side" else -reach
        canvas.line([(start, top), (reach, top + 0.004)], 0.016, darker(colour, 0.8))


def _rounded(left: float, top: float, right: float, bottom: float) -> list[Point]:
    """Corners of a box with cut corners."""
    cut_x, cut_y = (right - left) * 0.18, (bottom - top) * 0.12
    return [
        (left + cut_x, top),
        (right - cut_x, top),
        (right, top + cut_y),
        (right, bottom - cut_y),
        (right - cut_x, bottom),
        (left + cut_x, bottom),
        (left, bottom - cut_y),
        (left, top + cut_y),
    ]


def _between(start: Point, end: Point, share: float) -> Point:
    return (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
