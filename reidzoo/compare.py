"""Compare rows of options over seeds: `python -m reidzoo.compare GRID.yaml --jobs 2`.

Every row of the grid is trained with every seed by `python -m reidzoo.fit`. A finished run is
skipped, also one that `--record` finds in its folder, and an unfinished one continued, so a grid
may be stopped and started again. The table says of every row whether it is different from the
baseline or not distinguishable from it.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from reidzoo.cli import errors
from reidzoo.cli.arguments import Arguments, existing, positive
from reidzoo.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: compare(words), advice="the same command goes on from here")


def compare(argv: Sequence[str]) -> None:
    """Understand the command line, then run the grid."""
    parser = Arguments("compare", str(__doc__))
    parser.add_argument(
        "grid", metavar="GRID.yaml", nargs="?", help="rows, seeds and options, see README"
    )
    parser.add_argument("--output", default="runs/compare", help="folder of runs and tables")
    parser.add_argument("--jobs", type=positive, default=1, help="runs at a time")
    parser.add_argument("--table", action="store_true", help="only the table of what is finished")
    parser.add_argument(
        "--record",
        metavar="FOLDER",
        help="keep figures, page and finished runs there, and use the runs that it has",
    )
    parser.add_argument(
        "--results", metavar="FOLDER", help="only write FOLDER/RESULTS.md from what is kept there"
    )
    asked = parser.parse_args(argv)
    given = asked.results or asked.grid
    if not given:
        raise UserError("GRID.yaml is missing; experiments/grids has some, the README a small one")
    existing(given, given)
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    from reidzoo.laboratory.comparison import run_comparison, write_page

    if asked.results:
        print(f"page {write_page(Path(asked.results).expanduser())}")
        return
    run_comparison(asked, f"python -m reidzoo.compare {asked.grid}")


if __name__ == "__main__":
    sys.exit(main())
