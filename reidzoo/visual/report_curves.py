"""The curves of a report: one figure per kind of metric, runs laid over each other."""

from collections.abc import Mapping
from typing import Any

from reidzoo.visual.charts import DASHES, PALETTE, Level, Line, Mark, line_chart, share_bar
from reidzoo.visual.curves import PANELS, Panel, Series

STAGES = {  # colour of each stage of an epoch, the same in every run
    "train": PALETTE[0],
    "extract": PALETTE[1],
    "cluster": PALETTE[2],
    "refresh": PALETTE[3],
    "evaluate": PALETTE[4],
}


def curve_figures(runs: Mapping[str, tuple[Series, Mapping[str, Any]]]) -> str:
    """Draw each panel for which some run has figures.

    Args:
        runs: name -> its metrics over the epochs, and its results, for what is marked.

    >>> series = {"loss": [(0.0, 3.5), (1.0, 2.5)]}
    >>> curve_figures({"hhcl": (series, {})}).count("<figure")
    1
    """
    logged = {metric for series, _ in runs.values() for metric in series}
    figures = [_figure(panel, runs) for panel in PANELS if logged & set(panel.metrics)]
    return f'<div class="charts">{"".join(figures)}</div>' if figures else ""


def time_figures(results: Mapping[str, Mapping[str, Any]]) -> str:
    """One bar per run: the share of each stage in its seconds."""
    bars = []
    for name, run in results.items():
        seconds = {key: value for key, value in run.get("seconds", {}).items() if key != "epoch"}
        if sum(seconds.values()) > 0:
            ordered = {stage: seconds.pop(stage) for stage in STAGES if stage in seconds} | seconds
            total = f"{name}: {duration(sum(ordered.values()))}"
            bars.append(share_bar(total, ordered, STAGES))
    return "".join(bars)


def duration(seconds: float) -> str:
    """Seconds in the two largest units.

    >>> duration(9.5), duration(754), duration(7000)
    ('9.5 s', '12 min 34 s', '1 h 56 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"


def _figure(panel: Panel, runs: Mapping[str, tuple[Series, Mapping[str, Any]]]) -> str:
    lines, levels, marks = [], [], []
    single, scale = len(runs) == 1, 100 if panel.percent else 1
    for r, (name, (series, results)) in enumerate(runs.items()):
        for m, (metric, short) in enumerate(panel.metrics.items()):
            if metric not in series:
                continue
            # metrics.csv counts epochs from 0; here, as in the results, finished ones are counted
            points = [(epoch + 1, scale * value) for epoch, value in series[metric]]
            colour = PALETTE[(m if single else r) % len(PALETTE)]
            label = short if single else f"{name} {short}" if len(panel.metrics) > 1 else name
            lines.append(Line(label, points, colour, "" if single else DASHES[m % len(DASHES)]))
            if metric == "val/mAP":
                levels += _untrained(results, name, colour, single)
                marks += _best(results, colour)
    legend = None if single else _legend(panel, list(runs))
    return line_chart(panel.title, lines, levels, marks, legend)


def _legend(panel: Panel, names: list[str]) -> list[Line]:
    """Colours are runs, dashes are metrics."""
    colours = [Line(name, (), PALETTE[r % len(PALETTE)]) for r, name in enumerate(names)]
    if len(panel.metrics) == 1:
        return colours
    shorts = enumerate(panel.metrics.values())
    return colours + [Line(short, (), "#777", DASHES[m % len(DASHES)]) for m, short in shorts]


def _untrained(results: Mapping[str, Any], name: str, colour: str, single: bool) -> list[Level]:
    if "untrained" not in results:
        return []
    text = "mAP untrained" if single else ""
    return [Level(100 * results["untrained"]["mAP"], text, colour)]


def _best(results: Mapping[str, Any], colour: str) -> list[Mark]:
    if "best" not in results:
        return []
    best = results["best"]
    return [Mark((best["epoch"], 100 * best["mAP"]), f"best {100 * best['mAP']:.1f}", colour)]
