"""Anti-aliased shapes on a transparent sheet, in units of a person's height."""

import math
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from reidzoo.data.synthetic.person import Colour

HEIGHT, WIDTH = 256, 128  # pixels; twice the size of the finished image
SHIFT = 4  # OpenCV takes coordinates with this many binary digits after the point
ONE = 1 << SHIFT
BROAD = 1.2  # detectors cut people out tightly, and crops are stretched to one shape
Point = tuple[float, float]


class Canvas:
    """A sheet of uint8 RGBA pixels [256,128,4], colours premultiplied by alpha.

    Points are (x, y): y runs from 0 at the top of the head to 1 at the soles, x from the middle
    of the body to the side that the person looks at.

    Args:
        height: pixels from head to soles.
        x: pixel column of the middle of the body, at the soles.
        y: pixel row of the soles.
        lean: sideways shift of the head, as a share of the height.
        keystone: how much narrower everything is at the bottom of the sheet than at its top.
        mirrored: look to the left.
    """

    def __init__(
        self, height: float, x: float, y: float, lean: float, keystone: float, mirrored: bool
    ) -> None:
        self.pixels: NDArray[np.uint8] = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        self.height = height
        self.x, self.y = x, y
        self.lean = lean
        self.keystone = keystone
        self.sign = -1 if mirrored else 1

    def place(self, point: Point) -> Point:
        """Pixel coordinates (column, row) of a point."""
        across, down = point
        row = self.y - self.height * (1 - down)
        column = self.x + self.height * (self.sign * BROAD * across + self.lean * (1 - down))
        narrow = 1 - self.keystone * row / HEIGHT
        return WIDTH / 2 + (column - WIDTH / 2) * narrow, row

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        cv2.fillPoly(self.pixels, [self._fixed(points)], (*colour, 255), cv2.LINE_AA, SHIFT)

    def limb(self, points: Sequence[Point], widths: Sequence[float], colour: Colour) -> None:
        """Fill a chain of tapered pieces with round joints; widths are full widths at points."""
        for (start, end), (near, far) in zip(pairwise(points), pairwise(widths), strict=True):
            dx, dy = end[0] - start[0], end[1] - start[1]
            length = 2 * max(math.hypot(dx, dy), 1e-6)
            across, down = -dy / length, dx / length
            corners = [
                (start[0] + across * near, start[1] + down * near),
                (end[0] + across * far, end[1] + down * far),
                (end[0] - across * far, end[1] - down * far),
                (start[0] - across * near, start[1] - down * near),
            ]
            self.polygon(corners, colour)
        for point, width in zip(points, widths, strict=True):
            self.disc(point, width / 2, width / 2, colour)

    def disc(
        self, centre: Point, rx: float, ry: float, colour: Colour, arc: tuple[int, int] = (0, 360)
    ) -> None:
        """Fill an ellipse, or the part of it between two angles in degrees, clockwise from +x."""
        column, row = self.place(centre)
        middle = (round(column * ONE), round(row * ONE))
        axes = (round(rx * BROAD * self.height * ONE), round(ry * self.height * ONE))
        start, end = arc if self.sign > 0 else (180 - arc[1], 180 - arc[0])
        cv2.ellipse(
            self.pixels, middle, axes, 0, start, end, (*colour, 255), -1, cv2.LINE_AA, SHIFT
        )

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw an open line."""
        thickness = max(1, round(width * self.height))
        path = [self._fixed(points)]
        cv2.polylines(self.pixels, path, False, (*colour, 255), thickness, cv2.LINE_AA, SHIFT)

    def weave(self, outline: Sequence[Point], colour: Colour, cover: NDArray[np.float32]) -> None:
        """Lay a second colour over a polygon where `cover`, stretched over it, says so.

        Args:
            outline: the polygon that is covered.
            colour: the second colour.
            cover: [h,w] in 0..1.
        """
        corners = np.array([self.place(point) for point in outline])
        left, top = np.floor(corners.min(axis=0)).astype(int)
        right, bottom = np.ceil(corners.max(axis=0)).astype(int)
        rows = slice(max(0, top), min(HEIGHT, bottom))
        columns = slice(max(0, left), min(WIDTH, right))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return  # outside of the sheet
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(mask, [self._fixed(outline)], 255, cv2.LINE_AA, SHIFT)
        stretched = cv2.resize(cover, (right - left, bottom - top))
        stretched = stretched[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        weight = (stretched * (mask[rows, columns] / np.float32(255)))[..., None]
        under = self.pixels[rows, columns, :3]
        under[:] = np.rint(under + weight * (np.array(colour, np.float32) - under))

    def _fixed(self, points: Sequence[Point]) -> NDArray[np.int32]:
        """Pixel coordinates [n,2] as OpenCV wants them: integers with `SHIFT` binary digits."""
        return np.array(
            [[round(at * ONE) for at in self.place(point)] for point in points], np.int32
        )
