"""`python -m tests.torture.endurance`: memory and open files of a long run, epoch by epoch."""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pytorch_lightning as pl

from reidzoo.benchmarks.machine import describe_processor, describe_versions
from reidzoo.files import write_text, written_whole

SETTLED = 20  # epochs after which nothing is allocated for the first time
COLUMNS = ("epoch", "megabytes", "megabytes of workers", "open files", "threads")


class Footprint(pl.Callback):
    """Appends a row at the end of every epoch.

    Args:
        path: of a CSV.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Ask the kernel."""
        own = Path("/proc/self")
        children = [int(pid) for task in own.glob("task/*/children") for pid in read(task)]
        row = [
            trainer.current_epoch + 1,
            resident(own),
            sum(resident(Path(f"/proc/{pid}")) for pid in children),
            len(list((own / "fd").iterdir())),
            len(list((own / "task").iterdir())),
        ]
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)


def read(path: Path) -> list[str]:
    return path.read_text().split()


def resident(process: Path) -> float:
    """Megabytes in memory, libraries included, which processes share."""
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


def main() -> None:
    """Train, then write the table, the picture and the page."""
    parser = argparse.ArgumentParser("tests.torture.endurance", description=__doc__)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--record", type=Path, default=Path("experiments/robustness"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "footprint.csv")
        train(asked.epochs, asked.workers, Path(folder), table)
        with table.open(newline="") as file:
            rows = np.array(list(csv.reader(file)), dtype=np.float64)
    command = f"python -m tests.torture.endurance --epochs {asked.epochs}"
    asked.record.mkdir(parents=True, exist_ok=True)
    write_text(asked.record / "long_run.csv", as_csv(rows))
    write_text(asked.record / "long_run.md", as_markdown(rows, command))
    draw(rows, asked.record / "long_run.png")
    print((asked.record / "long_run.md").read_text())


def train(epochs: int, workers: int, folder: Path, table: Path) -> None:
    """The ordinary command, with one callback more, in a process of its own."""
    from tests.torture.lives import COMMAND

    callback = {"class_path": "tests.torture.endurance.Footprint"}
    callbacks = [callback | {"init_args": {"path": str(table)}}]
    own = ["--trainer.max_epochs", str(epochs), "--data.workers", str(workers)]
    own += ["--trainer.callbacks", json.dumps(callbacks), "--output", str(folder)]
    command = [sys.executable, "-m", "reidzoo.fit", *COMMAND, *own]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


def growth(rows: np.ndarray, column: int) -> tuple[float, float, float]:
    """First value once settled, last value, and slope per hundred epochs of a straight line."""
    settled = rows[rows[:, 0] >= SETTLED]
    slope = np.polyfit(settled[:, 0], settled[:, column], 1)[0]
    return settled[0, column], settled[-1, column], round(100 * slope, 2) + 0.0  # no minus zero


def as_csv(rows: np.ndarray) -> str:
    lines = [",".join(COLUMNS), *(",".join(f"{value:g}" for value in row) for row in rows)]
    return "\n".join(lines) + "\n"


def as_markdown(rows: np.ndarray, command: str) -> str:
    """What grows, and by how much."""
    lines = [
        "# A long run",
        "",
        f"{len(rows):.0f} epochs of hhcl on tiny synthetic people, each with extraction, labels,",
        "evaluation and checkpoints. Memory is VmRSS, of the workers its sum.",
        "",
        f"| | epoch {SETTLED} | epoch {len(rows)} | slope per 100 epochs |",
        "|---|---:|---:|---:|",
    ]
    for column, name in enumerate(COLUMNS[1:], start=1):
        first, last, slope = growth(rows, column)
        lines.append(f"| {name} | {first:.1f} | {last:.1f} | {slope:+.2f} |")
    versions = describe_versions("torch", "pytorch-lightning", "numpy")
    lines += ["", "![memory and open files over the epochs](long_run.png)", ""]
    lines += [f"`{command}`, {date.today().isoformat()}, {describe_processor()}, {versions}"]
    return "\n".join(lines) + "\n"


def draw(rows: np.ndarray, path: Path) -> None:
    """Memory above, counts below."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), dpi=90, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for axes, columns in ((above, (1, 2)), (below, (3, 4))):
        for column in columns:
            axes.plot(rows[:, 0], rows[:, column], label=COLUMNS[column])
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=8, loc="lower right")
        axes.spines[["top", "right"]].set_visible(False)
    below.set_xlabel("epoch")
    with written_whole(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    main()
