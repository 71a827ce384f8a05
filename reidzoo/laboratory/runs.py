"""The runs of a grid: each a process of `python -m reidzoo.fit`, skipped once it is finished."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from reidzoo.laboratory.grid import Cell, Grid
from reidzoo.laboratory.protocol import Protocol
from reidzoo.laboratory.stamps import read_protocol

Report = Callable[[str], None]
PATIENCE = 20  # seconds that a run has to end when it is told to


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        results: its results.json.
        precisions: average precision of each query [Q], None where it was not kept.
        protocol: its stamp.
    """

    results: dict[str, Any]
    precisions: NDArray[np.float64] | None
    protocol: Protocol = field(default_factory=Protocol)


def read_run(folder: Path) -> Run | None:
    """The finished run below the folder of a cell, None while there is none.

    `--resume auto` continues the newest run, so only the newest one counts.
    """
    found = sorted(folder.glob("*/*/results.json"))
    if not found:
        return None
    run = found[-1].parent
    results = json.loads((run / "results.json").read_text("utf-8"))
    config = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    if "last" not in results or results["epochs"] < config["trainer"]["max_epochs"]:
        return None
    precisions = run / "ap.npy"
    kept = np.load(precisions, allow_pickle=False) if precisions.is_file() else None
    return Run(results, kept, read_protocol(run))


@dataclass(frozen=True)
class Finished:
    """Where finished runs of a grid are found.

    Args:
        folder: of the grid, in which it runs.
        kept: cell folder -> run that was finished elsewhere (`kept_runs.py`).
    """

    folder: Path
    kept: Mapping[str, Run] = field(default_factory=dict)

    def find(self, cell: Cell) -> Run | None:
        """The finished run of a cell, None while there is none."""
        return read_run(self.folder / cell.folder) or self.kept.get(cell.folder)


def read_runs(grid: Grid, finished: Finished) -> dict[str, dict[int, Run]]:
    """Row -> seed -> finished run; a row without any has an empty mapping."""
    runs: dict[str, dict[int, Run]] = {row: {} for row in grid.rows}
    for cell in grid.cells():
        if (run := finished.find(cell)) is not None:
            runs[cell.row][cell.seed] = run
    return runs


class Workers:
    """Runs cells, some at a time; `stop` ends those under way, which can be continued later.

    With Weights & Biases the runs of a grid are one group, named after it.

    Args:
        finished: the runs that need not be run, and the folder of the others.
        report: takes one line about every cell.
    """

    def __init__(self, finished: Finished, report: Report) -> None:
        self.finished, self.folder, self.report = finished, finished.folder, report
        self.failed: list[str] = []
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def run(self, grid: Grid, jobs: int, after: Callable[[], object]) -> None:
        """Run what is not finished yet; `after` is called when a run has ended."""
        cells = [cell for cell in grid.cells() if self.finished.find(cell) is None]
        total = len(grid.rows) * len(grid.seeds)
        self.report(f"{total} runs, {total - len(cells)} of them finished before")

        def do(cell: Cell) -> None:
            if not self._stopped:
                self._run(cell)
                with self._lock:
                    after()

        with ThreadPoolExecutor(jobs) as pool:
            try:
                for _ in pool.map(do, cells):
                    pass
            except BaseException:  # Ctrl-C and SIGTERM among them: nothing goes on unseen
                self.stop()
                raise

    def stop(self) -> None:
        """End the runs under way and start no more."""
        self._stopped = True
        for process in list(self._running):
            process.terminate()
        for process in list(self._running):
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()

    def _run(self, cell: Cell) -> None:
        place = self.folder / cell.folder
        place.mkdir(parents=True, exist_ok=True)
        words = [sys.executable, "-m", "reidzoo.fit", *fit_words(cell, self.folder)]
        with (place / "log.txt").open("ab") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
            self._running.add(process)
            if self._stopped:  # told to stop just now
                process.terminate()
            code = process.wait()
            self._running.discard(process)
        run, name = read_run(place), f"{cell.row}, seed {cell.seed}"
        if run is not None and code == 0:
            self.report(f"{name}: mAP {100 * run.results['last']['mAP']:.1f}")
        elif not self._stopped:
            self.failed.append(name)
            self.report(f"{name}: failed, see {place / 'log.txt'}: {last_line(place / 'log.txt')}")


def fit_words(cell: Cell, folder: Path) -> list[str]:
    """The words after `python -m reidzoo.fit` for a cell of the grid in a folder.

    >>> fit_words(Cell("plain", 0, ("--method", "hhcl")), Path("runs/compare/mine"))[:2]
    ['--logger.group', 'mine']
    """
    place = folder / cell.folder
    group = ("--logger.group", folder.name)  # in front: a grid may say it otherwise
    return [*group, *cell.options, "--output", str(place), "--resume", "auto"]


def last_line(path: Path) -> str:
    """The last line of a log that says something."""
    lines = [line for line in path.read_text("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else "nothing was said"
