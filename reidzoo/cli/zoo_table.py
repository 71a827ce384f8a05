"""The table of methods x data sets: what each is, what others published, what we measured.

Published results are data, in `experiments/published.yaml`. Ours are the rows of recorded grids
that are a method and nothing else, in `experiments/results/<grid>.json`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reidzoo.cli import names
from reidzoo.cli.layers import experiments
from reidzoo.files import read_json
from reidzoo.laboratory.agreement import camera_level
from reidzoo.laboratory.page import RECORDS
from reidzoo.laboratory.protocol import Protocol
from reidzoo.laboratory.statistics import mean_and_spread

BENCHMARKS = ("market1501", "msmt17", "veri776", "personx")
OURS = {"synthetic_standard": "standard", "synthetic_hard": "hard"}  # grid -> preset of the people
BEGIN, END = "<!-- zoo:begin -->", "<!-- zoo:end -->"
LEGEND = (
    "Results are mAP / R1 in per cent. Those of the benchmarks are published by others; empty "
    "where none could be verified. Those of synthetic people are ours: the last epoch, mean ± "
    "sample standard deviation over seeds, of one seed the value."
)


@dataclass(frozen=True)
class Result:
    """One cell of the table, and where it is from."""

    method: str
    data: str
    mAP: float  # noqa: N815  the field's spelling
    R1: float
    origin: str
    spread: tuple[float, float] | None = None  # of mAP and R1 over seeds

    def __str__(self) -> str:
        if self.spread is None:
            return f"{self.mAP:.1f} / {self.R1:.1f}"
        return f"{self.mAP:.1f} ± {self.spread[0]:.1f} / {self.R1:.1f} ± {self.spread[1]:.1f}"


def published() -> list[Result]:
    """Everything in published.yaml; the stamp says for what cameras were used, and who chose."""
    tree: dict[str, Any] = yaml.safe_load((experiments() / "published.yaml").read_text("utf-8"))
    return [
        Result(method, data, entry["mAP"], entry["R1"], origin_of(entry, f"{method}, {data}"))
        for method, sets in tree.items()
        for data, entry in sets.items()
    ]


def origin_of(entry: dict[str, Any], where: str) -> str:
    """Edition, protocol and source of a published result, in words."""
    protocol = Protocol.from_tree(entry["stamp"], f"published.yaml: {where}").flat()
    known = [camera_level(protocol), protocol["selection"]]
    return f"{', '.join(filter(None, [entry['edition'], *known]))}: {entry['source']}"


def measured(folder: Path | None = None) -> list[Result]:
    """Our results: last epochs, mean and spread over seeds; `data` is the grid."""
    found = []
    for grid in OURS:
        tree: dict[str, Any] = read_json((folder or experiments()) / RECORDS / f"{grid}.json")
        for row in tree.get("rows", []):
            if row["options"][-2:-1] == ["--method"]:  # nothing comes after it
                found.append(read_row(grid, row, tree["command"]))
    return sorted(found, key=lambda result: (result.data, result.method))


def read_row(grid: str, row: dict[str, Any], command: str) -> Result:
    """A row of a recorded grid."""
    (mAP, mAP_spread), (R1, R1_spread) = (
        mean_and_spread([100 * value for value in row["values"][name]]) for name in ("mAP", "R1")
    )
    return Result(
        row["options"][-1],
        grid,
        mAP,
        R1,
        f"seeds {', '.join(map(str, row['seeds']))}: `{command}`",
        None if mAP_spread is None or R1_spread is None else (mAP_spread, R1_spread),
    )


def header() -> list[str]:
    """Names of the columns."""
    presets = (f"synthetic, {preset} (ours)" for preset in OURS.values())
    return ["method", "year", "fidelity", "needs", *BENCHMARKS, *presets]


def rows() -> Iterator[list[str]]:
    """One row per method, in the order of years."""
    found = {(result.method, result.data): str(result) for result in published()}
    found |= {(result.method, result.data): str(result) for result in measured()}
    kinds: dict[str, Any] = {name: entry.load() for name, entry in names.methods().items()}
    for name in sorted(kinds, key=lambda name: (kinds[name].year, name)):
        kind = kinds[name]
        needs = [*sorted(kind.needs), *([f"{kind.views} views"] if kind.views > 1 else [])]
        results = [found.get((name, data), "") for data in (*BENCHMARKS, *OURS)]
        yield [name, str(kind.year), kind.fidelity, ", ".join(needs), *results]


def text() -> str:
    """The table in columns, for a terminal."""
    table = [header(), *rows()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    )
    return "\n".join([*lines, "", LEGEND, "", *origins()])


def markdown() -> str:
    """What stands between the markers of the README."""
    head, *body = [header(), *rows()]
    lines = [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| [{row[0]}](reidzoo/methods/{row[0]}.py) | {' | '.join(row[1:])} |" for row in body),
    ]
    sources = [
        "<details><summary>Where each of them is from</summary>",
        "",
        *(f"- {line}" for line in origins()),
        "",
        "</details>",
    ]
    return "\n".join([*lines, "", LEGEND, "", *sources])


def origins() -> list[str]:
    """Where the results are from: one line for each that others published, one for each of ours.

    What the methods of a grid share is said once.
    """
    theirs = [
        f"{result.method}, {result.data}, {result}: {result.origin}" for result in published()
    ]
    ours: dict[tuple[str, str], list[str]] = {}
    for result in measured():
        ours.setdefault((result.data, result.origin), []).append(result.method)
    return [
        *theirs,
        *(f"{grid}, {', '.join(some)}, {origin}" for (grid, origin), some in ours.items()),
    ]


def fill(document: str) -> str:
    """A document with the table of today between its markers.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"
