"""Embed a folder of crops: `python -m reidzoo.embed RUN FOLDER -o gallery.npz`.

Files that cannot be read are skipped and listed at the end. After a stop, the same command goes on
where it was. The gallery file holds paths, cameras and unit rows; reidzoo.search searches it.
"""

import sys
from collections.abc import Sequence

from reidzoo.cli import errors
from reidzoo.cli.arguments import MODEL, Arguments, existing, natural, output, positive


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: embed(words), advice="the same command goes on where this stopped")


def embed(argv: Sequence[str]) -> None:
    """Understand the command line, then embed."""
    parser = Arguments("embed", str(__doc__))
    parser.add_argument("model", metavar="RUN", help=MODEL)
    parser.add_argument("folder", metavar="FOLDER", help="images, at any depth")
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="gallery.npz or gallery.parquet"
    )
    parser.add_argument("--batch", type=positive, default=256, help="images per step [256]")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... [auto]")
    parser.add_argument("--workers", type=natural, default=4, help="processes that read files [4]")
    parser.add_argument(
        "--camera_from",
        choices=("name", "parent", "none"),
        default="name",
        help="where cameras are from: _c<digits> in the name, the sub-folder, or nowhere [name]",
    )
    parser.add_argument("--pattern", help="regular expression with a group (?P<cam>...)")
    parser.add_argument("--table", metavar="CSV", help="file with the columns path,camera")
    asked = parser.parse_args(argv)
    existing(asked.model, asked.model)
    existing(asked.folder, asked.folder)
    target = output(asked.output, "-o", [".npz", ".parquet"])
    from reidzoo.cli.embedding import run_embedding

    run_embedding(asked, target)


if __name__ == "__main__":
    sys.exit(main())
