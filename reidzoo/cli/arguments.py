"""Options of the small commands: an argparse parser whose mistakes are one line."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from reidzoo.errors import UserError, nearest

MODEL = "run folder, checkpoint (.ckpt), .safetensors, .onnx or released .pth.tar file"


class Arguments(argparse.ArgumentParser):
    """A parser that raises instead of printing its usage, and tells a misspelt option's neighbour.

    Args:
        command: the module's name, as in `python -m reidzoo.<command>`.
        about: the command's docstring.

    >>> parser = Arguments("embed", "Embed a folder.")
    >>> _ = parser.add_argument("--device", default="auto")
    >>> parser.parse_args(["--devise", "cpu"])
    Traceback (most recent call last):
    ...
    reidzoo.errors.UserError: --devise: no such option; allowed: --device, --help; did you mean \
--device?
    """

    def __init__(self, command: str, about: str) -> None:
        super().__init__(
            prog=f"python -m reidzoo.{command}",
            description=about,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """One line, like every other mistake."""
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown and unknown[1].startswith("-"):
            named = [action.option_strings for action in self._actions if action.option_strings]
            known = sorted(max(words, key=len) for words in named)
            raise UserError(f"{unknown[1]}: no such option; {nearest(unknown[1], known)}")
        raise UserError(f"{message.removeprefix('argument ')}; --help says more")


def take_section(argv: Sequence[str], section: str) -> tuple[list[str], list[str]]:
    """Split off the options of a section, each with its value.

    >>> take_section(["run", "--data.root", "crops", "--rerank", "--data.workers=2"], "data")
    (['--data.root', 'crops', '--data.workers=2'], ['run', '--rerank'])
    """
    inside, others = [], []
    words = iter(argv)
    for word in words:
        if not word.startswith(f"--{section}."):
            others.append(word)
            continue
        inside.append(word)
        if "=" not in word and (value := next(words, None)) is not None:
            inside.append(value)
    return inside, others


def positive(text: str) -> int:
    """A whole number from 1, as an argparse type."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer from 1, got {text!r}")
    return int(text)


def natural(text: str) -> int:
    """A whole number from 0, as an argparse type."""
    return int(text) if text == "0" else positive(text)


def existing(path: str, what: str) -> Path:
    """A path that is there; what starts the message if it is not.

    >>> existing("nowhere.ckpt", "nowhere.ckpt")
    Traceback (most recent call last):
    ...
    reidzoo.errors.UserError: nowhere.ckpt: no such file or folder
    """
    found = Path(path).expanduser()
    if not found.exists():
        raise UserError(f"{what}: no such file or folder")
    return found


def output(path: str, option: str, suffixes: Sequence[str]) -> Path:
    """A path that can be written, with one of the suffixes.

    >>> output("model.pth", "-o", [".onnx", ".safetensors"])
    Traceback (most recent call last):
    ...
    reidzoo.errors.UserError: -o model.pth: the name must end with .onnx or .safetensors
    """
    found = Path(path).expanduser()
    if found.suffix not in suffixes:
        raise UserError(f"{option} {path}: the name must end with {' or '.join(suffixes)}")
    if not found.parent.is_dir():
        raise UserError(f"{option} {path}: there is no folder {found.parent}")
    return found
