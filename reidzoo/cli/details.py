"""What `--help` prints with a method: every option, what it does, and the value it has."""

import inspect
import json
import textwrap
from argparse import SUPPRESS, Action
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser

from reidzoo.cli import names
from reidzoo.cli.choices import class_options
from reidzoo.cli.errors import words
from reidzoo.cli.layers import flatten, published_data

if TYPE_CHECKING:
    from reidzoo.cli.session import Session

WIDTH = 100
INDENT = 34


def details(session: "Session") -> str:
    """Every option of a method and a data set, with the value it has and where that is from."""
    tree = flatten(session.tree())
    sources = {
        key.removesuffix(".name"): layer.source
        for layer in session.layers
        for key in flatten(layer.tree)
    }
    method_class = names.load("method", session.method, names.methods())
    chosen = f"--method {session.method} --data {session.data}"
    lines = [f"usage: python -m reidzoo.fit {chosen} [options]", ""]
    lines += [*textwrap.wrap(first_paragraph(method_class), WIDTH), ""]
    lines += [*textwrap.wrap(provenance(session), WIDTH), ""]
    section, choices = "", class_options(session.parser)
    ordered = ["method", "data", "cluster", "evaluate", "guard", "logger", "trainer"]
    for action in sorted(session.parser._actions, key=lambda a: rank(a, ordered)):
        key = action.dest
        if is_hidden(action):
            continue
        if key.partition(".")[0] != section and "." in key:
            section = key.partition(".")[0]
            lines += ["", section]
        offered = choices[key].known if key in choices else ()
        lines += option_lines(action, tree, sources, offered)
        lines += object_lines(session.settings.get(key), key, tree, sources)
    return "\n".join(lines)


def rank(action: Action, sections: list[str]) -> int:
    """Sections in order, options outside of sections first."""
    section, dot, _ = action.dest.partition(".")
    return sections.index(section) if dot else -1


def first_paragraph(found: type) -> str:
    """What the module of a class says first."""
    module = inspect.getmodule(found)
    return (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")


def provenance(session: "Session") -> str:
    """Where the values in brackets come from."""
    entries = names.methods()
    name = names.published_name(names.load("method", session.method, entries), entries)
    known = ", ".join(published_data(name)) if name else ""
    ready = f" Settings for this method exist for --data {known}." if known else ""
    if session.layers:
        files = ", ".join(layer.source for layer in session.layers)
        return f"Values are in brackets; * marks those set by {files}.{ready}"
    return f"Values in brackets are class defaults; no file sets any for {session.data}.{ready}"


def is_hidden(action: Action) -> bool:
    """Whole-group options and help of sub-classes are noise here."""
    whole_group = type(action).__name__ == "_ActionConfigLoad"
    return whole_group or action.help == SUPPRESS or action.dest.split(".")[-1] == "help"


def option_lines(
    action: Action, tree: dict[str, Any], sources: dict[str, str], names_known: Iterable[str] = ()
) -> list[str]:
    """One option: name, what it does, type or choices, value."""
    key = action.dest
    text = (action.help or "").strip()
    kind = " or ".join(names_known) or words(getattr(action, "_typehint", action.type))
    if key.startswith("trainer."):  # Lightning's words are long, and its types longer
        text, kind = text.split(". ")[0].split("\n")[0].rstrip("."), ""
    value = tree.get(key, tree.get(f"{key}.name"))
    shown = json.dumps(value) if not isinstance(value, str) else value
    mark = "*" if key in sources else ""
    text = " ".join(f"{text} ({kind}) [{shown}]{mark}".replace(" ()", "").split())
    return column(f"--{key}", text)


def object_lines(value: Any, key: str, tree: dict[str, Any], sources: dict[str, str]) -> list[str]:
    """The options of the object that is chosen for an option."""
    path = value.get("class_path") if hasattr(value, "get") else None
    if path is None:
        return []
    inner = ArgumentParser(exit_on_error=False)
    inner.add_class_arguments(names.load(key, path, {}), key)
    return [
        line
        for action in inner._actions
        if not is_hidden(action)
        for line in option_lines(action, tree, sources)
    ]


def column(left: str, right: str) -> list[str]:
    """Two columns, the second one wrapped."""
    wrapped = textwrap.wrap(right, WIDTH - INDENT) or [""]
    head = f"  {left}"
    if len(head) >= INDENT:
        return [head, *(" " * INDENT + line for line in wrapped)]
    return [f"{head:{INDENT}}{wrapped[0]}", *(" " * INDENT + line for line in wrapped[1:])]
