"""What was asked for, understood before anything slow is imported."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from reidzoo.cli import names
from reidzoo.cli.layers import Layer, flatten, read_layer
from reidzoo.errors import UserError

DEFAULT_DATA = "synthetic"  # drawn by the program itself: needs no download


@dataclass(frozen=True)
class Request:
    """The command line, as far as it can be understood without knowing any class.

    Args:
        method: name of the method, None when only help is wanted.
        data: name of the data set, None when it was not given.
        configs: the `--config` files, in order.
        options: everything else, for the full parser.
        help: `--help` was given.
        print_config: `--print_config` was given.
    """

    method: str | None
    data: str | None
    configs: tuple[Layer, ...]
    options: tuple[str, ...]
    help: bool
    print_config: bool


class Peeker(argparse.ArgumentParser):
    """An argparse parser that raises instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """One line, like every other mistake."""
        raise UserError(message.removeprefix("argument "))


def understand(argv: Sequence[str]) -> Request:
    """Find method, data set and files, and check that they exist.

    >>> understand(["--method", "hhcl", "--method.temperature", "0.04"]).options
    ('--method.temperature', '0.04')
    """
    parser = Peeker(add_help=False, allow_abbrev=False)
    parser.add_argument("--method")
    parser.add_argument("--data")
    parser.add_argument("--config", action="append", default=[])
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--print_config", action="store_true")
    parser.add_argument("--deterministic", nargs="?", const="true")
    found, options = parser.parse_known_args(argv)
    if found.deterministic is not None:
        options += ["--trainer.deterministic", found.deterministic]
    configs = tuple(read_layer(Path(path), f"--config {path}") for path in found.config)
    chosen = {"method": found.method, "data": found.data}
    for section, entries in (("method", names.methods()), ("data", names.data_sets())):
        from_files = [name for layer in configs if (name := layer.name(section))]
        chosen[section] = chosen[section] or (from_files[-1] if from_files else None)
        if chosen[section]:
            names.check(section, chosen[section], entries)
    if not found.help and not chosen["method"]:
        known = ", ".join(names.methods())
        raise UserError(f"--method is missing; allowed: {known}; --help says what each one is")
    check_paths(configs, options)
    return Request(
        chosen["method"], chosen["data"], configs, tuple(options), found.help, found.print_config
    )


def check_paths(configs: Sequence[Layer], options: Sequence[str]) -> None:
    """Refuse folders and files that are not there, before the slow imports."""
    given: dict[str, tuple[str, Any]] = {}
    for layer in configs:
        given |= {f"{key}": (layer.source, value) for key, value in flatten(layer.tree).items()}
    for position, option in enumerate(options):
        key, equals, value = option.removeprefix("--").partition("=")
        if option.startswith("--") and (equals or position + 1 < len(options)):
            given[key] = (f"--{key}", value if equals else options[position + 1])
    for key in ("data.root", "init", "resume", "method.labels"):
        source, value = given.get(key, ("", None))
        if value is None or value in ("null", "") or (key == "resume" and value == "auto"):
            continue
        where = source if source == f"--{key}" else f"{source}: {key}"
        path = Path(str(value)).expanduser()
        if not path.exists():
            raise UserError(f"{where} {value}: no such file or folder")
        if key == "data.root" and not path.is_dir():
            raise UserError(f"{where} {value}: a folder of images is needed, this is a file")
        if path.is_dir() and not any(path.iterdir()):
            raise UserError(f"{where} {value}: the folder is empty")
