"""What a run is doing: its phases, found by wrapping the functions that they consist of."""

import functools
import importlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PHASES = {  # phase -> module, and the function or method that is all of it
    "drawing": ("reidzoo.data.cache", "build_once"),
    "reading": ("reidzoo.cli.session", "make_and_read"),
    "meeting": ("pytorch_lightning.strategies", "DDPStrategy.setup_environment"),
    "loading": ("pytorch_lightning.plugins", "TorchCheckpointIO.load_checkpoint"),
    "extraction": ("reidzoo.callbacks.cluster", "extract_records"),
    "clustering": ("reidzoo.methods.hhcl", "HHCL.pseudo_label"),
    "refresh": ("reidzoo.methods.hhcl", "HHCL.refresh"),
    "step": ("reidzoo.methods.base", "Method.training_step"),
    "memory": ("reidzoo.methods.base", "Method.on_after_backward"),
    "evaluation": ("reidzoo.callbacks.evaluation", "EvaluationCallback._evaluate"),
    "results": ("reidzoo.callbacks.run_files", "RunFiles.on_train_epoch_end"),
    "pictures": ("reidzoo.callbacks.run_files", "RunFiles._draw"),
    "curves": ("reidzoo.cli.metrics_file", "MetricsFile.write"),
    "checkpoint": ("reidzoo.cli.checkpoints", "AtomicCheckpoints.save_checkpoint"),
    "flush": ("reidzoo.files", "_flush"),
    "rename": ("pathlib", "Path.replace"),
}
STRIKE, MET = b"!", b"m"  # what a process tells
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")


@dataclass(frozen=True)
class Order:
    """What shall happen to a run, and when.

    Args:
        action: one of SIGNALS, or "full disk" or "read-only disk".
        phase: one of PHASES; "any" is a time after the start.
        occurrence: the first, second, ... time that the process enters the phase.
        moment: "entry" and "exit" are exact; "inside" is `delay` seconds after the entry.
        delay: seconds.
        rank: of the process, where several train together.
    """

    action: str
    phase: str
    occurrence: int = 1
    moment: str = "inside"
    delay: float = 0.0
    rank: int = 0


class Phases:
    """Wraps all phases of this process; counts, times and, at its moment, obeys the order.

    Args:
        order: None only to watch.
        tell: called with STRIKE at the entry for an order that somebody else carries out, with MET
            when this process has met the others of its run.
    """

    def __init__(self, order: Order | None, tell: Callable[[bytes], Any]) -> None:
        self.order, self.tell = order, tell
        self.seconds: dict[str, list[float]] = {}
        for phase, (module, name) in PHASES.items():
            owner = importlib.import_module(module)
            *parents, last = name.split(".")
            for parent in parents:
                owner = getattr(owner, parent)
            setattr(owner, last, self._wrap(phase, getattr(owner, last)))

    def write(self, path: Path) -> None:
        """Leave the seconds of all phases."""
        path.write_text(json.dumps(self.seconds))

    def _wrap(self, phase: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            spent = self.seconds.setdefault(phase, [])
            place = len(spent)
            spent.append(0.0)
            due = (
                self.order is not None
                and self.order.phase == phase
                and self.order.occurrence == len(spent)
            )
            if due:
                self._obey("entry")
            started = time.perf_counter()
            result = function(*arguments, **options)
            spent[place] = time.perf_counter() - started
            if due:
                self._obey("exit")
            if phase == "meeting":
                self.tell(MET)
            return result

        return wrapped

    def _obey(self, moment: str) -> None:
        assert self.order is not None
        if self.order.moment == moment:
            os.kill(os.getpid(), getattr(signal, self.order.action))
        elif self.order.moment == "inside" and moment == "entry":
            self.tell(STRIKE)
