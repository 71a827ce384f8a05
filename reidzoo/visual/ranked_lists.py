"""What the model finds: queries on the left, their nearest gallery images on the right."""

from collections.abc import Sequence
from math import isfinite

from PIL import Image

from reidzoo.visual.sheet import (
    ASKED,
    RIGHT,
    UNKNOWN,
    WRONG,
    Cell,
    Colour,
    Crop,
    Row,
    draw_sheet,
)


def ranked_lists(
    queries: Sequence[Crop],
    answers: Sequence[Sequence[Crop]],
    distances: Sequence[Sequence[float]],
    *,
    notes: Sequence[str] | None = None,
    title: str = "Ranked lists",
    height: int = 144,
) -> Image.Image:
    """Draw one row per query: the query, then its answers, nearest first.

    An answer's frame is green when it shows the query's identity, red when it does not, grey when
    one of the two identities is unknown (negative). Camera and distance stand below.

    Args:
        queries: images with `path`, `identity` and `camera`, such as `data.records.Record`.
        answers: the images shown for each query; rows may differ in length.
        distances: of each answer; one that is not finite marks an answer that does not count
            (same identity and camera as the query) and leaves its place empty.
        notes: one line more about each query, such as its average precision.
        title: first line of the sheet.
        height: of each image in pixels.

    Returns:
        an RGB image; `save_sheet` writes it within a budget of bytes.

    Raises:
        ValueError: lengths disagree or there is no query.

    >>> from types import SimpleNamespace as Shown
    >>> query, answer = (Shown(path="gone.jpg", identity=7, camera=c) for c in (0, 1))
    >>> ranked_lists([query], [[answer, answer]], [[0.2, 0.3]]).height
    303
    """
    notes = notes or [""] * len(queries)
    if not len(queries) == len(answers) == len(distances) == len(notes):
        raise ValueError(
            f"{len(queries)} queries, {len(answers)} lists of answers, {len(distances)} of "
            f"distances and {len(notes)} notes: give one of each per query"
        )
    rows = [_row(*search) for search in zip(queries, answers, distances, notes, strict=True)]
    legend = [(ASKED, "query"), (RIGHT, "same person"), (WRONG, "another person")]
    if any(cell and cell.frame == UNKNOWN for row in rows for cell in row.cells):
        legend.append((UNKNOWN, "not known"))
    return draw_sheet(rows, title, legend, height=height, lead=1)


def judge(query: Crop, answer: Crop) -> Colour:
    """Colour of an answer's frame.

    >>> from types import SimpleNamespace as Shown
    >>> judge(Shown(identity=7), Shown(identity=7)) == RIGHT
    True
    """
    if query.identity < 0 or answer.identity < 0:
        return UNKNOWN
    return RIGHT if answer.identity == query.identity else WRONG


def _row(query: Crop, answers: Sequence[Crop], distances: Sequence[float], note: str) -> Row:
    found = [
        Cell(answer.path, judge(query, answer), (_camera(answer), f"{distance:.3f}"))
        if isfinite(distance)
        else None
        for answer, distance in zip(answers, distances, strict=True)
    ]
    frames = [cell.frame for cell in found if cell]
    heading = [note] if note else []
    if query.identity >= 0:
        right = frames.count(RIGHT)
        heading.insert(0, f"person {query.identity}: {right} of {len(frames)} right")
    return Row(", ".join(heading), [Cell(query.path, ASKED, (_camera(query), "query")), *found])


def _camera(crop: Crop) -> str:
    return f"camera {crop.camera}" if crop.camera >= 0 else "camera ?"
