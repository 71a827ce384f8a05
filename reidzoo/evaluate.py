"""Score a trained model on any labelled data set: `python -m reidzoo.evaluate RUN --data NAME`.

Without --data it is scored on the data set it was trained on, under the settings of the run; images
are brought to the size that the model was trained with, wherever they come from.
"""

import sys
from collections.abc import Sequence

from reidzoo.cli import errors, names
from reidzoo.cli.arguments import MODEL, Arguments, existing, output, take_section
from reidzoo.cli.request import check_paths


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: evaluate(words), advice="nothing was written")


def evaluate(argv: Sequence[str]) -> None:
    """Understand the command line, then extract, score, print."""
    options, words = take_section(argv, "data")
    parser = Arguments("evaluate", str(__doc__))
    parser.add_argument("model", metavar="RUN", help=MODEL)
    known = ", ".join(names.data_sets())
    parser.add_argument("--data", metavar="NAME", help=f"{known}; or your own class, dotted")
    parser.add_argument("--rerank", action="store_true", help="rank by k-reciprocal neighbours")
    parser.add_argument("--json", metavar="FILE", help="also write all figures to this file")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... [auto]")
    parser.epilog = "--data.OPTION as in reidzoo.fit, such as --data.root DIR"
    asked = parser.parse_args(words)
    if asked.data:
        names.check("data", asked.data, names.data_sets())
    existing(asked.model, asked.model)
    check_paths((), options)
    if asked.json:
        output(asked.json, "--json", [".json"])
    from reidzoo.cli.evaluation import run_evaluation

    run_evaluation(asked, options)


if __name__ == "__main__":
    sys.exit(main())
