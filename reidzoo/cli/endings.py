"""How a run of several processes ends before its time, since one of them has failed.

All of them end, within seconds, with one exit code, and one says why. Left alone, the others would
wait in a collective for a rank that will never come, until its time-out.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from typing import Any

import pytorch_lightning as pl

from reidzoo import distributed
from reidzoo.cli.errors import MISTAKE, PATIENCE, RESUME, Terminated, outcome
from reidzoo.cli.processes import disarm_observer, started_by
from reidzoo.cli.runs import process_rank
from reidzoo.errors import ELSEWHERE, EVERYWHERE

BEAT = 0.25  # seconds between two signs of life
GRACE = 10.0  # seconds to close everything once the end is known
ENDING, ALIVE, LEFT = "reidzoo/ending", "reidzoo/alive", "reidzoo/left"  # keys of the store
STARTER = "REIDZOO_STARTER"  # environment variable: id of the process that starts the others


@dataclass(frozen=True)
class Ending:
    """Why all processes end.

    Args:
        code: exit code of every process.
        words: what the user reads, once; empty when it has been said.
    """

    code: int
    words: str


class EndTogether(pl.Callback):
    """Where one process of a run fails, all of them end, and the first cause is told once.

    The processes share the store of their group. A thread of each gives a sign of life there, and
    looks whether somebody has left an ending; it then interrupts the main thread, and ends the
    process if that hangs in a collective.
    """

    def __init__(self) -> None:
        self._store: Any = None
        self._ending: Ending | None = None
        self._choosing = threading.Lock()
        self._closing = False  # the main thread is on its way out
        self._over = threading.Event()

    @contextmanager
    def watching(self, trainer: pl.Trainer) -> Iterator[None]:
        """Around `trainer.fit`.

        Raises:
            SystemExit: with the exit code of all processes; what there was to say has been said.
        """
        if not several(trainer):
            yield
            return
        watcher = threading.Thread(target=self._watch, args=[trainer], daemon=True)
        watcher.start()
        failure: BaseException | None = None
        try:
            with starting_others(trainer):
                yield
            self._over.set()
            watcher.join(GRACE)  # left inside the store, it would abort the interpreter at its end
        except BaseException as error:
            failure = error
        self._close(trainer, failure)
        if self._ending is not None:
            raise SystemExit(self._ending.code) from None  # it says all, whatever came before

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Tell the others before anything is closed, which may take its time."""
        if several(trainer):
            self.settle(exception)

    def settle(self, error: BaseException) -> None:
        """Find the first cause, which may be another rank's, and tell it if nobody has.

        A rank may have failed only because another did: a collective breaks, a launcher ends
        everybody. Such a rank waits for the cause to be named. So does every rank but 0, since
        a mistake may be everybody's, and rank 0 is then the one that names it.
        """
        self._closing = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if self._ending is not None:
            return
        with suppress(RuntimeError):  # the thread may not have begun yet
            self._store = self._store or distributed.open_store()
        rank, before = own_rank(), self._signs()
        victim = isinstance(error, RuntimeError | SystemExit | KeyboardInterrupt)
        victim = victim or ELSEWHERE in notes(error)
        deadline = time.monotonic() + PATIENCE * (victim + (rank > 0))
        while not self._heard() and time.monotonic() < deadline:
            time.sleep(BEAT)
        lost = [other for other, sign in self._signs().items() if sign == before.get(other)]
        if victim and lost:
            self._end(silent(lost[0]))
        else:
            self._end(ending_of(rank, error))

    def _close(self, trainer: pl.Trainer, failure: BaseException | None) -> None:
        """Settle a failure, see the others off; SIGTERM may arrive between any two lines."""
        try:
            if failure is not None:
                self.settle(failure)  # again: Lightning has restored the signal handlers
            self._see_off(trainer)
        except Terminated as late:  # of the thread, or of a launcher, while this one was closing
            self._close(trainer, failure or late)

    def _watch(self, trainer: pl.Trainer) -> None:
        while not self._over.wait(BEAT):
            disarm_observer()
            self._store = self._store or distributed.open_store()
            ending = self._heard() or fallen(trainer) or orphaned()
            if ending is None and not self._give_sign() and not self._over.wait(GRACE):
                ending = silent(0)  # it kept the store
            if ending is not None:
                self._end(ending)
                self._last_sign()
                self._leave(trainer)
        self._last_sign()

    def _end(self, ending: Ending) -> None:
        """Agree with the other ranks on the first ending; whoever brought it tells it."""
        with self._choosing:
            if self._ending is not None:
                return
            self._ending = ending
            if self._store is not None:
                mine = json.dumps([own_rank(), *astuple(ending)])
                with suppress(RuntimeError):
                    first = self._store.compare_set(ENDING, "", mine).decode()
                    if first != mine:
                        self._ending = Ending(*json.loads(first)[1:])
                        return
            if ending.words:
                sys.stderr.write(f"reidzoo: {ending.words}\n")
                sys.stderr.flush()

    def _leave(self, trainer: pl.Trainer) -> None:
        """Give the main thread some time, then end the process, wherever it is."""
        assert self._ending is not None
        begun = signal.getsignal(signal.SIGTERM) != signal.SIG_DFL  # else nothing to be closed
        if begun and not self._closing:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        if begun or self._closing:
            time.sleep(GRACE)
        for process in started_by(trainer):
            process.kill()
        os._exit(self._ending.code)

    def _heard(self) -> Ending | None:
        """The ending, if there is one already, here or at another rank."""
        with self._choosing, suppress(RuntimeError):  # without a store there is nothing to hear
            if self._ending is None and self._store is not None and self._store.check([ENDING]):
                self._ending = Ending(*json.loads(self._store.get(ENDING))[1:])
        return self._ending

    def _give_sign(self) -> bool:
        try:
            if self._store is not None:
                self._store.add(f"{ALIVE}/{distributed.rank()}", 1)
        except RuntimeError:
            return False
        return True

    def _last_sign(self) -> None:
        with suppress(RuntimeError):
            if self._store is not None:
                self._store.delete_key(f"{ALIVE}/{distributed.rank()}")
                self._store.set(f"{LEFT}/{distributed.rank()}", "")

    def _see_off(self, trainer: pl.Trainer) -> None:
        """Rank 0 keeps the store, and its process is what the user waits for: it leaves last."""
        deadline = time.monotonic() + GRACE
        while own_rank() == 0 and self._stay() and time.monotonic() < deadline:
            time.sleep(BEAT)
        deadline = time.monotonic() + GRACE
        for process in started_by(trainer):
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()

    def _stay(self) -> bool:
        """Whether other ranks may still ask the store: they have not left, and are not lost."""
        if self._store is None or self._ending is None:
            return bool(self._signs())
        gone = [f"{LEFT}/{other}" for other in range(1, distributed.world_size())]
        with suppress(RuntimeError):
            return not self._store.check(gone)
        return False

    def _signs(self) -> dict[int, int]:
        """How often each other rank has given a sign of life; those that have yet to are left out.

        Without a store that is rank 0, which kept it, and never.
        """
        if self._store is None:
            return {}
        others = set(range(distributed.world_size())) - {distributed.rank()}
        try:
            signs = {other: self._store.add(f"{ALIVE}/{other}", 0) for other in sorted(others)}
        except RuntimeError:
            return {0: 0}
        return {other: sign for other, sign in signs.items() if sign}


