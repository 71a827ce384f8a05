"""Whatever the user did wrong, in one line: on standard error, with exit code 2, no traceback.

Exit codes: 0 finished; 1 a failure that is not the user's (with its traceback); 2 the user's
mistake; 130 stopped by Ctrl-C; 143 stopped by SIGTERM (SLURM preemption: `--resume auto` goes on).
"""

import errno
import importlib
import os
import re
import signal
import sys
import time
import traceback
from argparse import Action
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

from reidzoo.cli.runs import process_rank
from reidzoo.errors import UserError, nearest, one_line
from reidzoo.files import STORAGE

MISTAKE, INTERRUPTED, TERMINATED = 2, 128 + signal.SIGINT, 128 + signal.SIGTERM
PATIENCE = 2.0  # seconds in which a possible victim leaves it to others to name the cause
RESUME = "--resume auto continues from the last finished epoch"
WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "text", None: "null"}


class Terminated(SystemExit):
    """SIGTERM arrived; raised in the main thread so that everything is closed on the way out."""


def run(command: Callable[[], None], advice: str = RESUME) -> int:
    """Run a command and return its exit code; mistakes become one line on standard error.

    Args:
        command: what to do.
        advice: how to go on when it was stopped.
    """
    try:
        command()
    except BaseException as error:
        found = outcome(error, advice)
        if found is None:
            raise
        return say(*found)
    return 0


def outcome(error: BaseException, advice: str = RESUME) -> tuple[int, str] | None:
    """Exit code and the one line; None for a failure of the program, which keeps its traceback."""
    stop = stopped_by(error)
    if isinstance(stop, KeyboardInterrupt):
        return INTERRUPTED, f"interrupted; {advice}"
    if stop is not None:
        return TERMINATED, f"terminated; {advice}"
    message = None if os.environ.get("REIDZOO_TRACEBACK") else mistake(error)
    return None if message is None else (MISTAKE, message)


def stopped_by(error: BaseException) -> BaseException | None:
    """The Ctrl-C or SIGTERM behind an error, if there is one.

    Lightning makes a SystemExit of it; torch, where it was just writing a checkpoint, a
    RuntimeError about the file; Python, where a compiled kernel was just returning, a SystemError.

    >>> stopped_by(ValueError("no")) is None
    True
    """
    link: BaseException | None = None if isinstance(error, UserError) else error
    while link is not None and not isinstance(link, KeyboardInterrupt | Terminated):
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return link


def say(code: int, message: str) -> int:
    """Write one line to standard error; of several processes that cannot talk yet, each its own.

    Where all have made the mistake, rank 0 says so, and the launcher ends the others meanwhile.
    """
    rank = process_rank()
    if rank > 0:
        if code != MISTAKE:
            return code  # signals reach every process
        time.sleep(PATIENCE)
        message = f"rank {rank}: {message}"
    sys.stderr.write(f"reidzoo: {message}\n")
    return code


def mistake(error: BaseException) -> str | None:
    """The one line for an error that the user can mend, None for a failure of the program.

    Such are UserError, Lightning's complaints about its options, an operation that cannot be
    deterministic, a full or read-only disk, and a ValueError that reidzoo's own code raises
    (libraries of the package use it in that sense).
    """
    text = str(error)
    if isinstance(error, UserError) or type(error).__name__ == "MisconfigurationException":
        return one_line(text.rpartition("UserError: ")[2])  # workers prepend a traceback
    if isinstance(error, RuntimeError) and "does not have a deterministic implementation" in text:
        operation = text.split(" does not have")[0]
        return (
            f"--deterministic: {operation} has no deterministic version on this device; "
            "--trainer.deterministic warn goes on without the promise of equal bits"
        )
    if isinstance(error, OSError) and error.errno in {*STORAGE, errno.ENAMETOOLONG}:
        return one_line(text)
    if isinstance(error, ValueError):
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        if frames and frames[-1].f_globals.get("__name__", "").startswith("reidzoo."):
            return one_line(text)
    return None


