"""The one exception that a user's mistake raises; commands print it as one line and exit with 2."""

import difflib
from collections.abc import Iterable

EVERYWHERE = "raised on every rank"  # notes of errors that more than one process raises
ELSEWHERE = "raised on rank 0"


class UserError(Exception):
    """A mistake that the user can mend: the message names the option, the value and what to do."""

    @classmethod
    def everywhere(cls, message: str) -> "UserError":
        """A mistake that every rank raises; commands let rank 0 alone speak."""
        error = cls(message)
        error.add_note(EVERYWHERE)
        return error


def nearest(value: str, allowed: Iterable[str]) -> str:
    """Say what is allowed and which of it looks most like `value`.

    >>> nearest("hchl", ["hhcl", "instance"])
    'allowed: hhcl, instance; did you mean hhcl?'
    """
    names = list(allowed)
    close = difflib.get_close_matches(value, names, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"allowed: {', '.join(names)}{hint}"


def printable(text: str) -> str:
    r"""Text with what a terminal would act upon spelt out; a file name may hold it.

    >>> print(printable("a\x1b[2J.jpg"))
    a\x1b[2J.jpg
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    r"""Any text as one printable line.

    >>> print(one_line("no  such\nfile: \x1b[2J.jpg"))
    no such file: \x1b[2J.jpg
    """
    return printable(" ".join(text.split()))
