"""Score every model on every data set: `python -m reidzoo.matrix RUN RUN --data NAME NAME`.

A data set is NAME or NAME,OPTION=VALUE,..., such as msmt17,root=/data/MSMT17_V1 or
synthetic,preset=hard. Images are brought to the size of each model. What is scored is kept after
every cell and never scored again, so the command may be stopped and started again.
"""

import sys
from collections.abc import Sequence

from reidzoo.cli import errors
from reidzoo.cli.arguments import MODEL, Arguments, existing


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: matrix(words), advice="the same command goes on from here")


def matrix(argv: Sequence[str]) -> None:
    """Understand the command line, then fill the table."""
    parser = Arguments("matrix", str(__doc__))
    parser.add_argument("models", metavar="RUN", nargs="+", help=MODEL)
    parser.add_argument(
        "--data", metavar="NAME", nargs="+", required=True, help="data sets, with their options"
    )
    parser.add_argument("--rerank", action="store_true", help="rank by k-reciprocal neighbours")
    parser.add_argument("--output", default="runs/matrix", help="folder of the table")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... [auto]")
    parser.epilog = "options of a data set: python -m reidzoo.fit --data NAME --help"
    asked = parser.parse_args(argv)
    for model in asked.models:
        existing(model, model)
    from reidzoo.laboratory.matrix import run_matrix

    run_matrix(asked)


if __name__ == "__main__":
    sys.exit(main())
