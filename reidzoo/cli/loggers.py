"""Where curves and pictures go: CSV always; Weights & Biases or TensorBoard by choice."""

import csv
import importlib.util
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reidzoo.cli.layers import flatten
from reidzoo.cli.runs import process_rank
from reidzoo.errors import UserError
from reidzoo.files import write_text

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger

    from reidzoo.cli.layers import Tree
    from reidzoo.cli.runs import Run

PICTURES = ("ranked_lists.png", "clusters.png")
SUMMARIES = {  # of the columns by which a dashboard compares runs; all others: the last value
    "val/mAP": "max,last",
    "val/mINP": "max,last",
    "val/cmc1": "max,last",
    "loss": "min,last",
    "cluster/ari": "max,last",
}


@dataclass(frozen=True)
class LoggerOptions:
    """Options of `--logger`.

    Args:
        name: csv, wandb or tensorboard; metrics.csv is written in any case.
        images: also log pictures; person images are sensitive, so only when asked.
        project: project in Weights & Biases.
        group: runs shown together in Weights & Biases; null takes method_data.
        tags: of the run in Weights & Biases, beside its method and its data.
    """

    name: Literal["csv", "wandb", "tensorboard"] = "csv"
    images: bool = False
    project: str = "reidzoo"
    group: str | None = None
    tags: list[str] | None = None


def make_loggers(options: LoggerOptions, run: "Run", tree: "Tree") -> "list[Logger]":
    """The CSV file and the chosen service."""
    from pytorch_lightning.loggers import TensorBoardLogger

    from reidzoo.cli.metrics_file import MetricsFile, read_rows

    loggers: list[Logger] = [MetricsFile(run.folder, read_rows(run))]
    if options.name == "wandb":
        loggers.append(make_wandb(options, run.folder, tree))
    elif options.name == "tensorboard":
        if importlib.util.find_spec("tensorboard") is None:
            raise UserError("--logger tensorboard: not installed; pip install tensorboard")
        loggers.append(TensorBoardLogger(run.folder, name="", version=""))
    return loggers


def make_wandb(options: LoggerOptions, folder: Path, tree: "Tree") -> "Logger":
    """Online where somebody is logged in, else offline; never asks, and a resumed run stays one."""
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    memo = folder / "wandb_id"
    if process_rank() == 0 and not memo.is_file():  # a sweep has chosen the id already
        write_text(memo, os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4))
    offline = process_rank() != 0 or not is_logged_in()
    if offline and process_rank() == 0:
        print(f"W&B: this run is kept offline; to upload it: wandb sync {folder}/wandb/*run-*")
    logger = WandbLogger(
        project=options.project,
        group=options.group or folder.parent.name,
        job_type="train",
        tags=[tree["method"]["name"], tree["data"]["name"], *(options.tags or [])],
        name=folder.name,
        id=memo.read_text() if memo.is_file() else None,
        resume="allow",
        save_dir=folder,
        offline=offline,
        config=tree,
        settings=wandb.Settings(
            mode="offline" if offline else "online", silent=True, console="off"
        ),
    )
    logger._wandb_init.pop("anonymous", None)  # what Lightning passes makes wandb complain
    if process_rank() == 0:
        for metric, kind in SUMMARIES.items():
            logger.experiment.define_metric(
                metric, step_metric="trainer/global_step", step_sync=True, summary=kind
            )
    return logger


def is_logged_in() -> bool:
    """Whether Weights & Biases knows this user; WANDB_MODE=offline is respected."""
    import wandb

    if os.environ.get("WANDB_MODE", "online") != "online":
        return False
    try:
        return bool(wandb.login(prompt=False))
    except Exception:  # no network, a broken key: training must not depend on it
        return False


def log_findings(loggers: "list[Logger]", folder: Path, images: bool) -> None:
    """Send what a finished run has left: results, a table of its queries, pictures if wanted.

    Args:
        loggers: of the run.
        folder: of the run.
        images: also send pictures, which show people.
    """
    log_results(loggers, folder / "results.json")
    queries = folder / "queries.csv"
    if queries.is_file():
        log_queries(loggers, queries)
    for name in PICTURES if images else ():
        picture = folder / name
        if picture.is_file():
            log_picture(loggers, picture)


def close(loggers: "list[Logger]") -> None:
    """Write everything out; another run of this process must not continue this one."""
    from pytorch_lightning.loggers import WandbLogger

    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()


def log_results(loggers: "list[Logger]", path: Path) -> None:
    """Figures and protocol as columns `best/mAP`, `protocol/epochs`, ...; after a resume, too."""
    from pytorch_lightning.loggers import WandbLogger

    results = json.loads(path.read_text(encoding="utf-8"))
    columns = {
        f"{kind}/{name}": value
        for kind in ("untrained", "last", "label_free", "best")
        for name, value in results.get(kind, {}).items()
    }
    columns |= {
        f"protocol/{field}": value for field, value in flatten(results.get("protocol", {})).items()
    }
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(columns)


def log_queries(loggers: "list[Logger]", path: Path) -> None:
    """Send the table of queries, hardest first, to Weights & Biases."""
    from pytorch_lightning.loggers import WandbLogger

    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ap"]]
    rows.sort(key=lambda row: float(row["ap"]))
    table: list[list[Any]] = [
        [Path(row["path"]).name, int(row["identity"]), int(row["camera"]), float(row["ap"])]
        for row in rows
    ]
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_table("queries", columns=["query", "identity", "camera", "ap"], data=table)


def log_picture(loggers: "list[Logger]", path: Path) -> None:
    """Send a picture to the services that show pictures."""
    from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger

    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(path.stem, [str(path)])
        elif isinstance(logger, TensorBoardLogger):
            import numpy as np
            from PIL import Image

            pixels = np.asarray(Image.open(path).convert("RGB"))
            logger.experiment.add_image(path.stem, pixels, dataformats="HWC")
