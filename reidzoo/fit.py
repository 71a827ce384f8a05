"""Train a method: `python -m reidzoo.fit --method hhcl --data msmt17`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from reidzoo.cli import errors
from reidzoo.cli.request import understand


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: fit(words))


def fit(argv: Sequence[str]) -> None:
    """Understand the command line, answer quickly if that is all, else train."""
    request = understand(argv)
    if request.help and request.method is None:
        from reidzoo.cli.overview import overview

        print(overview())
        return
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # one's own classes, by dotted name
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a lost process is told in one line
    from reidzoo.cli.session import prepare, train

    session = prepare(request)
    if request.help:
        from reidzoo.cli.details import details

        print(details(session))
    elif request.print_config:
        print(session.yaml(), end="")
    else:
        train(session)


if __name__ == "__main__":
    sys.exit(main())
