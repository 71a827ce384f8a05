"""Run folders: `<output>/<method>_<data>/<time>/`, starting one, and finding one to continue."""

import copy
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from reidzoo.cli.layers import Tree
from reidzoo.errors import UserError
from reidzoo.files import find_checkpoint

RUN = "REIDZOO_RUN"  # tells the processes that Lightning starts what rank 0 has chosen
FREE = {  # settings that two runs may differ in and still be the same run
    "": ("resume", "output", "logger", "guard", "compile"),
    "cluster": ("unusable", "patience", "keep_labels"),
    "data": ("workers", "test_batch_size"),
    "trainer": (
        "max_epochs",
        "max_steps",
        "max_time",
        "enable_progress_bar",
        "enable_model_summary",
        "log_every_n_steps",
        "profiler",
        "detect_anomaly",
    ),
}


@dataclass(frozen=True)
class Run:
    """A run folder and, if it is continued, the checkpoint to continue from.

    Args:
        folder: where everything of the run lies.
        checkpoint: None for a new run.
        finished: whole epochs in the checkpoint.
    """

    folder: Path
    checkpoint: Path | None = None
    finished: int = 0


def find_run(
    tree: Tree, method: str, data: str, defaults: Tree | None = None
) -> tuple[Run | None, str]:
    """The run to continue, None to start a new one, and one line about it if there is news.

    A setting that a run of an older version does not know counts as having its default.

    With torchrun or SLURM each process looks for itself. That is safe: nobody can write a
    checkpoint before all processes have joined.
    """
    if told := os.environ.get(RUN):
        folder, checkpoint, finished = json.loads(told)
        return Run(Path(folder), Path(checkpoint) if checkpoint else None, finished), ""
    base = base_folder(tree, method, data)
    resume = tree.get("resume")
    if resume is None:
        return None, ""
    if resume == "auto":
        checkpoint = newest(base, tree, defaults or {})
        if checkpoint is None:
            return None, f"--resume auto: no run with these settings in {base}; starting anew"
    else:
        checkpoint = find_checkpoint(resume, f"--resume {resume}")
    finished = check_checkpoint(checkpoint, tree, method, data)
    folder = checkpoint.resolve().parent.parent
    if not (folder / "config.yaml").is_file():
        folder = new_folder(base)
    return Run(folder, checkpoint, finished), f"continuing {folder} after epoch {finished}"


def base_folder(tree: Tree, method: str, data: str) -> Path:
    """Folder of all runs of a pair."""
    return Path(tree["output"]).expanduser() / f"{method}_{data}"


@contextmanager
def announced(run: Run) -> Iterator[None]:
    """Leave word for the processes that Lightning is going to start, for a while."""
    checkpoint = str(run.checkpoint) if run.checkpoint else None
    before = os.environ.get(RUN)
    os.environ[RUN] = json.dumps([str(run.folder), checkpoint, run.finished])
    try:
        yield
    finally:
        del os.environ[RUN]
        if before is not None:
            os.environ[RUN] = before


def new_folder(base: Path) -> Path:
    """Make a folder named after the time; two runs of one second get different ones."""
    if process_rank() != 0:
        return base / "other-ranks-write-nothing"
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
    for number in range(1, 1000):
        folder = base / (stamp if number == 1 else f"{stamp}_{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UserError(f"--output: cannot make {folder} ({error.strerror})") from error
        return folder
    raise UserError(f"--output: {base} holds 999 runs of this second")


def process_rank() -> int:
    """Rank before any process group exists, from what launchers set.

    Where Lightning is started by hand on each of several nodes it is 0 on the first node alone, and
    not yet the final number elsewhere.
    """
    for variable in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK"):
        value = os.environ.get(variable, "")
        if value.isdigit() and (variable == "RANK" or int(value) > 0):
            return int(value)
    return 0


def newest(base: Path, tree: Tree, defaults: Tree) -> Path | None:
    """The last checkpoint of the newest run below `base` with the same settings."""
    for config in sorted(base.glob("*/config.yaml"), reverse=True):
        checkpoint = config.parent / "checkpoints" / "last.ckpt"
        try:
            saved = yaml.safe_load(config.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError):
            continue
        if not checkpoint.is_file() or not isinstance(saved, dict):
            continue
        if same_run(complete(saved, defaults), tree):
            return checkpoint
    return None


def same_run(one: Tree, other: Tree) -> bool:
    """Whether two configurations compute the same thing, however long, wherever it is kept.

    >>> same_run({"seed": 1, "output": "a"}, {"seed": 1, "output": "b"})
    True
    """
    return essential(one) == essential(other)


def complete(tree: Tree, defaults: Tree) -> Tree:
    """A tree with the defaults of the settings that it lacks; another class has other ones.

    >>> complete({"a": {"name": "x"}, "b": 1}, {"a": {"name": "x", "new": 2}, "c": 3})
    {'a': {'name': 'x', 'new': 2}, 'b': 1, 'c': 3}
    """
    if tree.get("name") != defaults.get("name"):
        return tree
    known = {
        key: complete(value, defaults[key])
        if isinstance(value, dict) and isinstance(defaults.get(key), dict)
        else value
        for key, value in tree.items()
    }
    return known | {key: value for key, value in defaults.items() if key not in tree}


def essential(tree: Tree) -> Tree:
    """A configuration without what may differ, as plain JSON values."""
    kept = copy.deepcopy(tree)
    for section, names in FREE.items():
        part = kept.get(section, {}) if section else kept
        for name in names:
            part.pop(name, None)
    plain: Tree = json.loads(json.dumps(kept))
    return plain


def check_checkpoint(path: Path, tree: Tree, method: str, data: str) -> int:
    """Refuse what cannot be continued, in one line; returns the number of finished epochs."""
    from reidzoo.models.weights import read_tensors

    what = f"--resume {path}"
    content = read_tensors(path, what)
    try:
        about = dict(json.loads(content["reidzoo"]))
        network = dict(about["network"])
        progress = content["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        whole = bool(progress["is_last_batch"])
        finished = int(content["epoch"]) + 1
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"{what}: not a checkpoint of a reidzoo run; to take over weights use --init"
        ) from error
    if not whole:
        raise UserError(
            f"{what}: written in the middle of epoch {finished}; only whole epochs can be "
            "continued, take last.ckpt of the run"
        )
    for option, wanted in (("method", method), ("data", data)):
        if about.get(option) != wanted:
            raise UserError(
                f"{what}: made by --{option} {about.get(option)}, but --{option} {wanted} was "
                f"asked for; to take over weights use --init"
            )
    differing = differences(network, tree["method"].get("network", {}))
    if differing:
        raise UserError(f"{what}: another network ({differing}); to take over weights use --init")
    return finished


def differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What differs between two sets of network options, as words."""
    plain = json.loads(json.dumps(new))
    return ", ".join(
        f"{key} {old[key]}, now {plain[key]}"
        for key in plain
        if key in old and old[key] != plain[key] and key != "weights"
    )