def several(trainer: pl.Trainer) -> bool:
    """Whether the run has more than one process."""
    return trainer.num_devices * trainer.num_nodes > 1


@contextmanager
def starting_others(trainer: pl.Trainer) -> Iterator[None]:
    """Around what makes Lightning start processes for the other devices: they can tell by whom."""
    if trainer.local_rank > 0:
        yield
        return
    os.environ[STARTER] = str(os.getpid())
    try:
        yield
    finally:
        os.environ.pop(STARTER, None)


def orphaned() -> Ending | None:
    """What it means when the process is gone that started this one for another device.

    A sign of life would be missed only where the processes have met. On its way there a rank
    whose rank 0 was killed would wait for it until a time-out, half an hour.
    """
    known = {str(os.getpid()), str(os.getppid())}
    return silent(0) if os.environ.get(STARTER) not in {None, *known} else None


def own_rank() -> int:
    """Rank in the group of processes; before there is one, what the launcher says."""
    return distributed.rank() if distributed.is_distributed() else process_rank()


def ending_of(rank: int, error: BaseException) -> Ending:
    """What an error of a rank means; a failure that is not the user's keeps its traceback."""
    found = outcome(error)
    if found is None:
        trace = "".join(traceback.format_exception(error)).rstrip()
        return Ending(1, f"rank {rank} failed:\n{trace}")
    code, words = found
    alone = code == MISTAKE and EVERYWHERE not in notes(error)
    return Ending(code, f"rank {rank}: {words}" if alone else words)


def notes(error: BaseException) -> list[str]:
    """What has been added to an error on its way."""
    return getattr(error, "__notes__", [])


def silent(rank: int) -> Ending:
    """What it means when a rank gives no more signs of life."""
    return Ending(1, f"rank {rank} does not answer any more (killed, or out of memory?); {RESUME}")


def fallen(trainer: pl.Trainer) -> Ending | None:
    """How a process that Lightning has started failed, where it could not say so itself."""
    for rank, process in enumerate(started_by(trainer), trainer.global_rank + 1):
        code = process.poll()
        if code and code > 0:  # it has said why
            return Ending(code, "")
        if code:
            name = signal.Signals(-code).name
            return Ending(1, f"rank {rank} was ended by {name} (out of memory?); {RESUME}")
    return None
