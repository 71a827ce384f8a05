"""`bench labels`: pseudo-labels after k-NN, against the dense textbook in the same run.

One thread; the ways take turns, medians are compared; the peak of memory is that of a fresh
process. Labels must be equal: the command fails if they are not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.benchmarks.dense import dense_labels
from reidzoo.benchmarks.machine import (
    Cost,
    describe_load,
    describe_processor,
    describe_versions,
    in_fresh_process,
    peak_megabytes,
    resident_megabytes,
    threads,
    time_in_turns,
)
from reidzoo.benchmarks.regimes import Regime, make_rows
from reidzoo.clustering import dbscan, jaccard_graph, knn
from reidzoo.clustering.jaccard import (
    SparseRows,
    averaged,
    near_graph,
    neighbour_table,
    reciprocal_weights,
)
from reidzoo.clustering.rows import checked_rows

EXACT_UP_TO = 200_000  # rows; beyond, the neighbour table comes from an inverted file
MIN_SAMPLES = 4
MAX_DISTANCE = 0.7
FILES = ("rows", "ranks", "scores")
Table = tuple[NDArray[np.int64], NDArray[np.float32]]


@dataclass(frozen=True)
class LabelsReport:
    """Medians of seconds on one thread, megabytes beyond features and neighbour table."""

    regime: str
    n: int
    width: int
    k1: int
    k2: int
    eps: float
    stages: dict[str, Cost]
    sparse: Cost
    dense: Cost | None
    times: float | None
    labels_equal: bool | None
    megabytes: float
    megabytes_in_all: float
    table_megabytes: float
    exact_neighbours: bool
    weights_per_row: float
    additions_per_row: float
    pairs_per_row: float
    clusters: int
    outliers: int
    rounds: int
    machine: str
    load: str
    versions: str
    date: str

    def to_markdown(self) -> str:
        """Write what `experiments/benchmarks/labels_REGIME_N.md` holds."""
        rows = [f"| {name} | {_seconds(cost)} | |" for name, cost in self.stages.items()]
        rows.append(f"| **sparse, whole** | {_seconds(self.sparse)} | 1 |")
        if self.dense is not None:
            rows.append(f"| dense textbook | {_seconds(self.dense)} | {self.times:.0f} |")
        table = "exact" if self.exact_neighbours else "approximate (inverted file)"
        verdict = "Labels equal the dense textbook's. " if self.labels_equal else ""
        return "\n".join(
            [
                f"# Pseudo-labels after k-NN: {self.n:,} images, {self.regime}",
                "",
                f"k1 {self.k1}, k2 {self.k2}, eps {self.eps}, graph up to {MAX_DISTANCE}; one "
                f"thread, median of {self.rounds} rounds in turns.",
                "",
                "| way | CPU s | wall s | times sparse |",
                "|---|---:|---:|---:|",
                *rows,
                "",
                f"{verdict}Peak memory in a fresh process: {self.megabytes:.0f} MB beyond features "
                f"({self.width} entries a row) and neighbour table ({self.table_megabytes:.0f} MB, "
                f"{table}); the whole process {self.megabytes_in_all:.0f} MB. "
                f"Per image: {self.weights_per_row:.0f} weights, {self.additions_per_row:.0f} "
                f"minima added, {self.pairs_per_row:.1f} pairs kept. "
                f"{self.clusters:,} clusters, {self.outliers:,} outliers.",
                "",
                f"{self.machine} (shared; {self.load}); {self.versions}; {self.date}.",
                f"`python -m reidzoo.bench labels --n {self.n} --regime {self.regime} "
                f"--width {self.width} --eps {self.eps}` makes this table.",
                "",
            ]
        )


def bench_labels(
    *,
    n: int = 12936,
    regime: Regime = "identities",
    width: int = 2048,
    k1: int = 30,
    k2: int = 6,
    eps: float = 0.6,
    rounds: int = 3,
    dense_up_to: int = 13000,
    seed: int = 0,
) -> LabelsReport:
    """Time pseudo-labels after k-NN, and the dense textbook where it fits.

    Args:
        n: images.
        regime: kind of features: identities, crowded, duplicates or unstructured.
        width: entries of a feature row.
        k1: length of the neighbour lists.
        k2: images averaged in local query expansion.
        eps: radius of DBSCAN, at most 0.7.
        rounds: times each way is timed, in turns.
        dense_up_to: images up to which the dense textbook is timed as well.
        seed: of the features.
    """
    rows = make_rows(regime, n, width, seed)
    neighbours = make_table(rows, min(k1, n))
    graph = jaccard_graph(rows, k1, k2, MAX_DISTANCE, neighbours)  # compiles, too
    labels = dbscan(graph, eps, MIN_SAMPLES)
    found: dict[str, NDArray[Any]] = {}
    ways: dict[str, Callable[[], object]] = {
        "sparse": lambda: found.update(sparse=_sparse(rows, neighbours, k1, k2, eps))
    }
    if n <= dense_up_to:
        ways["dense"] = lambda: found.update(
            dense=dense_labels(rows, neighbours[0], k2, eps, MIN_SAMPLES)
        )
    with threads(1):
        costs = time_in_turns(ways, rounds)
        stages, weights = _time_stages(rows, neighbours, k1, k2, eps, rounds)
    equal = bool((found["dense"] == found["sparse"]).all()) if "dense" in found else None
    if equal is False:
        raise RuntimeError("the sparse labels differ from the dense textbook's: a bug, report it")
    arrays: list[NDArray[Any]] = [rows, *neighbours]
    with TemporaryDirectory() as folder:
        for name, array in zip(FILES, arrays, strict=True):
            np.save(Path(folder, name), array)
        peak, in_all = in_fresh_process(measure_peak, folder, k1, k2, eps)
    members = np.bincount(weights.columns).astype(np.float64)
    dense = costs.get("dense")
    return LabelsReport(
        regime, n, width, k1, k2, eps, stages, costs["sparse"], dense,
        dense.cpu_seconds / costs["sparse"].cpu_seconds if dense else None, equal,
        peak, in_all, sum(part.nbytes for part in neighbours) / 1e6, n <= EXACT_UP_TO,
        len(weights.columns) / n, float((members * (members - 1) / 2).sum() / n), graph.nnz / n,
        int(labels.max()) + 1, int((labels < 0).sum()), rounds,
        describe_processor(), describe_load(),
        describe_versions("torch", "numpy", "scipy", "numba", "scikit-learn"),
        date.today().isoformat(),
    )  # fmt: skip


def make_table(rows: NDArray[np.float32], k: int) -> Table:
    """Find k neighbours of each row: exactly, or for very many rows with faiss's inverted file."""
    if len(rows) <= EXACT_UP_TO:
        return knn(rows, k)
    import faiss

    lists = int(4 * len(rows) ** 0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], lists, 0)
    index.train(rows[: 50 * lists])
    index.add(rows)
    index.nprobe = 8
    scores, ranks = index.search(rows, k)
    numbers = np.arange(len(rows))
    itself = (ranks == numbers[:, None]).argmax(1)  # 0 where another came in before it: replaced
    ranks[numbers, itself], scores[numbers, itself] = ranks[:, 0], scores[:, 0]
    ranks[:, 0], scores[:, 0] = numbers, 1
    missing = ranks < 0  # a list was shorter than k: the row itself fills it up
    ranks[missing], scores[missing] = np.broadcast_to(numbers[:, None], ranks.shape)[missing], 1
    return ranks, scores


