"""What a figure was measured on, and how: the processor, versions, CPU seconds, peak memory."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numba
import torch

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cost:
    """Medians over the rounds."""

    cpu_seconds: float
    wall_seconds: float


def describe_processor() -> str:
    """Name the processor as the system does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def describe_load() -> str:
    """Tell how many processes wanted a core in the last minute."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def describe_versions(*packages: str) -> str:
    """List Python's version and those of installed packages.

    >>> describe_versions("numpy").startswith("Python 3")
    True
    """
    found = [f"{package} {version(package)}" for package in packages]
    return ", ".join([f"Python {platform.python_version()}", *found])


def time_in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Cost]:
    """Time each way `rounds` times, one after the other in turns; medians."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            spent[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    return {
        name: Cost(*(statistics.median(kind) for kind in zip(*costs, strict=True)))
        for name, costs in spent.items()
    }


def in_fresh_process(call: Callable[..., Result], *arguments: Any) -> Result:
    """Run a function of a module in a new process and hand back its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def peak_megabytes(way: Callable[[], object]) -> float:
    """Call it, and tell how far memory rose above what was in use before (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = resident_megabytes("VmRSS")
    way()
    return resident_megabytes("VmHWM") - before


def resident_megabytes(field: str = "VmRSS") -> float:
    """Megabytes of one line of /proc/self/status (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1000


@contextmanager
def threads(count: int = 1) -> Iterator[None]:
    """Pin torch and the compiled kernels to so many threads for a while."""
    before = torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    torch.set_num_threads(count)
    numba.config.NUMBA_NUM_THREADS = count  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        numba.config.NUMBA_NUM_THREADS = before[1]  # type: ignore[attr-defined]
