"""The contact sheet under all picture tables: a grid of framed images with captions."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from PIL import Image, ImageDraw, ImageFont

from reidzoo.files import written_whole

Colour = tuple[int, int, int]

RIGHT: Colour = (26, 152, 80)
WRONG: Colour = (215, 38, 56)
ASKED: Colour = (40, 70, 140)
UNKNOWN: Colour = (150, 150, 150)
INK: Colour = (45, 45, 45)
PAPER: Colour = (255, 255, 255)
BLANK: Colour = (236, 236, 236)

FRAME = 5  # pixels, as all below
GAP = 8
LINE = 15
MARGIN = 16
FONT_SIZE = 12
TITLE_SIZE = 17
BUDGET = 3_000_000  # bytes of a saved sheet


class Crop(Protocol):
    """What the pictures need to know of an image; `data.records.Record` is one."""

    @property
    def path(self) -> str:
        """Where the image file is."""
        ...

    @property
    def identity(self) -> int:
        """Who is on it, negative when unknown."""
        ...

    @property
    def camera(self) -> int:
        """Which camera took it, negative when unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Cell:
    """One image on a sheet: its file, the colour of its frame, the lines under it."""

    path: str
    frame: Colour
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a sheet: a line of text above, and cells; None leaves a place empty."""

    heading: str
    cells: Sequence[Cell | None]
    colour: Colour = INK


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes in pixels; cell (row r, column c) has its frame's upper left corner at `corner(r, c)`.

    Args:
        width: of an image inside its frame.
        height: of an image inside its frame.
        lines: lines of text under an image.
        lead: columns that stand apart on the left (the query of a ranked list).
        header: of the title and legend above all rows.
    """

    width: int
    height: int
    lines: int
    lead: int
    header: int

    @property
    def row_height(self) -> int:
        """From one row to the next: heading, framed image, lines and the space below."""
        return LINE + 4 + self.height + 2 * FRAME + self.lines * LINE + 2 * GAP

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Upper left corner of a frame."""
        apart = 2 * GAP if 0 < self.lead <= column else 0
        x = MARGIN + column * (self.width + 2 * FRAME + GAP) + apart
        return x, self.header + row * self.row_height + LINE + 4

    def size(self, rows: int, columns: int) -> tuple[int, int]:
        """Width and height of the whole sheet."""
        x, _ = self.corner(0, columns)
        return x - GAP + MARGIN, self.header + rows * self.row_height + MARGIN - GAP


def draw_sheet(
    rows: Sequence[Row],
    title: str,
    legend: Sequence[tuple[Colour, str]] = (),
    *,
    height: int = 144,
    lead: int = 0,
) -> Image.Image:
    """Draw rows of framed images; a file that cannot be read leaves a crossed-out place.

    Args:
        rows: from top to bottom; they may differ in length.
        title: first line of the sheet.
        legend: colours of the frames and what they mean, second line.
        height: of each image in pixels; the width is that of a typical image at this height.
        lead: columns that stand apart on the left.

    Raises:
        ValueError: there is no row.

    >>> sheet = draw_sheet([Row("missing", [Cell("nowhere.jpg", WRONG)])], "title")
    >>> sheet.getpixel(layout_of([None], 144, 0, 0).corner(0, 0)) == WRONG
    True
    """
    if not rows:
        raise ValueError("a sheet needs at least one row of images, got none")
    pictures = [[_open(cell.path, height) if cell else None for cell in row.cells] for row in rows]
    lines = max((len(cell.lines) for row in rows for cell in row.cells if cell), default=0)
    layout = layout_of([picture for row in pictures for picture in row], height, lines, lead)
    width, whole_height = layout.size(len(rows), max(len(row.cells) for row in rows))
    width = max(width, _text_width(rows, title, legend) + 2 * MARGIN)
    sheet = Image.new("RGB", (width, whole_height), PAPER)
    pen = ImageDraw.Draw(sheet)
    _write_header(pen, title, legend)
    for r, row in enumerate(rows):
        x, y = layout.corner(r, 0)
        pen.text((x, y - LINE - 4), row.heading, fill=row.colour, font=_font())
        for c, cell in enumerate(row.cells):
            if cell:
                _paste(sheet, pen, cell, pictures[r][c], layout, layout.corner(r, c))
    return sheet


def layout_of(pictures: Sequence[Image.Image | None], height: int, lines: int, lead: int) -> Layout:
    """Sizes for pictures of this height: as wide as their median, within 0.4 and 1.6 heights.

    >>> layout_of([Image.new("RGB", (64, 128))], 128, lines=1, lead=0).width
    64
    """
    widths = [picture.width for picture in pictures if picture] or [height // 2]
    width = round(min(max(median(widths), 0.4 * height), 1.6 * height))
    return Layout(width, height, lines, lead, header=MARGIN + 4 * LINE)


def save_sheet(sheet: Image.Image, path: str | Path, budget: int = BUDGET) -> None:
    """Save as PNG within a budget of bytes: fewer colours first, then fewer pixels.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "sheet.png"
    >>> save_sheet(Image.effect_noise((300, 300), 90), target, budget=20_000)
    >>> target.stat().st_size <= 20_000
    True
    """
    data = _encode(sheet)
    scale = 1.0
    while len(data) > budget and scale > 0.1:
        size = round(sheet.width * scale), round(sheet.height * scale)
        smaller = sheet.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        data = _encode(smaller.quantize(256, dither=Image.Dither.NONE))
        scale *= 0.8
    with written_whole(path) as temporary:
        temporary.write_bytes(data)


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _open(path: str, height: int) -> Image.Image | None:
    """The image at a given height, or None when the file cannot be read."""
    try:
        with Image.open(path) as file:
            file.draft("RGB", (4 * height, 2 * height))  # JPEG decodes at a fraction of its size
            picture = file.convert("RGB")
    except (OSError, SyntaxError, ValueError):  # PIL raises any of them on a broken file
        return None
    width = max(1, round(picture.width * height / picture.height))
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _paste(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    cell: Cell,
    picture: Image.Image | None,
    layout: Layout,
    corner: tuple[int, int],
) -> None:
    """One cell: frame, image inside it (whole, centred), lines below."""
    x, y = corner
    right, bottom = x + layout.width + 2 * FRAME - 1, y + layout.height + 2 * FRAME - 1
    inside = (x + FRAME, y + FRAME, right - FRAME, bottom - FRAME)
    pen.rectangle((x, y, right, bottom), fill=cell.frame)
    pen.rectangle(inside, fill=BLANK)
    if picture is None:
        pen.line(inside, fill=UNKNOWN)
        pen.line((inside[0], inside[3], inside[2], inside[1]), fill=UNKNOWN)
    else:
        picture.thumbnail((layout.width, layout.height), Image.Resampling.BICUBIC)
        left = inside[0] + (layout.width - picture.width) // 2
        sheet.paste(picture, (left, inside[1] + (layout.height - picture.height) // 2))
    for number, line in enumerate(cell.lines):
        middle = (x + right) / 2, bottom + 4 + number * LINE
        pen.text(middle, line, fill=INK, font=_font(), anchor="ma")


def _write_header(
    pen: ImageDraw.ImageDraw, title: str, legend: Sequence[tuple[Colour, str]]
) -> None:
    pen.text((MARGIN, MARGIN - 4), title, fill=INK, font=_font(TITLE_SIZE))
    x, y = MARGIN, MARGIN + 2 * LINE - 7
    for colour, meaning in legend:
        pen.rectangle((x, y, x + 10, y + 10), fill=colour)
        pen.text((x + 15, y + 5), meaning, fill=INK, font=_font(), anchor="lm")
        x += 15 + round(pen.textlength(meaning, font=_font())) + 2 * MARGIN


def _text_width(rows: Sequence[Row], title: str, legend: Sequence[tuple[Colour, str]]) -> int:
    """Pixels that the longest line of text needs; few images make a narrow sheet."""
    small = _font()
    lines = [_font(TITLE_SIZE).getlength(title), *(small.getlength(row.heading) for row in rows)]
    lines.append(sum(15 + small.getlength(meaning) + 2 * MARGIN for _, meaning in legend))
    return round(max(lines))


def _font(size: int = FONT_SIZE) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
