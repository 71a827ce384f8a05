"""A comparison as Markdown, from its JSON alone: the table, its legend, its protocol."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from reidzoo.laboratory.agreement import by_value, group_of
from reidzoo.laboratory.statistics import mean_and_spread

Tree = dict[str, Any]

COLUMNS = {  # head of a column that any row fills -> figure, and what it is multiplied by
    "mAP": ("mAP", 100),
    "R1": ("R1", 100),
    "ARI": ("ARI", 100),
    "label-free mAP": ("label-free mAP", 100),
    "best mAP (oracle)": ("best mAP", 100),
    "seconds": ("seconds", 1),
}
UNKNOWN = "unknown"
# What rows and groups say already:
GROUPED = (
    "method",
    "seed",
    "labels",
    "cameras.sampler",
    "cameras.clustering",
    "cameras.loss",
)
LEGEND = """\
mAP and R1 in per cent, of the last epoch, single query, images of the query's own camera left \
out; ARI in per cent, agreement of the last pseudo-labels with the identities; label-free mAP is \
of the epoch that `--evaluate.selection` chose without identities, where a grid asks for one; \
best mAP is of the epoch that the test set itself would choose, an oracle that decides nothing; \
seconds of training on the machine that did it. Mean ± sample standard deviation over seeds. The \
last column is the difference in mAP from {baseline}, with a 95 % interval: a paired bootstrap \
over queries, to which Welch's t over seeds is added where both rows have several. With one seed \
it speaks of two networks, not of two methods. Intervals are not corrected for the number of \
rows."""


def markdown(tree: Tree, heading: str = "#", legend: str = LEGEND) -> str:
    """The table with its legend, its protocol, and which rows are incomplete.

    Args:
        tree: what `table.as_json` made.
        heading: how the title begins.
        legend: the words below the table.
    """
    columns = filled(tree["rows"])
    head = ["", "seeds", *columns, f"against {tree['baseline']}"]
    lines = [f"{heading} {tree['grid']}: {tree['data']}", ""]
    lines += [tree["about"], ""] if tree["about"] else []
    lines += [f"`{tree['command']}`", ""]
    lines += [f"| {' | '.join(head)} |", f"|---|---:|{'---:|' * len(columns)}---|"]
    for group, rows in groupby(tree["rows"], key=lambda row: group_of(row["protocol"])):
        lines.append(f"| *{group}* |{' |' * (len(head) - 1)}")
        lines += [line(row, len(tree["seeds"]), columns) for row in rows]
    if legend:
        lines += ["", legend.format(baseline=tree["baseline"])]
    if said := [pair for pair in tree.get("pairs", []) if "verdict" in pair]:
        lines += ["", "Also compared:", ""]
        lines += ["- {} against {}: {}".format(*pair["rows"], pair["verdict"]) for pair in said]
    lines += ["", *protocol_lines(tree["rows"])]
    if incomplete := [row for row in tree["rows"] if row["missing"]]:
        words = (
            f"{row['name']} (seed {', '.join(map(str, row['missing']))})" for row in incomplete
        )
        lines += ["", f"**Incomplete**, not finished yet: {'; '.join(words)}."]
    return "\n".join(lines) + "\n"


def filled(rows: Iterable[Tree]) -> dict[str, tuple[str, int]]:
    """The columns in which at least one row has a figure.

    >>> list(filled([{"values": {"mAP": [0.5]}}]))
    ['mAP']
    """
    known = {figure for row in rows for figure, values in row["values"].items() if values}
    return {head: column for head, column in COLUMNS.items() if column[0] in known}


def line(row: Tree, seeds: int, columns: dict[str, tuple[str, int]]) -> str:
    """One row of the table."""
    count = str(len(row["seeds"]) or "")
    count = f"{len(row['seeds'])} of {seeds}" if row["missing"] else count
    cells = [show(row["values"].get(figure, []), scale) for figure, scale in columns.values()]
    return f"| {' | '.join([row['name'], count, *cells, row.get('verdict', '')])} |"


def show(values: list[float], scale: int) -> str:
    """Mean and spread as text.

    >>> show([0.5, 0.7], 100), show([0.5], 100), show([], 100)
    ('60.0 ± 14.1', '50.0', '')
    """
    if not values:
        return ""
    mean, spread = mean_and_spread([scale * value for value in values])
    digits = 1 if scale == 100 else 0
    return f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if spread is not None else "")


def protocol_lines(rows: Iterable[Tree]) -> list[str]:
    """What all finished runs share, what differs, and what nobody knows of some."""
    trained = [row for row in rows if row["seeds"] and row["protocol"]["epochs"] != 0]
    stamps = {row["name"]: row["protocol"] for row in trained}
    fields = dict.fromkeys(field for stamp in stamps.values() for field in stamp)
    same, differing = [], []
    unknown: dict[str, list[str]] = {}
    for field in (field for field in fields if field not in GROUPED):
        values: dict[str, list[str]] = {}
        for row, stamp in stamps.items():
            if field in stamp:
                values.setdefault(as_words(stamp[field]), []).append(row)
        if missing := values.pop(UNKNOWN, None):
            unknown.setdefault(", ".join(missing), []).append(field)
        if len(values) > 1:
            differing.append(f"- {field} differs: {by_value(values)}")
        elif values:
            same.append(f"{field} {next(iter(values))}")
    nobody = [f"- unknown: {', '.join(names)} ({who})" for who, names in unknown.items()]
    return [f"**Protocol** of the trained rows: {'; '.join(same)}.", "", *differing, *nobody]


def as_words(value: Any) -> str:
    """A value of a stamp as text.

    >>> as_words(None), as_words(True), as_words([1, 2]), as_words("64 x 32")
    ('unknown', 'yes', '1, 2', '64 x 32')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(as_words, value))
    if value is None or isinstance(value, bool):
        return {None: UNKNOWN, True: "yes", False: "no"}[value]
    return str(value)
