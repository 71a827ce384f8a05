"""The tally as a page of Markdown."""

from collections.abc import Mapping

from tests.torture.lives import Tally


def markdown(tally: Tally, about: Mapping[str, str]) -> str:
    """Counts first, then what they were counted on."""
    lines = [
        "# Killed and resumed",
        "",
        "Real training (`reidzoo.fit`, hhcl on tiny synthetic people, 4 epochs) is killed at",
        "random moments, goes on with `--resume auto`, is killed again, and at its",
        "end is compared with a run that nobody disturbed: every tensor and number of both",
        "checkpoints, curves, results, pseudo-labels, pictures, to the bit. Only times and places",
        "may differ.",
        "",
        "| | |",
        "|---|---:|",
        f"| runs | {tally.lives} |",
        f"| kills | {sum(tally.kills.values())} |",
        f"| resumes | {tally.resumes} |",
        f"| begun anew: killed before the first checkpoint | {tally.anew} |",
        f"| of two processes, one killed before they had met: its launcher ends the other"
        f" | {tally.apart} |",
        f"| orders that came too late: the run had ended | {tally.escaped} |",
        f"| **differences** | **{len(tally.differences)}** |",
        f"| wrong exit codes, tracebacks, processes left behind | {len(tally.faults)} |",
        "",
    ]
    for title, counts in (("by", tally.kills), ("during", tally.phases), ("with", tally.ways)):
        counted = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        lines.append(f"- {title}: {counted}")
    lines += ["", *(f"- {name}: {value}" for name, value in about.items()), ""]
    lines += [f"- DIFFERENT: {line}" for line in tally.differences]
    return "\n".join(lines).rstrip() + "\n"
