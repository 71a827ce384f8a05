"""Fuzz with a budget and record the counts: `python experiments/robustness/fuzz.py 20`."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
HEAD = """# What may come in

`python experiments/robustness/fuzz.py {budget}` ({seconds:.0f} s, hypothesis; CI runs budget 1, the
same cases every time). Each case either works or is refused in one clear line; a traceback, a hang,
or a line with control characters fails the test that found it. The cases: `tests/fuzz/`.

| input | cases | worked | refused in one line | anything else |
|---|---:|---:|---:|---:|
"""


def main(budget: str = "20") -> int:
    """Run the tests; write the table if all of them pass."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts.json")
        environment = os.environ | {"FUZZ": budget, "FUZZ_COUNTS": str(counts)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/fuzz"]
        command += ["-o", "timeout=0"]
        done = subprocess.run(command, cwd=HERE.parents[1], env=environment, check=False)
        if done.returncode:
            return done.returncode
        areas = json.loads(counts.read_text())
    rows, totals = [], [0, 0]
    for area, outcome in sorted(areas.items()):
        worked, refused = outcome.get("worked", 0), outcome.get("refused in one line", 0)
        rows.append(f"| {area} | {worked + refused:,} | {worked:,} | {refused:,} | 0 |")
        totals = [totals[0] + worked, totals[1] + refused]
    rows.append(f"| all | {sum(totals):,} | {totals[0]:,} | {totals[1]:,} | 0 |")
    head = HEAD.format(budget=budget, seconds=time.monotonic() - started)
    (HERE / "fuzz.md").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
