"""The table of a grid: one line per row, in Markdown, and everything behind it as JSON."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reidzoo.errors import UserError
from reidzoo.laboratory.grid import Grid
from reidzoo.laboratory.runs import Run
from reidzoo.laboratory.statistics import (
    Difference,
    compare_means,
    compare_precisions,
    mean_and_spread,
)

Runs = dict[str, dict[int, Run]]
Values = dict[str, list[float]]  # figure -> one value per seed

UNTRAINED, HISTOGRAM = "untrained", "colour histogram"
FIGURES = {"mAP": 100, "R1": 100, "ARI": 100, "seconds": 1}  # column -> what it is multiplied by
LEGEND = """\
mAP and R1 in per cent, of the last epoch, single query, images of the query's own camera left \
out; ARI in per cent, agreement of the last pseudo-labels with the identities; seconds of training \
on the machine that did it. Mean ± sample standard deviation over seeds. The last column is the \
difference in mAP from {baseline}, with a 95 % interval: a paired bootstrap over queries, to which \
Welch's t over seeds is added where both rows have several. With one seed it speaks of two \
networks, not of two methods. Intervals are not corrected for the number of rows."""


@dataclass(frozen=True)
class Row:
    """One line.

    Args:
        name: of the row.
        options: of `reidzoo.fit`; empty for a reference that is not trained.
        seeds: those that are finished.
        missing: those that are not.
        oracle: trained on true identities.
        values: figure -> one value per finished seed.
        against: the difference from the baseline, None where nothing can be said.
    """

    name: str
    options: tuple[str, ...]
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    oracle: bool
    values: Values
    against: Difference | None


def make_rows(grid: Grid, runs: Runs, histogram: dict[str, float] | None) -> list[Row]:
    """References first, then the rows of the grid in its order.

    Args:
        grid: the grid.
        runs: row -> seed -> finished run.
        histogram: scores of the colour histograms, None to leave them out.
    """
    rows = []
    if histogram is not None:
        values = {"mAP": [histogram["mAP"]], "R1": [histogram["cmc1"]]}
        rows.append(Row(HISTOGRAM, (), (), (), False, values, None))
    first = runs[grid.baseline]
    starts = [run.results["untrained"] for run in first.values() if "untrained" in run.results]
    if starts:
        values = {"mAP": [s["mAP"] for s in starts], "R1": [s["cmc1"] for s in starts]}
        rows.append(Row(UNTRAINED, (), tuple(first), (), False, values, None))
    for name, options in grid.rows.items():
        own = runs[name]
        rows.append(
            Row(
                name=name,
                options=options,
                seeds=tuple(own),
                missing=tuple(seed for seed in grid.seeds if seed not in own),
                oracle=any(run.results.get("oracle", False) for run in own.values()),
                values=figures(list(own.values())),
                against=None if name == grid.baseline else compare(first, own),
            )
        )
    return rows


def figures(runs: list[Run]) -> Values:
    """What the table shows of finished runs."""
    found: Values = {
        "mAP": [run.results["last"]["mAP"] for run in runs],
        "R1": [run.results["last"]["cmc1"] for run in runs],
        "ARI": [clusters["ari"] for run in runs if "ari" in (clusters := run.results["cluster"])],
        "seconds": [run.results["seconds"]["epoch"] for run in runs],
    }
    return {name: values for name, values in found.items() if values}


def compare(first: dict[int, Run], second: dict[int, Run]) -> Difference | None:
    """The difference of two rows in mAP: by queries if every run kept them, else by seeds.

    Raises:
        UserError: they were tested on different images.
    """
    if not first or not second:
        return None
    runs = [*first.values(), *second.values()]
    tests = sorted({run.results["tested_on"] for run in runs if "tested_on" in run.results})
    if len(tests) > 1:
        raise UserError(
            f"tested_on differs ({'; '.join(tests)}): rows of one grid need one test set; make a "
            "grid for each"
        )
    sides = [
        [run.precisions for run in row.values() if run.precisions is not None]
        for row in (first, second)
    ]
    if len(sides[0]) == len(first) and len(sides[1]) == len(second):
        return compare_precisions(np.stack(sides[0]), np.stack(sides[1]))
    one, other = (
        np.array([run.results["last"]["mAP"] for run in row.values()]) for row in (first, second)
    )
    return compare_means(one, other)


def markdown(grid: Grid, rows: list[Row], command: str) -> str:
    """The table with its legend, and which rows are incomplete."""
    head = ["", "seeds", *FIGURES, f"against {grid.baseline}"]
    lines = [f"# {grid.name}: {grid.data}", "", f"`{command}`", ""]
    lines += [f"| {' | '.join(head)} |", f"|---|---:|{'---:|' * len(FIGURES)}---|"]
    for row in rows:
        name = f"{row.name} (true identities)" if row.oracle else row.name
        count = str(len(row.seeds) or "")
        count = f"{len(row.seeds)} of {len(grid.seeds)}" if row.missing else count
        cells = [show(row.values.get(figure, []), scale) for figure, scale in FIGURES.items()]
        lines.append(f"| {' | '.join([name, count, *cells, str(row.against or '')])} |")
    lines += ["", LEGEND.format(baseline=grid.baseline)]
    if incomplete := [row for row in rows if row.missing]:
        words = (f"{row.name} (seed {', '.join(map(str, row.missing))})" for row in incomplete)
        lines += ["", f"**Incomplete**, not finished yet: {'; '.join(words)}."]
    return "\n".join(lines) + "\n"


def show(values: list[float], scale: int) -> str:
    """Mean and spread as text.

    >>> show([0.5, 0.7], 100), show([0.5], 100), show([], 100)
    ('60.0 ± 14.1', '50.0', '')
    """
    if not values:
        return ""
    mean, spread = mean_and_spread([scale * value for value in values])
    digits = 1 if scale == 100 else 0
    return f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread is not None else "")


def as_json(grid: Grid, rows: list[Row], command: str, about: dict[str, Any]) -> dict[str, Any]:
    """Everything behind the table; fractions, not per cent."""
    head = {"grid": grid.name, "data": grid.data, "seeds": grid.seeds, "baseline": grid.baseline}
    return head | {"command": command} | about | {"rows": [describe(row) for row in rows]}


def describe(row: Row) -> dict[str, Any]:
    """A row as plain values."""
    said = {"verdict": str(row.against)} if row.against else {}
    return asdict(row) | said
