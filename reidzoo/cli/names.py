"""Which methods and data sets exist, read from the source files without importing them.

`--help` must answer at once, and importing torch takes seconds. A file of `reidzoo/methods` is a
method when it defines a class that descends from `Method`; a file of `reidzoo/data/sets` is a data
set when it defines one that descends from `ReIDDataModule`. The file's name is the name on the
command line, the first line of its docstring the line in `--help`. Nothing is registered.
"""

import ast
import importlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import reidzoo
from reidzoo.errors import UserError, nearest

PACKAGE = Path(reidzoo.__file__).parent
KINDS = {"method": "method", "data": "data set"}
DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@dataclass(frozen=True)
class Entry:
    """A class that a short name stands for."""

    name: str
    module: str
    class_name: str
    summary: str

    def load(self) -> type:
        """Import the class (this is what takes seconds)."""
        found: type = getattr(importlib.import_module(self.module), self.class_name)
        return found


@cache
def methods() -> dict[str, Entry]:
    """Name -> entry of every method.

    >>> methods()["hhcl"].class_name
    'HHCL'
    """
    return scan("methods", "Method")


@cache
def data_sets() -> dict[str, Entry]:
    """Name -> entry of every data set."""
    return scan("data/sets", "ReIDDataModule")


def scan(folder: str, root: str) -> dict[str, Entry]:
    """Find the files of `folder` that define a descendant of the class named `root`."""
    files = sorted((PACKAGE / folder).glob("*.py"))
    trees = {path: ast.parse(path.read_bytes(), str(path)) for path in files}
    bases = {
        node.name: {ast.unparse(base).split(".")[-1] for base in node.bases}
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    family = {root}
    while grown := {name for name in bases.keys() - family if bases[name] & family}:
        family |= grown
    entries = {}
    for path, tree in trees.items():
        own = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        members = [name for name in own if name in family - {root}]
        if members:
            module = ".".join(["reidzoo", *Path(folder).parts, path.stem])
            summary = (ast.get_docstring(tree) or "").split("\n")[0].rstrip(".")
            entries[path.stem] = Entry(path.stem, module, members[-1], summary)
    return entries


def check(option: str, name: str, entries: dict[str, Entry]) -> None:
    """Raise a UserError unless `name` is known or is the dotted name of somebody's own class."""
    if name not in entries and not DOTTED.fullmatch(name):
        raise UserError(
            f"--{option} {name}: no such {KINDS[option]}; {nearest(name, entries)}; "
            f"or the dotted name of your own class"
        )


def load(option: str, name: str, entries: dict[str, Entry]) -> type:
    """Import what `name` stands for: a class of the package, or the user's own by dotted name."""
    if name in entries:
        return entries[name].load()
    module, _, class_name = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), class_name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"--{option} {name}: {error}; run from the folder that holds {module.split('.')[0]}.py"
        ) from error
    except AttributeError as error:
        classes = [
            key
            for key, value in vars(importlib.import_module(module)).items()
            if isinstance(value, type)
        ]
        raise UserError(
            f"--{option} {name}: {module} has no class {class_name}; {nearest(class_name, classes)}"
        ) from error
    if not isinstance(found, type):
        raise UserError(f"--{option} {name}: not a class but a {type(found).__name__}")
    return found


def published_name(found: type, entries: dict[str, Entry]) -> str | None:
    """Name of the nearest class of the package among `found` and its bases."""
    known = {(entry.module, entry.class_name): entry.name for entry in entries.values()}
    return next(
        (
            known[key]
            for base in found.__mro__
            if (key := (base.__module__, base.__qualname__)) in known
        ),
        None,
    )
