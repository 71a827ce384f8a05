"""Find people in an embedded folder: `python -m reidzoo.search gallery.npz QUERY...`.

A query is an image or a folder of images. Prints a table and writes NAME.png, a contact sheet, and
NAME.html, a page with the images inside. Answers under the threshold that the model was calibrated
with are no match.
"""

import sys
from collections.abc import Sequence

from reidzoo.cli import errors
from reidzoo.cli.arguments import MODEL, Arguments, existing, output, positive


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: search(words), advice="nothing was written")


def search(argv: Sequence[str]) -> None:
    """Understand the command line, then search."""
    parser = Arguments("search", str(__doc__))
    parser.add_argument("gallery", metavar="GALLERY", help="file that reidzoo.embed has written")
    parser.add_argument("queries", metavar="QUERY", nargs="+", help="image, or folder of images")
    parser.add_argument("--top", type=positive, default=10, help="answers per query [10]")
    parser.add_argument("--threshold", type=float, help="similarity from which on it is a match")
    parser.add_argument("--model", metavar="RUN", help=f"if the network has moved: {MODEL}")
    parser.add_argument(
        "-o", "--output", default="search", metavar="NAME", help="NAME.png, NAME.html [search]"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... [auto]")
    asked = parser.parse_args(argv)
    existing(asked.gallery, asked.gallery)
    for query in asked.queries:
        existing(query, query)
    if asked.model:
        existing(asked.model, f"--model {asked.model}")
    target = output(f"{asked.output.removesuffix('.html')}.html", "-o", [".html"])
    from reidzoo.cli.searching import run_search

    run_search(asked, target)


if __name__ == "__main__":
    sys.exit(main())
