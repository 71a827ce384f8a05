"""Every method beside the others: `python -m reidzoo.zoo`.

Columns: fidelity, what a method needs, published results with their source, our own with the
command. `--markdown` prints the table of the README, `--fill FILE` puts it between its markers.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from reidzoo.cli import errors
from reidzoo.cli.arguments import Arguments, existing
from reidzoo.errors import UserError
from reidzoo.files import write_text


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: zoo(words), advice="nothing was changed")


def zoo(argv: Sequence[str]) -> None:
    """Print the table, or write it into a document."""
    parser = Arguments("zoo", str(__doc__))
    parser.add_argument("--markdown", action="store_true", help="print it as Markdown")
    parser.add_argument("--fill", metavar="FILE", help="put it between the markers of a document")
    asked = parser.parse_args(argv)
    if asked.fill:
        existing(asked.fill, f"--fill {asked.fill}")
    from reidzoo.cli import zoo_table

    if not asked.fill:
        print(zoo_table.markdown() if asked.markdown else zoo_table.text())
        return
    document = Path(asked.fill)
    try:
        write_text(document, zoo_table.fill(document.read_text("utf-8")))
    except ValueError as error:
        raise UserError(f"--fill {asked.fill}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
