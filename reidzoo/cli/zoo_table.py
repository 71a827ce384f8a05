"""The table of methods x data sets: what each is, what others published, what we measured.

Published results are data, in `experiments/published.yaml`. Ours are the committed files
`experiments/<method>/<data>.results.json`: {"command": str, "runs": [results.json of each seed]}.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reidzoo.cli import names
from reidzoo.cli.layers import experiments
from reidzoo.laboratory.agreement import camera_level
from reidzoo.laboratory.protocol import Protocol
from reidzoo.laboratory.statistics import mean_and_spread

BENCHMARKS = ("market1501", "msmt17", "veri776", "personx")
OURS = ".results.json"
BEGIN, END = "<!-- zoo:begin -->", "<!-- zoo:end -->"
LEGEND = (
    "Results are mAP / R1 in per cent. Those of the benchmarks are published by others, with the "
    "edition and the place below; empty where none could be verified. Those of synthetic people "
    "are ours: the last epoch, mean ± sample standard deviation over seeds, of one seed the value."
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
    """Our committed results: last epochs, mean and spread over seeds."""
    return [
        read_measured(path)
        for path in sorted((folder or experiments()).glob(f"*/*{OURS}"))
        if path.parent.name in names.methods()
    ]


def read_measured(path: Path) -> Result:
    """One file of results."""
    tree = json.loads(path.read_text("utf-8"))
    last = [run["last"] for run in tree["runs"]]
    seeds = "1 seed" if len(last) == 1 else f"{len(last)} seeds"
    (mAP, mAP_spread), (R1, R1_spread) = (
        mean_and_spread([100 * run[name] for run in last]) for name in ("mAP", "cmc1")
    )
    return Result(
        path.parent.name,
        path.name.removesuffix(OURS),
        mAP,
        R1,
        f"{seeds}, `{tree['command']}`",
        None if mAP_spread is None or R1_spread is None else (mAP_spread, R1_spread),
    )


def header() -> list[str]:
    """Names of the columns."""
    return ["method", "year", "fidelity", "needs", *BENCHMARKS, "synthetic (ours)"]


def rows() -> Iterator[list[str]]:
    """One row per method, in the order of years."""
    found = {(result.method, result.data): str(result) for result in published()}
    found |= {(result.method, result.data): str(result) for result in measured()}
    kinds: dict[str, Any] = {name: entry.load() for name, entry in names.methods().items()}
    for name in sorted(kinds, key=lambda name: (kinds[name].year, name)):
        kind = kinds[name]
        needs = [*sorted(kind.needs), *([f"{kind.views} views"] if kind.views > 1 else [])]
        results = [found.get((name, data), "") for data in (*BENCHMARKS, "synthetic")]
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
    return "\n".join([*lines, "", LEGEND, "", *(f"- {line}" for line in origins())])


def origins() -> list[str]:
    """Where each result is from, one line each."""
    return [
        f"{result.method}, {result.data}, {result}: {result.origin}"
        for result in (*published(), *measured())
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
