"""The sheets are read back: the colour of a frame, the image inside it, the bytes on disk."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from reidzoo.data.records import Record
from reidzoo.visual import cluster_sheet, ranked_lists, save_sheet
from reidzoo.visual.sheet import (
    ASKED,
    BLANK,
    FRAME,
    LINE,
    MARGIN,
    PAPER,
    RIGHT,
    UNKNOWN,
    WRONG,
    Layout,
)

SIZE = 64, 128
RANKED = Layout(width=72, height=144, lines=2, lead=1, header=MARGIN + 4 * LINE)
CLUSTERS = Layout(width=64, height=128, lines=1, lead=0, header=MARGIN + 4 * LINE)


@pytest.fixture
def person(tmp_path):
    """Write one plain image per call; its colour tells who is on it."""

    def draw(identity, camera=0, suffix="png", size=SIZE):
        path = tmp_path / f"{identity}_{camera}_{len(list(tmp_path.iterdir()))}.{suffix}"
        Image.new("RGB", size, colour_of(identity)).save(path)
        return Record(str(path), identity, camera)

    return draw


def colour_of(identity):
    return (20 + 30 * (identity % 8), 200 - 20 * (identity % 8), 90)


def frames(sheet, layout, row, columns):
    """Colours at the four corners of each frame; a frame must be of one colour all around."""
    found = []
    for column in range(columns):
        x, y = layout.corner(row, column)
        across, down = layout.width + 2 * FRAME - 1, layout.height + 2 * FRAME - 1
        corners = {sheet.getpixel((x + dx, y + dy)) for dx in (0, across) for dy in (0, down)}
        assert len(corners) == 1
        found.append(corners.pop())
    return found


def middle(sheet, layout, row, column):
    x, y = layout.corner(row, column)
    return sheet.getpixel((x + FRAME + layout.width // 2, y + FRAME + layout.height // 2))


def test_frames_say_right_wrong_and_unknown(person):
    queries = [person(1), person(2)]
    answers = [
        [person(1, 1), person(3, 1), person(-2, 1)],
        [person(2, 1), person(2, 2), person(1, 2)],
    ]
    sheet = ranked_lists(queries, answers, [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])
    assert sheet.height == RANKED.size(rows=2, columns=4)[1]
    assert frames(sheet, RANKED, 0, 4) == [ASKED, RIGHT, WRONG, UNKNOWN]
    assert frames(sheet, RANKED, 1, 4) == [ASKED, RIGHT, RIGHT, WRONG]
    assert [middle(sheet, RANKED, 0, c) for c in (0, 1, 2)] == [colour_of(i) for i in (1, 1, 3)]


def test_a_query_of_unknown_identity_judges_nothing(person):
    sheet = ranked_lists([person(-2)], [[person(1, 1), person(-2, 1)]], [[0.1, 0.2]])
    assert frames(sheet, RANKED, 0, 3) == [ASKED, UNKNOWN, UNKNOWN]


def test_an_answer_that_does_not_count_leaves_its_place_empty(person):
    sheet = ranked_lists([person(1)], [[person(1, 1), person(1, 0)]], [[0.1, math.inf]])
    assert frames(sheet, RANKED, 0, 3) == [ASKED, RIGHT, PAPER]
    assert middle(sheet, RANKED, 0, 2) == PAPER


def test_distances_and_notes_are_written(person):
    query, answer = person(1), person(1, 1)
    plain = ranked_lists([query], [[answer]], [[0.25]])
    for other in (
        ranked_lists([query], [[answer]], [[0.75]]),
        ranked_lists([query], [[answer]], [[0.25]], notes=["AP 0.50"]),
    ):
        assert ImageChops.difference(plain, other).getbbox() is not None


def test_broken_and_missing_files_leave_a_crossed_place(person, tmp_path):
    broken = person(1, 1, suffix="jpg")
    Path(broken.path).write_bytes(Path(broken.path).read_bytes()[:200])
    missing = Record(str(tmp_path / "nowhere.jpg"), 2, 1)
    sheet = ranked_lists([person(1)], [[broken, missing]], [[0.1, 0.2]])
    assert frames(sheet, RANKED, 0, 3) == [ASKED, RIGHT, WRONG]
    x, y = RANKED.corner(0, 2)
    assert sheet.getpixel((x + FRAME + 36, y + FRAME + 20)) == BLANK


def test_images_of_other_shapes_are_shown_whole(person):
    wide = person(5, 1, size=(400, 100))
    sheet = ranked_lists([person(1)], [[person(1, 1), wide]], [[0.1, 0.2]])
    x, y = RANKED.corner(0, 2)
    band = [sheet.getpixel((x + FRAME + dx, y + FRAME + 72)) for dx in (1, 36, 70)]
    assert band == [colour_of(5)] * 3
    assert sheet.getpixel((x + FRAME + 36, y + FRAME + 20)) == BLANK


def test_a_narrow_sheet_is_wide_enough_for_its_text(person):
    query, answer = person(1), person(1, 1)
    sheet = np.asarray(ranked_lists([query], [[answer]], [[0.1]], title="a title " * 8))
    border = np.concatenate([sheet[:, :4].reshape(-1, 3), sheet[:, -4:].reshape(-1, 3)])
    assert (border == PAPER).all()
    assert sheet.shape[1] > RANKED.size(rows=1, columns=2)[0]


def test_lists_must_agree(person):
    with pytest.raises(ValueError, match="1 queries, 0 lists of answers"):
        ranked_lists([person(1)], [], [])
    with pytest.raises(ValueError, match="at least one row"):
        ranked_lists([], [], [])


def test_clusters_run_from_pure_to_mixed(person):
    crops = [person(i, k) for k, i in enumerate([1, 1, 2, 3, 3, 3, 4, 9])]
    sheet = cluster_sheet(crops, [0, 0, 0, 1, 1, 1, 1, -1])
    assert sheet.height == CLUSTERS.size(rows=2, columns=4)[1]
    assert frames(sheet, CLUSTERS, 0, 4) == [RIGHT, RIGHT, RIGHT, WRONG]  # 3 of 4
    assert frames(sheet, CLUSTERS, 1, 3) == [RIGHT, RIGHT, WRONG]  # 2 of 3
    assert [middle(sheet, CLUSTERS, 0, c) for c in (0, 3)] == [colour_of(3), colour_of(4)]


def test_heading_is_coloured_by_purity(person):
    crops = [person(i, k) for k, i in enumerate([1, 1, 2, 3])]
    sheet = np.asarray(cluster_sheet(crops, [0, 0, 1, 1]))
    for row, colour in ((0, RIGHT), (1, WRONG)):
        x, y = CLUSTERS.corner(row, 0)
        assert (sheet[y - LINE - 4 : y, x:] == colour).all(axis=2).any()


def test_clusters_of_unknown_people_are_grey_and_largest_first(person):
    crops = [person(-2, -1) for _ in range(5)]
    sheet = cluster_sheet(crops, [3, 7, 7, 7, 3])
    layout = Layout(64, 128, lines=0, lead=0, header=CLUSTERS.header)
    assert frames(sheet, layout, 0, 3) == [UNKNOWN] * 3
    assert frames(sheet, layout, 1, 3) == [UNKNOWN, UNKNOWN, PAPER]


def test_large_clusters_show_minorities_in_proportion(person):
    crops = [person(1) for _ in range(15)] + [person(2) for _ in range(5)]
    sheet = cluster_sheet(crops, [0] * 20, images=4)
    assert frames(sheet, CLUSTERS, 0, 4) == [RIGHT, RIGHT, RIGHT, WRONG]


def test_labels_must_fit(person):
    with pytest.raises(ValueError, match="1 images and 2 labels"):
        cluster_sheet([person(1)], [0, 1])
    with pytest.raises(ValueError, match="none of the 1 images has a label"):
        cluster_sheet([person(1)], [-1])


def test_a_full_sheet_of_photographs_stays_within_its_budget(tmp_path):
    noise = Image.effect_noise(SIZE, 80).convert("RGB")
    noise.save(tmp_path / "photo.png")
    photo = Record(str(tmp_path / "photo.png"), 1, 0)
    sheet = ranked_lists([photo] * 8, [[photo] * 10] * 8, [[0.5] * 10] * 8)
    save_sheet(sheet, tmp_path / "sheet.png", budget=600_000)
    assert (tmp_path / "sheet.png").stat().st_size <= 600_000
    with Image.open(tmp_path / "sheet.png") as saved:
        assert saved.width / saved.height == pytest.approx(sheet.width / sheet.height, rel=0.01)


def test_within_the_budget_every_pixel_is_kept(person, tmp_path):
    sheet = ranked_lists([person(1)], [[person(1, 1)]], [[0.1]])
    save_sheet(sheet, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as saved:
        assert ImageChops.difference(saved, sheet).getbbox() is None
