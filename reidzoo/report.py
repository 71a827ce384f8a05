"""One HTML page about one or several runs: `python -m reidzoo.report RUN... -o report.html`.

Card, results, curves, searches, clusters, maps, configuration, and the command that reproduces it.
The page holds everything that it shows, pictures of the run's people included: think before you
pass it on, or make it with --no_pictures.
"""

import sys
from collections.abc import Sequence

from reidzoo.cli import errors
from reidzoo.cli.arguments import Arguments, existing, output, take_section
from reidzoo.cli.request import check_paths


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: report(words), advice="nothing was written")


def report(argv: Sequence[str]) -> None:
    """Understand the command line, then read, extract, write."""
    options, words = take_section(argv, "data")
    parser = Arguments("report", str(__doc__))
    parser.add_argument("runs", metavar="RUN", nargs="+", help="folder of a run")
    parser.add_argument(
        "-o", "--output", default="report.html", metavar="FILE", help="the page [report.html]"
    )
    parser.add_argument("--no_pictures", action="store_true", help="tables and curves only")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... [auto]")
    parser.epilog = "--data.OPTION as in reidzoo.fit, where the data have moved: --data.root DIR"
    asked = parser.parse_args(words)
    for run in asked.runs:
        existing(run, run)
    check_paths((), options)
    page = output(asked.output, "-o", [".html"])
    from reidzoo.cli.reporting import run_report

    run_report(asked, options, page)


if __name__ == "__main__":
    sys.exit(main())
