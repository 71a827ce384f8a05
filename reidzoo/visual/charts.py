"""Line charts, bars and maps of points as inline SVG: sharp at any size, a few kilobytes each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, isfinite, log10

Point = tuple[float, float]

PALETTE = (  # Okabe and Ito's colours, told apart with any kind of colour vision
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a4fbf", "#555555",
)  # fmt: skip
DASHES = ("", "6 3", "2 3", "8 3 2 3")
GREY = "#c4c4c0"

WIDTH, HEIGHT = 380, 214  # of a chart, in its own units, as all below
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 14, 28
SIDE = 300  # of a map of points
FEWEST = 12  # epochs up to which every value has a dot


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name in the legend, its points in order of x."""

    name: str
    points: Sequence[Point]
    colour: str = PALETTE[0]
    dash: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that stands out, with a word beside it."""

    point: Point
    text: str
    colour: str = PALETTE[0]


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line for reference, with a word on it."""

    height: float
    text: str
    colour: str = "#777"


def line_chart(
    title: str,
    lines: Sequence[Line],
    levels: Sequence[Level] = (),
    marks: Sequence[Mark] = (),
    legend: Sequence[Line] | None = None,
) -> str:
    """Draw curves over epochs, from zero upwards (or from the least value, if that is negative).

    Args:
        title: above the chart.
        lines: at least one finite point in all; others are left out.
        levels: reference lines.
        marks: points that stand out.
        legend: what colours and dashes mean; the lines themselves when None.

    Returns:
        a `<figure>`; texts are escaped.

    >>> figure = line_chart("Loss", [Line("hhcl", [(1, 3.5), (2, 2.5)])])
    >>> figure.count("<polyline"), figure.count("<circle")
    (1, 2)
    """
    kept = [(line, [p for p in line.points if isfinite(p[1])]) for line in lines]
    heights = [y for _, points in kept for _, y in points] + [level.height for level in levels]
    across = [x for _, points in kept for x, _ in points]
    ticks = round_ticks(min(0.0, *heights), max(heights))
    frame = _Frame((min(across), max(across)), (ticks[0], ticks[-1]))
    parts = [_grid(frame, ticks), *(_level(frame, level) for level in levels)]
    parts += [_curve(frame, line, points) for line, points in kept if points]
    parts += [_mark(frame, mark) for mark in marks]
    words = escape(f"{title}: {', '.join(line.name for line in lines)}", quote=True)
    explained = _legend(lines if legend is None else legend)
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b>{explained}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
        f"{''.join(parts)}</svg></figure>"
    )


def share_bar(name: str, seconds: Mapping[str, float], colours: Mapping[str, str]) -> str:
    """Draw where the time went, as one bar of shares with a legend below.

    >>> share_bar("hhcl", {"train": 75.0, "extract": 25.0}, {}).count("<rect")
    2
    """
    total = sum(seconds.values()) or 1.0
    parts, words, x = [], [], 0.0
    for n, (stage, spent) in enumerate(seconds.items()):
        share, colour = spent / total, colours.get(stage, PALETTE[n % len(PALETTE)])
        tip = f"{stage}: {spent:,.1f} s, {share:.0%}"
        parts.append(
            f'<rect x="{100 * x:.2f}" width="{100 * share:.2f}" height="8" fill="{colour}">'
            f"<title>{escape(tip)}</title></rect>"
        )
        words.append(f"<span>{_swatch(colour)}{escape(stage)} {share:.0%}</span>")
        x += share
    label = escape(f"time of {name} by stage", quote=True)
    return (
        f'<figure class="bar"><figcaption><b>{escape(name)}</b></figcaption>'
        f'<svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'{"".join(parts)}</svg><p class="legend">{"".join(words)}</p></figure>'
    )


