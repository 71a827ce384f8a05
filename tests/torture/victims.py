"""Processes that train: forked from one that has imported everything, so that starting is quick.

They run the whole command, `reidzoo.fit`, in a session of their own; signals come from outside.
"""

import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from reidzoo.cli import session  # noqa: F401  what a run imports
from reidzoo.clustering import JaccardDBSCAN
from reidzoo.fit import main
from reidzoo.methods import hhcl  # noqa: F401
from tests.torture.phases import MET, STRIKE, Order, Phases

PATIENCE = 1800.0  # seconds for a run of a few epochs, also on a crowded machine
FOLLOW = 300.0  # seconds for the other processes of a run when one has ended


def warm_up() -> None:
    """Compile or load the kernels once, for all that will be forked."""
    rows = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    JaccardDBSCAN(k1=8, k2=3)(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@dataclass
class Ending:
    """How a run ended.

    Args:
        codes: of its processes, as `subprocess` gives them; None: had to be killed at last.
        struck: whether the order was carried out.
        apart: whether one ended before it had met the others, so that a launcher had to end those.
        words: what they wrote.
    """

    codes: list[int | None]
    struck: bool
    apart: bool
    words: str = field(repr=False)

    @property
    def finished(self) -> bool:
        """Whether all went to the end."""
        return all(code == 0 for code in self.codes)


def train(
    words: Sequence[str],
    log: Path,
    order: Order | None = None,
    processes: int = 1,
    act: Callable[[], None] | None = None,
) -> Ending:
    """Run the command in so many processes until all have ended.

    Args:
        words: of the command line.
        log: what the processes say; the first one also leaves `<log>.json`, its phases.
        order: what happens to one of them.
        processes: that train together.
        act: carries the order out where it is no signal.
    """
    log.unlink(missing_ok=True)
    shared = {}
    if processes > 1:
        words = [*words, "--trainer.devices", str(processes), "--trainer.strategy", "ddp"]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    running, pipes = {}, []
    for rank in range(processes):
        own = {"LOCAL_RANK": str(rank), "NODE_RANK": "0"} if processes > 1 else {}
        mine = order if order is not None and order.rank == rank else None
        pid, pipe = fork(list(words), log, mine, shared | own)
        running[pid] = rank
        pipes.append(pipe)
    struck, apart, codes = watch(running, pipes, order, act)
    for pipe in pipes:
        os.close(pipe)
    signalled = any(code is not None and code != 0 for code in codes.values())
    text = log.read_text(errors="replace") if log.is_file() else ""
    ordered = [codes[rank] for rank in range(processes)]
    return Ending(ordered, struck or (signalled and order is not None), apart, text)


def watch(
    running: dict[int, int], pipes: list[int], order: Order | None, act: Callable[[], None] | None
) -> tuple[bool, bool, dict[int, int | None]]:
    """Wait for all processes (pid -> rank), and strike when it is time.

    Like every launcher, end those who wait for one that has gone before they met. Once they have
    met, nobody helps: they have to notice by themselves.

    Returns:
        Whether the order was carried out; whether somebody was helped; rank -> exit code.
    """
    codes: dict[int, int | None] = {}
    struck, apart, deadline = False, False, time.monotonic() + PATIENCE
    met: set[int] = set()
    strike = time.monotonic() + order.delay if order and order.phase == "any" else None
    victim = next((pid for pid, rank in running.items() if order and order.rank == rank), 0)
    while running:
        told, _, _ = select.select(pipes, [], [], 0.003)
        for pipe in told:
            heard = os.read(pipe, 64)
            if MET in heard:
                met.add(pipes.index(pipe))
            if STRIKE in heard and order:
                strike = time.monotonic() + order.delay
        if order and strike is not None and time.monotonic() >= strike and victim in running:
            strike, struck = None, True
            act() if act is not None else os.kill(victim, getattr(signal, order.action))
        for pid in list(running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                rank = running.pop(pid)
                codes[rank] = os.waitstatus_to_exitcode(status)
                deadline = min(deadline, time.monotonic() + FOLLOW)
                if running and rank not in met:
                    apart = True
                    for other in running:
                        os.kill(other, signal.SIGTERM)
        if time.monotonic() > deadline:
            for pid in list(running):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                codes[running.pop(pid)] = None
    return struck, apart, codes


def fork(words: list[str], log: Path, order: Order | None, variables: dict[str, str]) -> tuple:
    """Start one process; returns its id and where it says that it has entered a phase."""
    sys.stdout.flush()
    hear, say = os.pipe()
    os.set_blocking(hear, False)
    pid = os.fork()
    if pid:
        os.close(say)
        return pid, hear
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(variables)
        phases = Phases(order, lambda what: os.write(say, what))
        code = main(words)
        if variables.get("LOCAL_RANK", "0") == "0":
            phases.write(log.with_suffix(".json"))
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
