"""One rank fails: both end within seconds, with one exit code, and the cause is told once."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.distributed.faults import train

pytestmark = pytest.mark.slow
WORDS = ["--method", "cluster_contrast", "--data", "synthetic", "--data.preset", "tiny"]
WORDS += ["--data.batches", "3", "--data.batch_size", "32", "--data.num_instances", "4"]
WORDS += ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--data.workers", "0"]
WORDS += ["--trainer.devices", "2", "--trainer.strategy", "ddp", "--evaluate.untrained", "false"]
LINE = "reidzoo: rank {}: a.jpg: truncated\n"


@pytest.fixture(scope="module")
def processes():
    """Forks of a process that has imported everything, which is nearly all of a start."""
    os.environ["TORCH_CPP_LOG_LEVEL"] = "ERROR"  # as the command sets it before it imports torch
    context = multiprocessing.get_context("forkserver")
    slow = ["albumentations", "faiss", "numba.np.random.legacy", "sklearn.cluster"]
    context.set_forkserver_preload(["tests.distributed.faults", "reidzoo.cli.session", *slow])
    return context


def end(
    processes, folder, fault: str, words: list[str], launcher: str = "torchrun"
) -> tuple[list[int], str]:
    """Exit codes, and what was said on standard error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [*WORDS, "--output", str(folder / "runs"), *words]
    arguments = (port, folder, words, fault, launcher)
    ranks = [processes.Process(target=train, args=(rank, *arguments)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    deadline = time.monotonic() + 120
    try:
        for process in ranks:
            process.join(max(0.0, deadline - time.monotonic()))
        codes = [process.exitcode for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    return codes, "".join((folder / f"err{rank}").read_text() for rank in (0, 1))


@pytest.mark.parametrize(
    ("fault", "rank"),
    [("reader", 1), ("extraction", 1), ("worker", 1), ("clustering", 0)],
)
def test_a_mistake_on_one_rank(processes, tmp_path, fault, rank):
    words = ["--data.workers", "1"] if fault == "worker" else []
    codes, said = end(processes, tmp_path, fault, words)
    assert codes == [2, 2], said
    assert said == LINE.format(rank)


def test_a_mistake_on_every_rank_is_told_once(processes, tmp_path):
    codes, said = end(processes, tmp_path, "none", ["--data.batch_size", "36"])
    assert codes == [2, 2], said
    assert said.startswith("reidzoo: rank 0: --data.batch_size 36: must be")
    assert said.count("\n") == 1


def test_a_bug_on_one_rank_shows_one_traceback(processes, tmp_path):
    codes, said = end(processes, tmp_path, "bug", [])
    assert codes == [1, 1], said
    assert said.startswith("reidzoo: rank 1 failed:\nTraceback")
    assert said.endswith("KeyError: 'a bug'\n")
    assert said.count("Traceback") == 1


@pytest.mark.parametrize(("fault", "rank"), [("killed", 1), ("keeper killed", 0)])
def test_a_killed_rank_is_named(processes, tmp_path, fault, rank):
    codes, said = end(processes, tmp_path, fault, [])
    assert sorted(codes) == [-signal.SIGKILL, 1], said
    assert said.startswith(f"reidzoo: rank {rank} does not answer any more")
    assert said.count("\n") == 1


@pytest.mark.parametrize("launcher", ["torchrun", "srun"])
def test_sigterm_to_one_rank_stops_all(processes, tmp_path, launcher):
    codes, said = end(processes, tmp_path, "terminated", [], launcher)
    assert codes == [143, 143], said
    assert said.startswith("reidzoo: terminated; --resume auto")
    assert said.count("\n") == 1


def test_a_rank_that_hangs_is_ended(processes, tmp_path):
    codes, said = end(processes, tmp_path, "hanging", [])
    assert codes == [2, 2], said
    assert said == LINE.format(0)


def test_an_orphan_on_its_way_to_the_others_ends(tmp_path):
    """Lightning starts the second process; before the two have met, the first one is killed."""
    command = [sys.executable, "-m", "reidzoo.fit", *WORDS, "--output", str(tmp_path / "runs")]
    said = tmp_path / "said"
    with said.open("w") as stream:
        starter = subprocess.Popen(command, stdout=stream, stderr=stream)
    until(lambda: children(starter.pid), 180)
    (child,) = children(starter.pid)
    starter.kill()
    starter.wait()
    try:
        until(lambda: not alive(child), 180)  # first it has to import everything
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)
    assert said.read_text().count("reidzoo: rank 0 does not answer any more") == 1


def until(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(parent: int) -> list[int]:
    """Processes that a process has started by a command like its own."""
    listed = Path(f"/proc/{parent}/task/{parent}/children")
    found = [int(word) for word in listed.read_text().split()]
    return [pid for pid in found if b"reidzoo" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended may still wait for somebody to ask how."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