def point_map(title: str, places: Sequence[Point], groups: Sequence[int], kind: str) -> str:
    """Draw points on a plane, one colour per group; negative groups are grey and lie below.

    Args:
        title: above the map.
        places: [n] positions in any units.
        groups: [n] numbers, such as cameras.
        kind: what a group is called in the legend.

    >>> point_map("Map", [(0, 0), (1, 1), (2, 0)], [4, 4, -1], "camera").count("<path")
    2
    """
    xs, ys = zip(*places, strict=True)
    across, up = max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0
    dots: dict[int, list[str]] = {}
    for (x, y), group in zip(places, groups, strict=True):
        at = 8 + (SIDE - 16) * (x - min(xs)) / across, 8 + (SIDE - 16) * (max(ys) - y) / up
        dots.setdefault(max(group, -1), []).append(f"M{at[0]:.0f} {at[1]:.0f}h0")
    named = sorted(group for group in dots if group >= 0)
    colours = dict(zip(named, distinct_colours(len(named)), strict=True)) | {-1: GREY}
    paths = [
        f'<path d="{"".join(dots[group])}" stroke="{colours[group]}">'
        f"<title>{escape(f'{kind} {group}' if group >= 0 else 'none')}</title></path>"
        for group in sorted(dots)
    ]
    few = len(named) <= 12
    words = [f"<span>{_swatch(colours[g])}{escape(kind)} {g}</span>" for g in named if few]
    words += [] if few else [f"<span>one colour per {escape(kind)}, {len(named)} in all</span>"]
    words += [f"<span>{_swatch(GREY)}none</span>"] if -1 in dots else []
    return (
        f'<figure class="map"><figcaption><b>{escape(title)}</b></figcaption>'
        f'<svg viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{escape(title, quote=True)}">'
        f'{"".join(paths)}</svg><p class="legend">{"".join(words)}</p></figure>'
    )


def distinct_colours(count: int) -> list[str]:
    """Colours that differ: the palette if it suffices, else hues in three strengths.

    >>> distinct_colours(2) == list(PALETTE[:2]), len(set(distinct_colours(40)))
    (True, 40)
    """
    if count <= len(PALETTE):
        return list(PALETTE[:count])
    return [
        f"hsl({360 * n / count:.0f} {(80, 55, 90)[n % 3]}% {(38, 58, 48)[n % 3]}%)"
        for n in range(count)
    ]


def round_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers that span low..high: steps of 1, 2 or 5 times a power of ten.

    >>> round_ticks(0, 87)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    rough = (high - low or abs(high) or 1.0) / wanted
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = floor(low / step + 1e-9), -floor(-high / step + 1e-9)
    return [round(step * n, 10) for n in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True, slots=True)
class _Frame:
    """From data to positions on the drawing."""

    across: Point
    up: Point

    def x(self, value: float) -> float:
        low, high = self.across
        share = (value - low) / (high - low) if high > low else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.up
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def at(self, point: Point) -> str:
        return f"{self.x(point[0]):.1f},{self.y(point[1]):.1f}"


def _grid(frame: _Frame, ticks: Sequence[float]) -> str:
    parts = []
    for tick in ticks:
        y = frame.y(tick)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{tick:,g}</text>'
        )
    first, last = frame.across
    steps = round_ticks(first, last) if last > first else [first]
    for epoch in sorted({t for t in steps if first <= t <= last and t == int(t)} | {first}):
        if epoch == first:
            parts.append(f'<text x="{LEFT}" y="{HEIGHT - 10}">epoch {epoch:g}</text>')
        elif frame.x(epoch) > LEFT + 60:  # beside the first one's word
            x = frame.x(epoch)
            parts.append(
                f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{epoch:g}</text>'
            )
    return "".join(parts)


def _curve(frame: _Frame, line: Line, points: Sequence[Point]) -> str:
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    drawn = f'<polyline stroke="{line.colour}"{dash} points="{" ".join(map(frame.at, points))}"/>'
    radius = 2.4 if len(points) <= FEWEST else 1.4
    dots = [
        f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="{radius}" fill="{line.colour}">'
        f"<title>{escape(f'{line.name}, epoch {x:g}: {y:.4g}')}</title></circle>"
        for x, y in points
    ]
    return drawn + "".join(dots)


def _level(frame: _Frame, level: Level) -> str:
    y = frame.y(level.height)
    return (
        f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
        f'stroke="{level.colour}"/><text x="{WIDTH - RIGHT}" y="{y - 4:.1f}" text-anchor="end" '
        f'style="fill:{level.colour}">{escape(level.text)}</text>'
    )


def _mark(frame: _Frame, mark: Mark) -> str:
    x, y = frame.x(mark.point[0]), frame.y(mark.point[1])
    anchor = "end" if x > WIDTH / 2 else "start"
    return (
        f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="5" stroke="{mark.colour}"/>'
        f'<text class="word" x="{x:.1f}" y="{y - 9:.1f}" text-anchor="{anchor}" '
        f'style="fill:{mark.colour}">{escape(mark.text)}</text>'
    )


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) < 2:
        return ""
    words = [
        f'<span><svg viewBox="0 0 22 8"><line x1="0" x2="22" y1="4" y2="4" stroke="{line.colour}" '
        f'stroke-dasharray="{line.dash}"/></svg>{escape(line.name)}</span>'
        for line in lines
    ]
    return f'<span class="legend">{"".join(words)}</span>'


def _swatch(colour: str) -> str:
    return f'<i style="background:{colour}"></i>'
