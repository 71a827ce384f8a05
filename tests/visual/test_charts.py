from xml.etree import ElementTree

import pytest

from reidzoo.visual.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Level,
    Line,
    Mark,
    distinct_colours,
    line_chart,
    point_map,
    round_ticks,
    share_bar,
)  # fmt: skip

HOSTILE = '"><script>alert(1)</script>&'


def parse(figure):
    return ElementTree.fromstring(figure)


def points(figure):
    drawn = figure.findall(".//polyline")
    return [[tuple(map(float, p.split(","))) for p in d.get("points").split()] for d in drawn]


def test_a_curve_spans_the_frame_and_falls_when_values_fall():
    figure = parse(line_chart("Loss", [Line("run", [(1, 4.0), (3, 3.0), (5, 0.0)])]))
    (curve,) = points(figure)
    assert curve[0] == (LEFT, TOP)
    assert curve[-1] == (WIDTH - RIGHT, HEIGHT - BOTTOM)
    assert curve[1] == ((LEFT + WIDTH - RIGHT) / 2, TOP + (HEIGHT - TOP - BOTTOM) / 4)
    assert [t.text for t in figure.findall(".//circle/title")][1] == "run, epoch 3: 3"


def test_runs_differ_by_colour_and_metrics_by_dashes():
    lines = [Line("a", [(1, 1)], "#111"), Line("b", [(1, 2)], "#222", "6 3")]
    figure = parse(line_chart("mAP", lines))
    drawn = [(c.get("stroke"), c.get("stroke-dasharray")) for c in figure.findall(".//polyline")]
    assert drawn == [("#111", None), ("#222", "6 3")]
    assert [s.find("svg").tail for s in figure.findall("figcaption/span/span")] == ["a", "b"]


def test_levels_and_marks_lie_at_their_values():
    line = Line("mAP", [(0, 0), (10, 100)])
    chart = line_chart("mAP", [line], [Level(50, "untrained")], [Mark((10, 100), "best 100.0")])
    figure = parse(chart)
    level = next(e for e in figure.iter("line") if e.get("class") == "level")
    assert float(level.get("y1")) == TOP + (HEIGHT - TOP - BOTTOM) / 2
    mark = next(e for e in figure.iter("circle") if e.get("class") == "mark")
    assert (float(mark.get("cx")), float(mark.get("cy"))) == (WIDTH - RIGHT, TOP)
    assert {"untrained", "best 100.0"} <= {text.text for text in figure.iter("text")}


def test_what_is_not_finite_is_left_out_and_negative_values_have_room():
    figure = parse(line_chart("ARI", [Line("run", [(1, -0.1), (2, float("nan")), (3, 0.5)])]))
    (curve,) = points(figure)
    assert len(curve) == 2
    assert all(TOP <= y <= HEIGHT - BOTTOM for _, y in curve)


@pytest.mark.parametrize("name", [HOSTILE, "epoch"])
def test_names_are_text(name):
    lines = [Line(name, [(1, 1.0)]), Line("b", [(1, 1.0)])]
    for figure in (line_chart(name, lines), share_bar(name, {name: 1.0}, {}),
                   point_map(name, [(0, 0)], [1], name)):  # fmt: skip
        tree = parse(figure)
        assert name in "".join(tree.itertext())
        assert not list(tree.iter("script"))


def test_shares_fill_the_bar():
    bars = parse(share_bar("run", {"train": 60, "extract": 30, "cluster": 10}, {})).findall(
        ".//rect"
    )
    assert [float(bar.get("width")) for bar in bars] == [60, 30, 10]
    assert [float(bar.get("x")) for bar in bars] == [0, 60, 90]
    assert len({bar.get("fill") for bar in bars}) == 3


def test_a_map_has_one_path_per_group_and_grey_below():
    places = [(0.0, 0.0), (1.0, 2.0), (2.0, 1.0), (1.0, 1.0)]
    paths = parse(point_map("Map", places, [3, 3, 5, -1], "camera")).findall(".//path")
    assert [path.find("title").text for path in paths] == ["none", "camera 3", "camera 5"]
    assert [path.get("d").count("M") for path in paths] == [1, 2, 1]
    assert paths[1].get("d") == "M8 292h0M150 8h0"  # lower left, upper middle


def test_one_point_is_enough_for_everything():
    assert "<polyline" in line_chart("Loss", [Line("run", [(1, 0.0)])])
    assert "<path" in point_map("Map", [(3.0, 3.0)], [0], "camera")


def test_ticks_are_round_and_cover():
    assert round_ticks(0, 0) == [0.0, 0.2]
    for low, high in ((0, 1), (0, 3.7), (-0.2, 0.9), (0, 12936), (1, 60), (0, 4e-5)):
        ticks = round_ticks(low, high)
        assert ticks[0] <= low
        assert ticks[-1] >= high
        assert 3 <= len(ticks) <= 8


def test_colours_differ():
    assert all(len(set(distinct_colours(n))) == n for n in (1, 8, 9, 24, 60))
