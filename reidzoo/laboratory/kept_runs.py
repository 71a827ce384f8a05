"""Finished runs as lines of JSON, small enough to be committed: one grid, one file.

A line holds what a table needs of a run, to the last digit: its results, the average precision of
every query, its stamp. With such a file a grid goes on where another machine has stopped, and its
statistics can be computed anew. A run that should be made again is a line to be removed.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from reidzoo.errors import UserError
from reidzoo.files import write_text
from reidzoo.laboratory.protocol import Protocol
from reidzoo.laboratory.runs import Run


def write_kept(path: Path, runs: Mapping[str, Run]) -> None:
    """Write cell folder -> run, sorted, a line each."""
    lines = [json.dumps({"cell": cell} | as_tree(runs[cell])) for cell in sorted(runs)]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_kept(path: Path) -> dict[str, Run]:
    """Cell folder -> run; empty without a file.

    Raises:
        UserError: a line that is no run.

    >>> read_kept(Path("/nowhere/grid.jsonl"))
    {}
    """
    found = {}
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            tree = json.loads(line)
            precisions = tree["precisions"]
            found[str(tree["cell"])] = Run(
                dict(tree["results"]),
                None if precisions is None else np.array(precisions, dtype=np.float64),
                Protocol.from_tree(tree["protocol"], f"{path} line {number}"),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} line {number}: no finished run ({error!r:.80})") from error
    return found


def as_tree(run: Run) -> dict[str, object]:
    """A run as plain values; a query without a right answer has no average precision (null)."""
    kept = None if run.precisions is None else [number(ap) for ap in run.precisions.tolist()]
    return {"results": run.results, "precisions": kept, "protocol": run.protocol.tree()}


def number(value: float) -> float | None:
    """The value, None for NaN, which JSON does not know."""
    return None if math.isnan(value) else value
