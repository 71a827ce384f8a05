"""`python -m tests.torture --kills 50`: kill training at so many moments, resume, compare."""

import argparse
import itertools
import json
import platform
import shutil
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from reidzoo.benchmarks.machine import describe_load, describe_processor, describe_versions
from reidzoo.files import write_text
from tests.torture.lives import DISKS, WAYS, Disk, Torturer
from tests.torture.phases import Order
from tests.torture.report import markdown
from tests.torture.victims import warm_up

TURNS = ("one process", "two processes", "two workers", "two processes")


def main() -> int:
    """Run the command line; returns 0 where nothing was lost."""
    parser = argparse.ArgumentParser("tests.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="at least so many")
    parser.add_argument("--disks", type=int, default=6, help="lives on a failing disk")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, metavar="FILE", help="Markdown for the figures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures as they are")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    started = time.monotonic()
    warm_up()
    torturer = Torturer(folder, asked.seed, lambda line: print(line, flush=True))
    tally = torturer.tally
    for way in itertools.cycle(TURNS):
        if sum(tally.kills.values()) >= asked.kills:
            break
        torturer.untouched(way)
        torturer.live(way, lambda way=way: torturer.random_order(way))
    skipped = torment_disks(torturer, asked.disks)
    about = {
        "command": f"python -m tests.torture --kills {asked.kills} --seed {asked.seed}",
        "machine": describe_processor(),
        "load": describe_load(),
        "versions": describe_versions("torch", "pytorch-lightning", "numpy"),
        "system": platform.platform(),
        "date": date.today().isoformat(),
        "minutes": f"{(time.monotonic() - started) / 60:.1f}",
        "disks": skipped or "a tmpfs of 12 MB",
    }
    text = markdown(tally, about)
    print(text)
    if asked.record:
        write_text(asked.record, text)
    if asked.json:
        write_text(asked.json, json.dumps(vars(tally) | about, indent=2) + "\n")
    for fault in tally.faults:
        print(f"FAULT {fault}\n", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    return int(bool(tally.differences or tally.faults))


def torment_disks(torturer: Torturer, lives: int) -> str:
    """Fill the disk, or make it read-only, in the middle of runs; returns why not, or nothing."""
    phases = ["step", "clustering", "evaluation", "results", "checkpoint", "extraction"]
    for number in range(lives):
        try:
            disk = Disk(torturer.folder / f"disk {number}", megabytes=12)
        except (PermissionError, FileNotFoundError) as error:
            return f"not tried, no right to mount a disk here ({error})"
        action = DISKS[number % len(DISKS)]
        orders = iter([Order(action, torturer.random.choice(phases), 2 + number), None])
        try:
            torturer.live("one process", lambda: next(orders), disk)  # noqa: B023
        finally:
            disk.remove()
    return ""


if __name__ == "__main__":
    assert set(TURNS) == set(WAYS)
    sys.exit(main())
