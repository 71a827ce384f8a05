"""One rank of a training run in which one rank fails somewhere."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from reidzoo import fit
from reidzoo.callbacks import cluster
from reidzoo.data.dataset import DrawnImages
from reidzoo.data.sets.synthetic import Synthetic
from reidzoo.errors import UserError
from reidzoo.methods.cluster_contrast import ClusterContrast

MISTAKE = UserError("a.jpg: truncated")
BUG = KeyError("a bug")


def fail(error: BaseException) -> Any:
    def hook(*values: Any, **options: Any) -> Any:
        raise error

    return hook


def kill(number: int) -> Any:
    def hook(*values: Any, **options: Any) -> Any:
        os.kill(os.getpid(), number)
        time.sleep(60)

    return hook


def hang(*values: Any, **options: Any) -> None:
    """As in a collective on a GPU: no signal interrupts it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    time.sleep(3600)


FAULTS: dict[str, list[tuple[int, Any, str, Any]]] = {  # name -> rank, owner, attribute, fault
    "none": [],
    "reader": [(1, Synthetic, "read", fail(MISTAKE))],
    "extraction": [(1, cluster, "extract_records", fail(MISTAKE))],
    "worker": [(1, DrawnImages, "__getitems__", fail(MISTAKE))],
    "clustering": [(0, ClusterContrast, "pseudo_label", fail(MISTAKE))],
    "bug": [(1, ClusterContrast, "compute_loss", fail(BUG))],
    "killed": [(1, ClusterContrast, "update", kill(signal.SIGKILL))],
    "keeper killed": [(0, ClusterContrast, "update", kill(signal.SIGKILL))],
    "terminated": [(1, ClusterContrast, "update", kill(signal.SIGTERM))],
    "hanging": [
        (0, ClusterContrast, "refresh", fail(MISTAKE)),
        (1, ClusterContrast, "refresh", hang),
    ],
}


LAUNCHERS = {  # what they tell a process
    "torchrun": {
        "RANK": "{}",
        "LOCAL_RANK": "{}",
        "WORLD_SIZE": "2",
        "TORCHELASTIC_RUN_ID": "test",
    },
    "srun": {
        "SLURM_JOB_ID": "77",
        "SLURM_JOB_NAME": "hhcl",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_NNODES": "1",
        "SLURM_NODEID": "0",
        "SLURM_PROCID": "{}",
        "SLURM_LOCALID": "{}",
    },
}


def train(
    rank: int, port: int, folder: Path, words: list[str], fault: str, launcher: str = "torchrun"
) -> None:
    """What a launcher would start, without what it does later; says what it says in a file."""
    multiprocessing.set_start_method("fork", force=True)  # of loader workers, as usual
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {name: value.format(rank) for name, value in LAUNCHERS[launcher].items()}
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / f"{name}{rank}", os.O_CREAT | os.O_WRONLY), stream)
    sys.stdout = os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1)
    for where, owner, name, hook in FAULTS[fault]:
        if where == rank:
            setattr(owner, name, hook)
    sys.exit(fit.main(words))