def explain(error: Exception, parser: Any, where: str) -> UserError:
    """Turn an error of jsonargparse into one line that starts with the option.

    Args:
        error: what the parser raised.
        parser: the parser, for the types and names it knows.
        where: what to put in front of the option: "--", or the file's name.
    """
    text = str(error)
    actions: dict[str, Action] = {action.dest: action for action in parser._actions}
    unknown = re.search(r"unrecognized arguments: (\S+)", text)
    if unknown:
        key = unknown[1].partition("=")[0].removeprefix("--")
        return unknown_option(f"{where}{key}" if unknown[1].startswith("-") else key, key, actions)
    group = re.search(r"(?:Group '([^']+)' does not accept option|Option) '([^']+)'", text)
    keys = re.findall(r'Parser key "([^"]+)"', text)
    chosen = re.findall(r"class_path '([^']+)'", text)
    if group and not keys:
        key = f"{group[1]}.{group[2]}" if group[1] else group[2]
        return unknown_option(f"{where}{key}", key, actions)
    if not keys:
        prefix = where if where != "--" else ""
        return UserError(prefix + " ".join(text.removeprefix("argument ").split()))
    if group:
        allowed = class_hints(chosen[-1])
        return UserError(
            f"{where}{keys[0]}.{group[2]}: {chosen[-1].rpartition('.')[2]} has no such option; "
            f"{nearest(group[2], allowed)}"
        )
    key = ".".join(keys)
    hint = getattr(actions.get(keys[0]), "_typehint", None)
    if len(keys) > 1 and chosen:
        hint = class_hints(chosen[-1]).get(keys[-1], hint)
    value = re.findall(r"(?:Got|Given) value: (.*)", text)
    if hint is None or not value:
        reason = " ".join(text.split("\n")[-1].split())
        return UserError(f"{where}{key}: {reason}")
    given = "null" if value[-1] == "None" else value[-1]
    close = nearest(given, literals(hint)).partition("; ")[2]
    line = f"{where}{key}: expected {words(hint)}, got {given!r}"
    return UserError(f"{line}; {close}" if close else line)


def unknown_option(shown: str, key: str, actions: dict[str, Action]) -> UserError:
    """A misspelt option, or one that the framework does not offer."""
    from reidzoo.cli.parser import FIXED

    section, _, name = key.partition(".")
    if section == "trainer" and name in FIXED:
        return UserError(f"{shown}: not offered, {FIXED[name]}")
    known = [dest for dest in actions if dest != "help" and not dest.endswith(".help")]
    close = nearest(key, known).rpartition("; did you mean ")[2]
    dashes = "--" if shown.startswith("--") else ""
    hint = f"did you mean {dashes}{close}" if close.endswith("?") else "--help lists all options"
    return UserError(f"{shown}: no such option; {hint}")


def class_hints(dotted: str) -> dict[str, Any]:
    """Option -> type of a class given by its dotted name."""
    module, _, name = dotted.rpartition(".")
    hints = get_type_hints(getattr(importlib.import_module(module), name).__init__)
    return {key: hint for key, hint in hints.items() if key != "return"}


def literals(hint: Any) -> list[str]:
    """All fixed values that a type allows."""
    if get_origin(hint) is Literal:
        return [str(value) for value in get_args(hint)]
    return [value for part in get_args(hint) for value in literals(part)]


def words(hint: Any) -> str:
    """A type in words.

    >>> words(int | None), words(Literal["gem", "avg"] | None)
    ('an integer or null', 'gem or avg or null')
    """
    return " or ".join(dict.fromkeys(parts(hint)))


def parts(hint: Any) -> list[str]:
    """The alternatives of a type, each in words."""
    if hint in (None, type(None)):
        return ["null"]
    if hint in WORDS:
        return [WORDS[hint]]
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return [str(value) for value in inside]
    if origin in (list, tuple, Sequence):
        return [f"a list ({words(inside[0])})" if inside else "a list"]
    if inside:
        return [word for part in inside for word in parts(part)]
    return [f"a {getattr(hint, '__name__', str(hint))}"]
