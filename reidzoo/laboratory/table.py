"""The rows of a grid: what each reached, under which protocol, and whether it differs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from reidzoo.laboratory.agreement import check_agreement, group_order
from reidzoo.laboratory.grid import Grid
from reidzoo.laboratory.protocol import Protocol, joined, untrained
from reidzoo.laboratory.runs import Run
from reidzoo.laboratory.statistics import Difference, compare_means, compare_precisions

Runs = dict[str, dict[int, Run]]
Values = dict[str, list[float]]  # figure -> one value per seed
Pairs = dict[tuple[str, str], Difference | None]  # (first, second) -> first minus second

UNTRAINED, HISTOGRAM = "untrained", "colour histogram"


@dataclass(frozen=True)
class Row:
    """One line.

    Args:
        name: of the row.
        options: of `reidzoo.fit`; empty for a reference that is not trained.
        seeds: those that are finished.
        missing: those that are not.
        values: figure -> one value per finished seed.
        against: the difference from the baseline, None where nothing can be said.
        protocol: the stamp of its runs by dotted names; a list where they differ.
    """

    name: str
    options: tuple[str, ...]
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    values: Values
    against: Difference | None
    protocol: dict[str, Any]


def make_rows(
    grid: Grid,
    runs: Runs,
    histogram: dict[str, float] | None,
    planned: Mapping[str, Protocol] | None = None,
) -> list[Row]:
    """References and the rows of the grid, group by group.

    Args:
        grid: the grid.
        runs: row -> seed -> finished run.
        histogram: scores of the colour histograms, None to leave them out.
        planned: row -> stamp as the settings promise it, for rows without a finished run.

    Raises:
        UserError: the rows were not made under one protocol, and the grid does not allow it.
    """
    promised = planned or {}
    stamps = {
        row: [run.protocol for run in own.values()] or [promised.get(row, Protocol())]
        for row, own in runs.items()
    }
    check_agreement(stamps, grid.may_differ, grid.name)
    first = runs[grid.baseline]
    rows = references(first, stamps[grid.baseline][0], histogram)
    for name, options in grid.rows.items():
        own = runs[name]
        rows.append(
            Row(
                name=name,
                options=options,
                seeds=tuple(own),
                missing=tuple(seed for seed in grid.seeds if seed not in own),
                values=figures(list(own.values())),
                against=None if name == grid.baseline else compare(first, own),
                protocol=joined(stamps[name]),
            )
        )
    return sorted(rows, key=lambda row: group_order(row.protocol))


def references(
    first: dict[int, Run], stamp: Protocol, histogram: dict[str, float] | None
) -> list[Row]:
    """Rows that nothing was trained for: clothes' colours, and the baseline's network at first."""
    rows = []
    if histogram is not None:
        values = {"mAP": [histogram["mAP"]], "R1": [histogram["cmc1"]]}
        drawn = untrained(stamp, backbone=HISTOGRAM, weights=None, samples_per_bn=None, seed=None)
        rows.append(Row(HISTOGRAM, (), (), (), values, None, joined([drawn])))
    starts = [run.results["untrained"] for run in first.values() if "untrained" in run.results]
    if starts:
        values = {"mAP": [s["mAP"] for s in starts], "R1": [s["cmc1"] for s in starts]}
        own = joined(untrained(run.protocol) for run in first.values())
        rows.append(Row(UNTRAINED, (), tuple(first), (), values, None, own))
    return rows


def figures(runs: list[Run]) -> Values:
    """What the table shows of finished runs."""
    found: Values = {
        "mAP": [run.results["last"]["mAP"] for run in runs],
        "R1": [run.results["last"]["cmc1"] for run in runs],
        "best mAP": [run.results["best"]["mAP"] for run in runs if "best" in run.results],
        "label-free mAP": [
            chosen["mAP"] for run in runs if "mAP" in (chosen := run.results.get("label_free", {}))
        ],
        "ARI": [clusters["ari"] for run in runs if "ari" in (clusters := run.results["cluster"])],
        "seconds": [run.results["seconds"]["epoch"] for run in runs],
    }
    return {name: values for name, values in found.items() if values}


def compare(first: dict[int, Run], second: dict[int, Run]) -> Difference | None:
    """The difference of two rows in mAP: by queries if every run kept them, else by seeds.

    Rows that were tested on different images, where the grid allows it, cannot be compared.
    """
    runs = [*first.values(), *second.values()]
    tests = {run.results["tested_on"] for run in runs if "tested_on" in run.results}
    if not first or not second or len(tests) > 1:
        return None
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


def compare_pairs(grid: Grid, runs: Runs) -> Pairs:
    """The differences that the grid asks for beside those from the baseline."""
    return {pair: compare(runs[pair[1]], runs[pair[0]]) for pair in grid.pairs}


def as_json(grid: Grid, rows: list[Row], command: str, pairs: Pairs) -> dict[str, Any]:
    """Everything behind the table; fractions, not per cent."""
    return {
        "grid": grid.name,
        "about": grid.about,
        "data": grid.data,
        "seeds": grid.seeds,
        "baseline": grid.baseline,
        "may_differ": grid.may_differ,
        "command": command,
        "rows": [describe(row) for row in rows],
        "pairs": [
            {"rows": pair} | (asdict(found) | {"verdict": str(found)} if found else {})
            for pair, found in pairs.items()
        ],
    }


def describe(row: Row) -> dict[str, Any]:
    """A row as plain values."""
    said = {"verdict": str(row.against)} if row.against else {}
    return asdict(row) | said