def measure_peak(folder: str, k1: int, k2: int, eps: float) -> tuple[float, float]:
    """Label once, in a process that did nothing else; megabytes above the start, and in all."""
    with threads(1):
        tiny = make_rows("identities", 100, 16)
        _sparse(tiny, knn(tiny, k1), k1, k2, eps)  # loads the compiled code
        rows, ranks, scores = (
            np.load(Path(folder, f"{name}.npy"), allow_pickle=False) for name in FILES
        )
        peak = peak_megabytes(lambda: _sparse(rows, (ranks, scores), k1, k2, eps))
        return peak, resident_megabytes("VmHWM")


def _sparse(
    rows: NDArray[np.float32], neighbours: Table, k1: int, k2: int, eps: float
) -> NDArray[np.int64]:
    return dbscan(jaccard_graph(rows, k1, k2, MAX_DISTANCE, neighbours), eps, MIN_SAMPLES)


def _time_stages(
    rows: NDArray[np.float32], neighbours: Table, k1: int, k2: int, eps: float, rounds: int
) -> tuple[dict[str, Cost], SparseRows]:
    """Time the steps one by one; also gives the averaged weights, to count them."""
    made: dict[str, Any] = {}

    def check() -> None:
        made["rows"] = checked_rows(rows)
        made["table"] = neighbour_table(made["rows"], k1, neighbours)

    steps: dict[str, Callable[[], object]] = {
        "checks": check,
        "weights": lambda: made.update(
            V=reciprocal_weights(made["rows"].numpy(), made["table"][0], made["table"][1], k1)
        ),
        "query expansion": lambda: made.update(
            V=averaged(made["V"], made["table"][0][:, :k2]) if k2 > 1 else made["V"]
        ),
        "pairs": lambda: made.update(graph=near_graph(made["V"], MAX_DISTANCE)),
        "DBSCAN": lambda: made.update(labels=dbscan(made["graph"], eps, MIN_SAMPLES)),
    }
    return time_in_turns(steps, rounds), made["V"]


def _seconds(cost: Cost) -> str:
    return f"{cost.cpu_seconds:.3f} | {cost.wall_seconds:.3f}"
