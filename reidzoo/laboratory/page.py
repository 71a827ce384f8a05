"""RESULTS.md: every recorded grid on one page, from the recorded files alone."""

from pathlib import Path
from typing import Any

from reidzoo.files import read_json
from reidzoo.laboratory.markdown import LEGEND, markdown

RECORDS, PAGE = "results", "RESULTS.md"  # in a folder of experiments
SAME = "not distinguishable from"
HEAD = """\
# Results

Made by `python -m reidzoo.compare --results experiments` from `results/*.json`; the command of each
comparison stands above its table, and goes on from what is finished. Rows of one table share the
protocol that is printed below it, or were told to differ; they are grouped by backbone and by what
cameras are used for.
"""


def page(folder: Path) -> str:
    """The page of a folder of experiments.

    >>> page(Path("/nowhere")).splitlines()[0]
    '# Results'
    """
    trees = [read_json(path) for path in sorted((folder / RECORDS).glob("*.json"))]
    if not trees:
        return HEAD
    legend = LEGEND.format(baseline="the row named in the head of the column")
    return "\n".join([HEAD, legend, "", *map(section, trees)])


def section(tree: dict[str, Any]) -> str:
    """One grid: its table, in words what it says, its picture."""
    name = tree["grid"]
    words = ["In words (of mAP):", "", *(f"- {sentence}" for sentence in verdicts(tree))]
    picture = f"![mAP of every row, a dot per seed]({RECORDS}/{name}.png)"
    return "\n".join([markdown(tree, "##", legend=""), *words, "", picture, ""])


def verdicts(tree: dict[str, Any]) -> list[str]:
    """Which rows are better than the baseline, worse, or not distinguishable from it.

    >>> row = {"name": "a", "against": {"value": 0.1, "low": 0.05, "high": 0.2}}
    >>> verdicts({"baseline": "b", "rows": [row]})
    ['better than b: a']
    """
    kinds: dict[str, list[str]] = {}
    for row in tree["rows"]:
        if against := row["against"]:
            higher, lower = against["low"] > 0, against["high"] < 0
            kind = "better than" if higher else "worse than" if lower else SAME
            kinds.setdefault(kind, []).append(row["name"])
    said = sorted(kinds.items())  # better, not distinguishable, worse
    return [f"{kind} {tree['baseline']}: {', '.join(rows)}" for kind, rows in said]
