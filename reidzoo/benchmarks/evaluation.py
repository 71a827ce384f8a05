"""`bench eval`: mAP and CMC after the matrix product, in CPU seconds of one thread and in memory.

The plain alternatives are the two ways of the published evaluators, written out again: walk down
the sorted list in Python, or sort and ask scikit-learn. They are timed on some of the queries, on
the same distances, and their figures are scaled up; average precisions must agree.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from reidzoo.benchmarks.machine import (
    describe_processor,
    describe_versions,
    in_fresh_process,
    peak_megabytes,
    threads,
)
from reidzoo.benchmarks.regimes import Regime
from reidzoo.files import write_text
from reidzoo.metrics import distance_blocks, retrieval_scores, retrieval_scores_from_distances

IMAGES_PER_PERSON = 27  # in the galleries of Market-1501 and MSMT17
CAMERAS = 6
Search = tuple[NDArray[Any], ...]  # the six arguments of `retrieval_scores`
Floats = NDArray[np.float64]
Judge = Callable[[NDArray[Any], NDArray[Any]], float]  # right answers and distances, nearest first


@dataclass(frozen=True)
class Reference:
    """A plain way to the same scores, timed on some of the queries."""

    name: str
    seconds: float  # scaled to all queries
    times_ours: float
    worst_difference: float  # of an average precision


@dataclass(frozen=True)
class EvaluationReport:
    """Medians of CPU seconds, megabytes beyond the features, and what they were measured on."""

    regime: Regime
    queries: int
    gallery: int
    width: int
    answers_per_query: float
    product_seconds: float
    scoring_seconds: float
    megabytes: float
    references: tuple[Reference, ...]
    reference_queries: int
    rounds: int
    machine: str
    versions: str
    date: str

    def to_markdown(self) -> str:
        """Write the table that `experiments/benchmarks/eval_QxG.md` holds."""
        rows = [f"| reidzoo | {self.scoring_seconds:.3f} | 1 | |"] + [
            f"| {one.name} | {one.seconds:.1f} | {one.times_ours:.0f} "
            f"| {one.worst_difference:.0e} |"
            for one in self.references
        ]
        return "\n".join(
            [
                f"# Evaluation: {self.queries:,} queries in {self.gallery:,} images, {self.regime}",
                "",
                "mAP, mINP and CMC after the matrix product; CPU seconds of one thread, median of "
                f"{self.rounds} rounds. The plain ways were timed on {self.reference_queries} "
                "queries and scaled up.",
                "",
                "| way | seconds | times ours | largest difference of an AP |",
                "|---|---:|---:|---:|",
                *rows,
                "",
                f"The product itself ({self.width} entries a row) takes {self.product_seconds:.1f} "
                f"s. Peak memory of the whole call, in a fresh process: {self.megabytes:.0f} MB "
                f"beyond the features. {self.answers_per_query:.0f} right answers a query.",
                "",
                f"{self.machine}; {self.versions}; {self.date}.",
                f"`python -m reidzoo.bench eval --queries {self.queries} --gallery {self.gallery} "
                f"--regime {self.regime}` makes this table.",
                "",
            ]
        )


def bench_eval(
    *,
    n: int | None = None,
    regime: Regime = "identities",
    queries: int = 3368,
    gallery: int = 19732,
    width: int = 2048,
    rounds: int = 3,
    reference_queries: int = 100,
    output: str | None = "experiments/benchmarks",
) -> EvaluationReport:
    """Time the retrieval scores; write eval_QxG.json and .md to the folder `output`.

    Args:
        n: rows searched in, and a sixth as many searched for; takes the place of both numbers.
        regime: kind of features: identities, crowded, duplicates or unstructured.
        queries: rows searched for.
        gallery: rows searched in.
        width: entries of a row; it matters to the product only.
        rounds: times ours and the references are timed, in turns.
        reference_queries: queries on which the references are timed.
        output: an existing or new folder, None for none.
    """
    if n is not None:
        queries, gallery = max(1, n // 6), n
    search = make_search(queries, gallery, width, regime)
    asked = min(reference_queries, queries)
    with threads(1):
        ap = score(search).ap  # compiles, too: this round is not counted
        ours: list[Round] = []
        plain: dict[str, list[Round]] = {name: [] for name in JUDGES}
        for _ in range(rounds):
            ours.append(score(search))
            for name, judge in JUDGES.items():
                plain[name].append(judge_some(search, asked, judge))
    seconds = statistics.median(one.scoring for one in ours)
    report = EvaluationReport(
        regime,
        queries,
        gallery,
        width,
        answers_per_query(search),
        statistics.median(one.product for one in ours),
        seconds,
        in_fresh_process(measure_peak, queries, gallery, width, regime),
        tuple(compare(name, plain[name], ap[:asked], queries, seconds) for name in JUDGES),
        asked,
        rounds,
        describe_processor(),
        describe_versions("torch", "numpy", "numba", "scikit-learn"),
        date.today().isoformat(),
    )
    if output is not None:
        Path(output).mkdir(parents=True, exist_ok=True)
        stem = f"eval_{queries}x{gallery}" + ("" if regime == "identities" else f"_{regime}")
        write_text(Path(output, f"{stem}.json"), json.dumps(asdict(report), indent=2) + "\n")
        write_text(Path(output, f"{stem}.md"), report.to_markdown())
    return report


def make_search(queries: int, gallery: int, width: int, regime: Regime = "identities") -> Search:
    """Draw people as noisy unit rows, a tenth of the gallery distractors.

    "crowded" has 200 images a person in the gallery, not 27; of "duplicates" every row comes about
    four times, so that distances tie; "unstructured" rows tell nothing about the person.

    >>> [part.shape for part in make_search(2, 50, 4)]
    [(2, 4), (50, 4), (2,), (50,), (2,), (50,)]
    """
    rng = np.random.default_rng(0)
    people = max(2, gallery // (200 if regime == "crowded" else IMAGES_PER_PERSON))
    identities = [rng.integers(1, people + 1, count) for count in (queries, gallery)]
    identities[1][rng.random(gallery) < 0.1] = 0
    centres = rng.standard_normal((people + 1, width), dtype=np.float32)
    centres *= regime != "unstructured"
    features = []
    for who in identities:
        rows = rng.standard_normal((len(who), width), dtype=np.float32)
        rows += centres[who] * (who > 0)[:, None]
        if regime == "duplicates":
            rows = rows[rng.integers(0, max(1, len(rows) // 4), len(rows))]
        features.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    cameras = [rng.integers(0, CAMERAS, count) for count in (queries, gallery)]
    return *features, *identities, *cameras


class Round(NamedTuple):
    """One timed call: CPU seconds without and of the product, average precisions [Q]."""

    scoring: float
    product: float
    ap: Floats


def score(search: Search) -> Round:
    """Score a search by reidzoo; time spent in making distances is counted apart."""
    product = 0.0

    def clocked(blocks: Iterator[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        nonlocal product
        while True:
            start = time.process_time()
            block = next(blocks, None)
            product += time.process_time() - start
            if block is None:
                return
            yield block

    start = time.process_time()
    blocks = clocked(distance_blocks(search[0], search[1]))
    ap = retrieval_scores_from_distances(blocks, *search[2:])["ap"]
    return Round(time.process_time() - start - product, product, ap)


def judge_some(search: Search, asked: int, judge: Judge) -> Round:
    """Score the first queries in a plain way: sort everything, then judge query by query."""
    query, gallery, query_ids, gallery_ids, query_cameras, gallery_cameras = search
    start = time.process_time()
    distances = np.concatenate([block.copy() for block in distance_blocks(query[:asked], gallery)])
    made = time.process_time()
    order = np.argsort(distances, axis=1)
    ap = np.full(asked, np.nan)
    for q in range(asked):
        same = gallery_ids[order[q]] == query_ids[q]
        kept = ~(same & (gallery_cameras[order[q]] == query_cameras[q]))
        if same[kept].any():
            ap[q] = judge(same[kept], distances[q, order[q]][kept])
    return Round(time.process_time() - made, made - start, ap)


def walk_down(right: NDArray[np.bool_], distances: NDArray[Any]) -> float:
    """Average precision by a Python loop over the sorted list."""
    found, precisions = 0, 0.0
    for rank, hit in enumerate(right, start=1):
        if hit:
            found += 1
            precisions += found / rank
    return precisions / found


def ask_sklearn(right: NDArray[np.bool_], distances: NDArray[Any]) -> float:
    """Average precision by scikit-learn."""
    return float(average_precision_score(right, -distances))


JUDGES: dict[str, Judge] = {"sort, Python loop": walk_down, "sort, scikit-learn": ask_sklearn}


def compare(name: str, plain: list[Round], ap: Floats, queries: int, ours: float) -> Reference:
    """Scale a plain way's median to all queries and hold its average precisions against ours."""
    seconds = statistics.median(one.scoring for one in plain) * queries / len(ap)
    return Reference(name, seconds, seconds / ours, float(np.nanmax(np.abs(plain[0].ap - ap))))


def answers_per_query(search: Search) -> float:
    """Mean number of gallery images of the query's person."""
    return float(np.bincount(search[3], minlength=search[2].max() + 1)[search[2]].mean())


def measure_peak(queries: int, gallery: int, width: int, regime: Regime) -> float:
    """Search once, in a process that did nothing else; megabytes above the start."""
    with threads(1):
        retrieval_scores(*make_search(10, 100, width))  # loads the compiled code
        search = make_search(queries, gallery, width, regime)
        return peak_megabytes(lambda: retrieval_scores(*search))
