"""What may become of any input: it works, or it is refused in one line; never anything else."""

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hypothesis import HealthCheck, settings

from reidzoo.cli.errors import mistake

HANG = 60  # seconds that no single case can need
OUTCOMES: defaultdict[str, Counter[str]] = defaultdict(Counter)  # area -> worked, refused


BUDGET = int(os.environ.get("FUZZ", "1"))  # times as many cases; 1 has the same ones every time


def cases(count: int) -> settings:
    """So many cases, times the budget."""
    return settings(
        max_examples=count * BUDGET,
        derandomize=BUDGET == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def settles(area: str, call: Callable[[], object]) -> str | None:
    """Call; the one line it was refused with, None if it worked. A traceback is a defect."""
    try:
        with no_hang():
            call()
    except Exception as error:
        line = mistake(error)
        if line is None:
            raise
        assert line.strip()
        assert line.isprintable(), line
        OUTCOMES[area]["refused in one line"] += 1
        return line
    except SystemExit as end:  # argparse prints its help and leaves
        if end.code:
            raise
    OUTCOMES[area]["worked"] += 1
    return None


@contextmanager
def no_hang() -> Iterator[None]:
    """Turn a case that never ends into a failure."""

    def give_up(number: int, frame: object) -> None:
        raise AssertionError(f"hangs: not done after {HANG} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANG)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
