"""metrics.csv: the curves of a run, rewritten whole after every epoch."""

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from reidzoo.cli.runs import Run
from reidzoo.files import written_whole

Row = dict[str, Any]


class MetricsFile(Logger):
    """Keeps all rows and writes them as one file, which a kill leaves as it was.

    Lightning's own CSV logger deletes the file when a run is resumed, and appends to it. Here rows
    reach the disk when `write` is called: before the checkpoint of their epoch, since an epoch
    that has its checkpoint is never computed again.

    Args:
        folder: of the run.
        rows: of finished epochs, if the run is continued.
    """

    def __init__(self, folder: Path, rows: list[Row] | None = None) -> None:
        super().__init__()
        self.path = folder / "metrics.csv"
        self.rows = list(rows or [])

    @property
    def name(self) -> str:
        """None: there is one file."""
        return ""

    @property
    def version(self) -> str:
        """None: there is one file."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run folder."""
        return str(self.path.parent)

    def log_hyperparams(self, *params: Any, **more: Any) -> None:
        """Nothing: they are in config.yaml."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add a row; an epoch's row, which comes twice, is kept once."""
        row: Row = metrics | {"step": step}
        last = self.rows[-1] if self.rows else {}
        again = last.keys() == row.keys() and last["epoch"] == row["epoch"]
        if not (again and last["step"] == step):
            self.rows.append(row)

    @rank_zero_only
    def write(self) -> None:
        """Put all rows on the disk."""
        if not self.rows:
            return
        columns = sorted(set().union(*self.rows))
        with written_whole(self.path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """The run ends, in whatever way."""
        self.write()


def read_rows(run: Run) -> list[Row]:
    """Rows of metrics.csv that a resumed run keeps: those of finished epochs."""
    path = run.folder / "metrics.csv"
    if run.checkpoint is None or not path.is_file():
        return []
    with path.open(newline="") as file:
        rows = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    return [row for row in rows if int(row.get("epoch", 0)) < run.finished]
