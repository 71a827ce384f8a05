"""`bench knn`: exact neighbours, against a complete fp32 product and sort in the same run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reidzoo.benchmarks.machine import (
    Cost,
    describe_load,
    describe_processor,
    describe_versions,
    in_fresh_process,
    peak_megabytes,
    threads,
    time_in_turns,
)
from reidzoo.benchmarks.regimes import Regime, make_rows
from reidzoo.clustering import knn

TIE = 1e-6  # similarities this close may change places between two fp32 products


@dataclass(frozen=True)
class KnnReport:
    """Medians of seconds on one thread, for each backend and the textbook."""

    regime: str
    n: int
    width: int
    k: int
    ways: dict[str, Cost]
    recall: float | None
    megabytes: float
    rounds: int
    machine: str
    load: str
    versions: str
    date: str

    def to_markdown(self) -> str:
        """Write what `experiments/benchmarks/knn_REGIME_N.md` holds."""
        rows = [
            f"| {name} | {cost.cpu_seconds:.2f} | {cost.wall_seconds:.2f} |"
            for name, cost in self.ways.items()
        ]
        verdict = "" if self.recall is None else f"Recall against the textbook {self.recall:.6f}. "
        return "\n".join(
            [
                f"# Exact k-NN: {self.n:,} rows of {self.width}, k {self.k}, {self.regime}",
                "",
                f"One thread, median of {self.rounds} rounds in turns.",
                "",
                "| way | CPU s | wall s |",
                "|---|---:|---:|",
                *rows,
                "",
                f"{verdict}Peak memory in a fresh process: {self.megabytes:.0f} MB beyond the "
                "features.",
                "",
                f"{self.machine} (shared; {self.load}); {self.versions}; {self.date}.",
                f"`python -m reidzoo.bench knn --n {self.n} --regime {self.regime} "
                f"--width {self.width} --k {self.k}` makes this table.",
                "",
            ]
        )


def bench_knn(
    *,
    n: int = 12936,
    regime: Regime = "identities",
    width: int = 2048,
    k: int = 30,
    rounds: int = 3,
    backends: tuple[str, ...] = ("numba", "torch", "faiss"),
    dense_up_to: int = 13000,
    seed: int = 0,
) -> KnnReport:
    """Time exact k-NN by every backend, and a complete product and sort where it fits.

    Args:
        n: rows.
        regime: kind of features: identities, crowded, duplicates or unstructured.
        width: entries of a row.
        k: neighbours, the row itself included.
        rounds: times each way is timed, in turns.
        backends: of `knn`.
        dense_up_to: rows up to which the complete sort is timed as well.
        seed: of the features.
    """
    rows = make_rows(regime, n, width, seed)
    knn(rows[:100], min(k, 100))  # compiles
    found: dict[str, NDArray[Any]] = {}

    def search(backend: Any) -> None:
        found[backend] = knn(rows, k, backend)[0]

    ways: dict[str, Callable[[], object]] = {name: partial(search, name) for name in backends}
    if n <= dense_up_to:
        ways["complete sort"] = lambda: found.update(dense=sort_all(rows, k))
    with threads(1):
        costs = time_in_turns(ways, rounds)
    recall = None
    if "dense" in found:
        recall = min(recall_of(rows, found[name], found["dense"]) for name in backends)
    return KnnReport(
        regime, n, width, k, costs, recall,
        in_fresh_process(measure_peak, regime, n, width, k, seed), rounds,
        describe_processor(), describe_load(), describe_versions("torch", "numpy", "numba"),
        date.today().isoformat(),
    )  # fmt: skip


def sort_all(rows: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Sort the whole product [N, N] and take the first k.

    >>> sort_all(np.eye(2, dtype=np.float32), 1).tolist()
    [[0], [1]]
    """
    values = torch.from_numpy(rows)
    return torch.argsort(values @ values.T, dim=1, descending=True)[:, :k].numpy()


def recall_of(
    rows: NDArray[np.float32], found: NDArray[np.int64], dense: NDArray[np.int64]
) -> float:
    """Share of neighbours at least as similar, but for rounding, as the textbook's of that rank.

    >>> recall_of(np.eye(2, dtype=np.float32), np.array([[0], [1]]), np.array([[0], [1]]))
    1.0
    """
    good = 0
    for i in range(len(rows)):
        ours, theirs = (rows[ranks[i]] @ rows[i] for ranks in (found, dense))
        good += int((np.sort(ours) >= np.sort(theirs) - TIE).sum())
    return good / found.size


def measure_peak(regime: Regime, n: int, width: int, k: int, seed: int) -> float:
    """Find neighbours once, in a process that did nothing else; megabytes above the start."""
    with threads(1):
        rows = make_rows(regime, n, width, seed)
        knn(rows[:100], min(k, 100))
        return peak_megabytes(lambda: knn(rows, k))
