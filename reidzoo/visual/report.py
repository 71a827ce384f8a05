"""One run, or several side by side, as one HTML page that needs no other file and no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import chain
from typing import Any

from reidzoo.visual.curves import Series
from reidzoo.visual.page import page, pairs
from reidzoo.visual.report_curves import curve_figures, time_figures
from reidzoo.visual.report_pictures import Pictures, picture_sections
from reidzoo.visual.report_style import STYLE
from reidzoo.visual.report_tables import (
    differences_table,
    facts_table,
    results_table,
    tiles,
)
from reidzoo.visual.thumbnails import Thumbnails

BUDGET = 4_000_000  # bytes of all images in a page


@dataclass(frozen=True)
class RunReport:
    """Everything that a report says about one run.

    Args:
        name: short, different from the names of the other runs.
        folder: where the run lies.
        facts: the card: what was trained, on what, and how.
        command: what reproduces the run.
        results: `results.json`.
        series: `metrics.csv`, as `visual.curves.read_metrics` reads it.
        settings: every setting by its dotted name.
        config: the settings as YAML.
        pictures: what the trained network finds, None where it cannot be asked.
        note: why there are no pictures.
    """

    name: str
    folder: str
    facts: Mapping[str, str]
    command: str
    results: Mapping[str, Any]
    series: Series
    settings: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    pictures: Pictures | None = None
    note: str = ""


def report_page(runs: Sequence[RunReport], title: str, budget: int = BUDGET) -> str:
    """Write the page; everything that comes from outside is escaped.

    Args:
        runs: at least one.
        title: heading of the page.
        budget: bytes of all images in it.

    Returns:
        HTML.

    >>> run = RunReport("hhcl", "runs/1", {"seed": "1"}, "python -m reidzoo.fit", {}, {})
    >>> "<h2>Card</h2>" in report_page([run], "A run")
    True
    """
    several = len(runs) > 1
    shown = [run.pictures for run in runs if run.pictures]
    images = Thumbnails(chain.from_iterable(pictures.paths() for pictures in shown), budget)
    results = {run.name: run.results for run in runs}
    parts = [
        f"<header><h1>{escape(title)}</h1>{_subtitle(runs)}</header>",
        tiles(runs[0].results) if not several else "",
        _section("Results", results_table(results)),
        _section("Card", facts_table({r.name: r.facts for r in runs}) if several else _card(runs)),
        _section(
            "Settings that differ",
            differences_table({run.name: run.settings for run in runs}) if several else "",
        ),
        _section("Curves", curve_figures({run.name: (run.series, run.results) for run in runs})),
        _section("Where the time went", time_figures(results)),
        *(_pictures(run, images, several) for run in runs),
        _section("How to reproduce", "".join(_reproduce(run, several) for run in runs)),
    ]
    return page(title, STYLE, "\n".join(part for part in parts if part))


def _subtitle(runs: Sequence[RunReport]) -> str:
    return "".join(
        f'<p class="dim">{escape(f"{run.name}: " if len(runs) > 1 else "")}{escape(run.folder)}</p>'
        for run in runs
    )


def _card(runs: Sequence[RunReport]) -> str:
    return f'<div class="card">{pairs(runs[0].facts)}</div>' if runs[0].facts else ""


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>" if body else ""


def _pictures(run: RunReport, images: Thumbnails, several: bool) -> str:
    if run.pictures is None:
        who = f"{run.name}: no" if several else "No"
        return f'<p class="note">{escape(f"{who} pictures: {run.note}")}</p>' if run.note else ""
    sections = "".join(
        _section(title, body) for title, body in picture_sections(run.pictures, images).items()
    )
    if not several:
        return sections
    return f"<details><summary>Pictures of {escape(run.name)}</summary>{sections}</details>"


def _reproduce(run: RunReport, several: bool) -> str:
    name = f"<h3>{escape(run.name)}</h3>" if several else ""
    config = (
        f"<details><summary>Configuration</summary><pre>{escape(run.config)}</pre></details>"
        if run.config
        else ""
    )
    return f'{name}<pre class="command">{escape(run.command)}</pre>{config}'
