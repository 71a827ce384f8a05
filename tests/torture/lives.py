"""Lives of runs: killed, resumed, killed again, until they end; then compared with a quiet one."""

import json
import os
import random
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture.outcome import differences, outcome
from tests.torture.phases import SIGNALS, Order
from tests.torture.victims import Ending, train

WAYS = {  # way -> options and processes
    "one process": (["--data.workers", "0"], 1),
    "two workers": (["--data.workers", "2"], 1),
    "two processes": (["--data.workers", "0"], 2),
}
EPOCHS = 4
SETTINGS = {
    "method": "hhcl",
    "method.network.width": 8,
    "data": "synthetic",
    "data.preset": "tiny",
    "data.height": 48,
    "data.width": 24,
    "data.batch_size": 32,
    "data.num_instances": 4,
    "data.batches": 4,
    "trainer.accelerator": "cpu",
    "evaluate.every": 1,
}
COMMAND = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]
STOPS = {"SIGKILL": {-9}, "SIGTERM": {143, -15}, "SIGINT": {130}}  # -15: before training begins
KILLS_IN_A_LIFE = 6
DISKS = ("full disk", "read-only disk")


@dataclass
class Tally:
    """What happened in all lives."""

    kills: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    resumes: int = 0
    anew: int = 0  # killed before the first checkpoint: begun again
    apart: int = 0  # of two processes one was killed before they had met
    escaped: int = 0  # orders that a run did not live to see, or that came too late
    lives: int = 0
    differences: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)  # other than differences


class Torturer:
    """Runs lives and keeps the tally.

    Args:
        folder: of everything; the drawn people of all lives lie there as well.
        seed: of all choices.
        report: takes one line about every life.
    """

    def __init__(self, folder: Path, seed: int, report: Callable[[str], None]) -> None:
        self.folder, self.report = folder, report
        self.random = random.Random(seed)
        self.tally = Tally()
        self.quiet: dict[str, dict[str, object]] = {}
        self.seconds: dict[str, dict[str, list[float]]] = {}
        os.environ["REIDZOO_CACHE"] = str(folder / "cache")

    def words(self, way: str, output: Path, epochs: int = EPOCHS) -> list[str]:
        """The command line of a run."""
        own = ["--trainer.max_epochs", str(epochs), "--output", str(output), "--resume", "auto"]
        return [*COMMAND, *WAYS[way][0], *own]

    def untouched(self, way: str) -> dict[str, object]:
        """What a run leaves that nobody disturbs."""
        if way not in self.quiet:
            output, log = self.folder / f"quiet, {way}", self.folder / f"quiet, {way}.txt"
            ending = train(self.words(way, output), log, processes=WAYS[way][1])
            if not ending.finished:
                raise RuntimeError(f"an undisturbed run failed:\n{ending.words[-3000:]}")
            self.quiet[way] = outcome(output)
            self.seconds[way] = json.loads(log.with_suffix(".json").read_text())
        return self.quiet[way]

    def live(
        self, way: str, orders: Callable[[], Order | None], disk: "Disk | None" = None
    ) -> None:
        """One run from its beginning to its end, by way of some kills."""
        self.untouched(way)
        self.tally.lives += 1
        output = disk.folder if disk else self.folder / f"life {self.tally.lives}"
        story = []
        while True:
            order = orders() if len(story) < KILLS_IN_A_LIFE else None
            ending = self.run(way, output, order, disk)
            if ending.finished:
                self.tally.escaped += order is not None
                break
            story.append(f"{order.action} in {order.phase}" if order else "nothing")
            if order is None or len(story) > KILLS_IN_A_LIFE:
                self.fault(way, order, ending, "does not go on")
                break
        self.compare(way, output, ", ".join(story))
        if disk is None:
            shutil.rmtree(output)

    def run(self, way: str, output: Path, order: Order | None, disk: "Disk | None") -> Ending:
        """One process, or two, from start or resume to an end of some kind."""
        log = self.folder / "run.txt"
        act = disk.strike(order) if disk and order and order.action in DISKS else None
        ending = train(self.words(way, output), log, order, WAYS[way][1], act)
        if disk:
            disk.mend()
        if "continuing" in ending.words:
            self.tally.resumes += 1
        elif "starting anew" in ending.words and list(output.glob("*/*")):
            self.tally.anew += 1
        if order is not None and not ending.finished:
            self.tally.kills[order.action] += 1
            self.tally.phases[order.phase] += 1
            self.tally.ways[way] += 1
            self.tally.apart += ending.apart
            self.check_end(way, order, ending)
        return ending

    def check_end(self, way: str, order: Order, ending: Ending) -> None:
        """The documented exit code, one line instead of a traceback, nobody left behind."""
        allowed = STOPS.get(order.action, {2})
        if ending.codes[order.rank] not in allowed:
            self.fault(way, order, ending, f"codes {ending.codes}, expected {allowed}")
        if None in ending.codes:
            self.fault(way, order, ending, "a process was left behind")
        if WAYS[way][1] == 1 and "Traceback" in ending.words:
            self.fault(way, order, ending, "a traceback")

    def fault(self, way: str, order: Order | None, ending: Ending, what: str) -> None:
        """Keep what went wrong, with the last words."""
        self.tally.faults.append(f"{way}, {order}: {what}; {ending.words[-1500:]}")

    def compare(self, way: str, output: Path, story: str) -> None:
        """Put what differs from the quiet run into the tally."""
        found = differences(self.untouched(way), outcome(output))
        self.tally.differences += [f"{way}, after {story}: {name}" for name in found]
        self.report(f"{way}: {story or 'nothing'}; {len(found)} differences")

    def random_order(self, way: str) -> Order:
        """A signal at a random moment of a random phase, or at any time at all."""
        choose = self.random
        phase = choose.choice([*self.seconds[way], "any"])
        signal, rank = choose.choice(SIGNALS), choose.randrange(WAYS[way][1])
        if phase == "any":
            total = sum(self.seconds[way]["step"]) * 3 + 2.0
            return Order(signal, phase, delay=choose.uniform(0, total), rank=rank)
        spent = self.seconds[way][phase]
        occurrence = choose.randint(1, max(1, -(-2 * len(spent) // EPOCHS)))
        moment = choose.choice(("entry", "inside", "inside", "exit"))
        delay = choose.uniform(0, max(spent)) if moment == "inside" else 0.0
        return Order(signal, phase, occurrence, moment, delay, rank)


class Disk:
    """A small disk of its own for a run, that can be filled and made read-only.

    Args:
        folder: where it is mounted.
        megabytes: its size.

    Raises:
        PermissionError: the system does not let us mount.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir()
        self.ballast = folder / "ballast"
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PermissionError(done.stderr.strip())

    def strike(self, order: Order) -> Callable[[], None]:
        """What carries the order out."""
        return self.fill if order.action == "full disk" else lambda: self.remount("ro")

    def fill(self) -> None:
        """Take all space that is left."""
        try:
            with self.ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * 4096)
                    file.flush()
        except OSError:
            pass

    def remount(self, mode: str) -> None:
        """Change between "ro" and "rw"; busy while a file is open for writing."""
        for _ in range(2000):
            command = ["mount", "-o", f"remount,{mode}", str(self.folder)]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return
        raise PermissionError(f"cannot remount {self.folder}")

    def mend(self) -> None:
        """Writable again, and with space."""
        self.remount("rw")
        self.ballast.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take it away."""
        subprocess.run(["umount", str(self.folder)], check=True)
