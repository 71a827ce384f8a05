"""The tables of a report: headline figures, results, cards and settings side by side."""

from collections.abc import Mapping
from html import escape
from typing import Any

from reidzoo.visual.report_curves import duration

KINDS = {
    "untrained": "untrained",
    "last": "last epoch",
    "label_free": "epoch chosen without labels",
    "best": "best epoch*",
}
SCORES = {"mAP": "mAP", "cmc1": "R1", "cmc5": "R5", "cmc10": "R10", "mINP": "mINP"}
ABOUT = ("clusters", "ARI", "time")
MISSING = "-"


def tiles(results: Mapping[str, Any]) -> str:
    """The figures that one looks for first, large; those that are not known are left out.

    >>> tiles({"last": {"epoch": 2, "mAP": 0.5, "cmc1": 0.7}}).count("<strong>")
    2
    """
    found: list[tuple[str, str, str]] = []
    last, best, cluster = (results.get(key, {}) for key in ("last", "best", "cluster"))
    for key in ("mAP", "cmc1"):
        if key in last:
            beside = f"best epoch {100 * best[key]:.1f}" if key in best else ""
            found.append((f"{SCORES[key]}, last epoch", f"{100 * last[key]:.1f} %", beside))
    if "count" in cluster:
        outside = f"{cluster.get('outlier_share', 0):.0%} of images outside"
        found.append(("clusters", f"{cluster['count']:,.0f}", outside))
    if "ari" in cluster:
        nmi = f"NMI {cluster['nmi']:.2f}" if "nmi" in cluster else ""
        found.append(("ARI with identities", f"{cluster['ari']:.2f}", nmi))
    if spent := _seconds(results):
        found.append(("time", duration(spent), f"{results.get('epochs', 0)} epochs"))
    cells = "".join(
        f"<div><span>{escape(label)}</span><strong>{escape(value)}</strong>"
        f"<small>{escape(beside)}</small></div>"
        for label, value, beside in found
    )
    return f'<div class="tiles">{cells}</div>' if cells else ""


def results_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Untrained, last and best figures of each run in percent, and what its clusters were.

    The highest figure of a column among last epochs, and among best ones, is bold if there are
    several runs.
    """
    if not any(kind in run for run in results.values() for kind in KINDS):
        return ""
    several = len(results) > 1
    heads = ["", "epoch", *SCORES.values(), *(ABOUT if several else ())]
    head = "".join(f"<th>{word}</th>" for word in heads)
    body = []
    for name, run in results.items():
        if several:
            body.append(f'<tr class="run"><th colspan="{len(heads)}">{escape(name)}</th></tr>')
        for kind in KINDS:
            if kind in run:
                rivals = [other[kind] for other in results.values() if kind in other]
                compared = rivals if several and kind != "untrained" else []
                about = _about(run, kind) if several else []
                body.append(_row(kind, run[kind], compared, about))
    starred = any("best" in run for run in results.values())
    note = "* chosen by its score on the test set: an optimistic figure" if starred else ""
    return (
        f'<div class="scroll"><table class="numbers"><thead><tr>{head}</tr></thead>'
        f'<tbody>{"".join(body)}</tbody></table></div><p class="dim">{note}</p>'
    )


def facts_table(runs: Mapping[str, Mapping[str, str]]) -> str:
    """The cards of several runs, one column each; rows in which they differ stand out."""
    keys = list(dict.fromkeys(key for facts in runs.values() for key in facts))
    return _columns(
        list(runs), {key: [facts.get(key, "") for facts in runs.values()] for key in keys}
    )


def differences_table(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """The settings in which runs differ, one column per run; empty if there are none.

    >>> differences_table({"a": {"seed": 1, "lr": 2}, "b": {"seed": 3, "lr": 2}}).count("<tr")
    2
    """
    keys = list(dict.fromkeys(key for settings in runs.values() for key in settings))
    rows = {key: [str(settings.get(key, MISSING)) for settings in runs.values()] for key in keys}
    differing = {key: values for key, values in rows.items() if len(set(values)) > 1}
    return _columns(list(runs), differing) if differing else ""


def _columns(names: list[str], rows: Mapping[str, list[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("", *names))
    body = "".join(
        f'<tr class="{"differs" if len(set(values)) > 1 else "same"}"><th>{escape(key)}</th>'
        + "".join(f"<td>{escape(value)}</td>" for value in values)
        + "</tr>"
        for key, values in rows.items()
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _row(
    kind: str, scores: Mapping[str, Any], rivals: list[Mapping[str, Any]], about: list[str]
) -> str:
    cells = [f"<th>{KINDS[kind]}</th>", f"<td>{scores.get('epoch', 0):.0f}</td>"]
    cells += [_cell(scores.get(key), [rival.get(key) for rival in rivals]) for key in SCORES]
    cells += [f"<td>{text}</td>" for text in about]
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def _cell(value: float | None, rivals: list[float | None]) -> str:
    if value is None:
        return f"<td>{MISSING}</td>"
    text = f"{100 * value:.1f}"
    first = bool(rivals) and value == max(rival for rival in rivals if rival is not None)
    return f"<td><b>{text}</b></td>" if first else f"<td>{text}</td>"


def _about(run: Mapping[str, Any], kind: str) -> list[str]:
    """What is known of the end of a run."""
    if kind != "last":
        return [""] * len(ABOUT)
    cluster, spent = run.get("cluster", {}), _seconds(run)
    return [
        f"{cluster['count']:,.0f}" if "count" in cluster else MISSING,
        f"{cluster['ari']:.2f}" if "ari" in cluster else MISSING,
        duration(spent) if spent else MISSING,
    ]


def _seconds(results: Mapping[str, Any]) -> float:
    seconds = dict(results.get("seconds", {}))
    return float(seconds.pop("epoch", sum(seconds.values())))
