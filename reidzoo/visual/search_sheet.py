"""What a search has found: a contact sheet, one row per query."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from reidzoo.gallery.search import Answer, Search
from reidzoo.visual.sheet import ASKED, RIGHT, UNKNOWN, Cell, Row, draw_sheet


def search_sheet(searches: Sequence[Search], title: str, height: int = 144) -> Image.Image:
    """Draw one row per query: the query, then its answers, most similar first.

    Frames are green for matches and grey for answers under the threshold, or without one.

    Args:
        searches: at least one.
        title: first line of the sheet.
        height: of each image in pixels.

    Returns:
        an RGB image; `save_sheet` writes it within a budget of bytes.
    """
    rows = [
        Row(
            f"{Path(search.query).name}: {search.verdict}",
            [Cell(search.query, ASKED, ("query",)), *map(_cell, search.answers)],
        )
        for search in searches
    ]
    legend = [(ASKED, "query"), (RIGHT, "match"), (UNKNOWN, "under the threshold")]
    if all(search.matches is None for search in searches):
        legend = [(ASKED, "query"), (UNKNOWN, "answer; the model has no threshold")]
    return draw_sheet(rows, title, legend, height=height, lead=1)


def _cell(answer: Answer) -> Cell:
    camera = f"camera {answer.camera}" if answer.camera >= 0 else "camera ?"
    frame = RIGHT if answer.match else UNKNOWN
    return Cell(answer.path, frame, (camera, f"{answer.similarity:.3f}"))
