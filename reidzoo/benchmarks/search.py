"""`bench search`: one query in a large gallery of random rows, against a complete sort."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
from numpy.typing import NDArray

from reidzoo.benchmarks.machine import (
    Cost,
    describe_load,
    describe_processor,
    describe_versions,
    peak_megabytes,
    time_in_turns,
)
from reidzoo.gallery.search import nearest_rows

BLOCK = 50_000  # rows drawn at a time


@dataclass(frozen=True)
class SearchReport:
    """Medians of seconds per query, and whether the answers were the right ones."""

    n: int
    width: int
    top: int
    ways: dict[str, Cost]
    recall: float
    megabytes: float
    rounds: int
    machine: str
    load: str
    versions: str
    date: str

    def to_markdown(self) -> str:
        """Write what `experiments/benchmarks/search_N.md` holds."""
        rows = [
            f"| {name} | {cost.cpu_seconds:.3f} | {cost.wall_seconds:.3f} |"
            for name, cost in self.ways.items()
        ]
        return "\n".join(
            [
                f"# One query among {self.n:,} rows of {self.width}, the {self.top} most similar",
                "",
                f"Median of {self.rounds} single queries, in turns.",
                "",
                "| way | CPU s | wall s |",
                "|---|---:|---:|",
                *rows,
                "",
                f"Recall against the sort {self.recall:.4f}. Peak memory of a search: "
                f"{self.megabytes:.0f} MB beyond the gallery.",
                "",
                f"{self.machine} (shared; {self.load}); {self.versions}; {self.date}.",
                f"`python -m reidzoo.bench search --n {self.n} --width {self.width} "
                f"--top {self.top}` makes this table.",
                "",
            ]
        )


def bench_search(
    *, n: int = 1_000_000, width: int = 512, top: int = 10, rounds: int = 7
) -> SearchReport:
    """Measure single queries in a gallery of random unit rows; it takes 4 n x width bytes.

    Args:
        n: rows in the gallery.
        width: features per row.
        top: answers per query.
        rounds: queries timed.
    """
    base, draw = make_base(n, width), np.random.default_rng(1)
    query = draw.normal(size=(1, width)).astype(np.float32)
    query /= np.linalg.norm(query)
    indices, _ = nearest_rows(query, base, top)
    ways: dict[str, Callable[[], object]] = {
        "reidzoo.gallery (faiss, exact scan)": partial(nearest_rows, query, base, top),
        "product and complete sort": partial(sort, query, base, top),
    }
    return SearchReport(
        n=n,
        width=width,
        top=top,
        ways=time_in_turns(ways, rounds),
        recall=len(np.intersect1d(indices, sort(query, base, top))) / top,
        megabytes=peak_megabytes(partial(nearest_rows, query, base, top)),
        rounds=rounds,
        machine=describe_processor(),
        load=describe_load(),
        versions=describe_versions("numpy", "torch"),
        date=date.today().isoformat(),
    )


def make_base(n: int, width: int) -> NDArray[np.float32]:
    """Random unit rows [n, width], drawn in blocks so that only they are in memory."""
    draw = np.random.default_rng(0)
    base = np.empty((n, width), np.float32)
    for first in range(0, n, BLOCK):
        block = base[first : first + BLOCK]
        draw.standard_normal(out=block, dtype=np.float32)
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return base


def sort(query: NDArray[np.float32], base: NDArray[np.float32], top: int) -> NDArray[np.int64]:
    """The plain way: all similarities, sorted."""
    return np.argsort(-(base @ query[0]), kind="stable")[:top]
