"""From a grid to its table: run what is missing, write what is known after every run."""

import json
import signal
from argparse import Namespace
from pathlib import Path
from types import FrameType
from typing import Any

from reidzoo.cli.arguments import take_section
from reidzoo.cli.errors import Terminated
from reidzoo.cli.evaluation import make_data
from reidzoo.cli.layers import Layer
from reidzoo.errors import UserError
from reidzoo.files import write_text
from reidzoo.laboratory.grid import Grid, read_grid
from reidzoo.laboratory.kept_runs import read_kept, write_kept
from reidzoo.laboratory.markdown import markdown
from reidzoo.laboratory.page import PAGE, RECORDS, page
from reidzoo.laboratory.planning import plan
from reidzoo.laboratory.plot import plot
from reidzoo.laboratory.references import score_histograms
from reidzoo.laboratory.runs import Finished, Workers, read_runs
from reidzoo.laboratory.table import Row, Runs, as_json, compare_pairs, make_rows


class Comparison:
    """A grid and the folders of its runs and tables.

    Args:
        grid: what to run.
        command: the command line, for the table.
        output: folder of all grids; this one's lies inside.
        record: folder of experiments into which tables and finished runs are copied, and whose
            finished runs count as ours; None for nowhere.
    """

    def __init__(self, grid: Grid, command: str, output: Path, record: Path | None) -> None:
        self.grid, self.command, self.record = grid, command, record
        self.folder = output / grid.name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.finished = Finished(self.folder, read_kept(self._kept) if record else {})
        self.histogram = self._histogram()
        self.planned = plan(grid)

    def read(self) -> tuple[Runs, list[Row]]:
        """What is finished, as runs and as rows.

        Raises:
            UserError: the rows were not made under one protocol, and the grid does not allow it.
        """
        runs = read_runs(self.grid, self.finished)
        return runs, make_rows(self.grid, runs, self.histogram, self.planned)

    def write(self) -> str:
        """Write <grid>.md, .json and .png from what is finished; returns the Markdown."""
        runs, rows = self.read()
        whole = as_json(self.grid, rows, self.command, compare_pairs(self.grid, runs))
        text = markdown(whole)
        write_text(self.folder / f"{self.grid.name}.md", text)
        self._write_figures(self.folder, rows, whole)
        if self.record is not None:
            self._write_figures(self.record / RECORDS, rows, whole)
            self._keep(runs)
            write_page(self.record)
        return text

    @property
    def _kept(self) -> Path:
        assert self.record is not None
        return self.record / RECORDS / f"{self.grid.name}.jsonl"

    def _keep(self, runs: Runs) -> None:
        """Add what is finished to the record; runs of other grid files of that name stay."""
        cells = {cell.folder: runs[cell.row].get(cell.seed) for cell in self.grid.cells()}
        ours = {folder: run for folder, run in cells.items() if run is not None}
        write_kept(self._kept, {**self.finished.kept, **ours})

    def _write_figures(self, place: Path, rows: list[Row], whole: dict[str, Any]) -> None:
        place.mkdir(parents=True, exist_ok=True)
        write_json(place / f"{self.grid.name}.json", whole)
        plot(rows, f"{self.grid.name}: {self.grid.data}", place / f"{self.grid.name}.png")

    def _histogram(self) -> dict[str, float]:
        """Scores of the colour histograms, computed once."""
        options, _ = take_section(self.grid.common, "data")
        kept = self.folder / "colour_histogram.json"
        if kept.is_file() and (known := json.loads(kept.read_text("utf-8")))["options"] == options:
            return dict(known["scores"])
        data = make_data(self.grid.data, options, Layer("grid", {}))
        found = score_histograms(data)
        scores = {"mAP": found["mAP"], "cmc1": found["cmc1"]}
        write_json(kept, {"options": options, "scores": scores})
        return scores


def run_comparison(asked: Namespace, command: str) -> None:
    """Run the grid, or only write its table, and print it."""
    grid = read_grid(Path(asked.grid))
    record = Path(asked.record).expanduser() if asked.record else None
    comparison = Comparison(grid, command, Path(asked.output).expanduser(), record)
    comparison.read()  # a grid that mixes protocols is refused before it is trained
    failed: list[str] = []
    if not asked.table:
        workers = Workers(comparison.finished, lambda line: print(line, flush=True))
        signal.signal(signal.SIGTERM, terminate)
        workers.run(grid, asked.jobs, after=comparison.write)
        failed = workers.failed
    print(comparison.write(), end="")
    print(f"\ntable, figures and plot: {comparison.folder / grid.name}.md, .json, .png")
    if failed:
        raise UserError(f"{len(failed)} runs failed ({'; '.join(failed)}); their log.txt says why")


def write_page(folder: Path) -> Path:
    """Write the page of all recorded grids of a folder of experiments; returns its path."""
    write_text(folder / PAGE, page(folder))
    return folder / PAGE


def terminate(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends the runs under way as well; they can be continued."""
    raise Terminated(128 + signal.SIGTERM)


def write_json(path: Path, tree: dict[str, Any]) -> None:
    """JSON, as a whole file or none."""
    write_text(path, json.dumps(tree, indent=2) + "\n")
