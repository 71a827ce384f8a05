"""What `--help` prints: everything that exists, or every option of one method and data set."""

import inspect
import textwrap
from argparse import Action
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser

from reidzoo.cli import names
from reidzoo.cli.errors import words
from reidzoo.cli.layers import flatten, published_data
from reidzoo.cli.request import DEFAULT_DATA

if TYPE_CHECKING:
    from reidzoo.cli.session import Session

WIDTH = 100
INDENT = 34
USAGE = "python -m reidzoo.fit --method METHOD [--data DATA] [options]"
MAIN = {
    "--method NAME": "what to train, see below; or the dotted name of your own class",
    "--data NAME": f"what to train on, see below [{DEFAULT_DATA}]",
    "--data.root DIR": "where the data set lies",
    "--config FILE": "YAML with any of these settings; may be given several times",
    "--init PATH": "start from the weights of a run, checkpoint or .safetensors file",
    "--resume auto|PATH": "continue the newest run with the same settings, or this one",
    "--output DIR": "folder of all runs [runs]",
    "--logger NAME": "csv, wandb or tensorboard; metrics.csv is written in any case [csv]",
    "--logger.images true": "also log pictures; person images are sensitive [false]",
    "--seed N": "seed of everything random [1]",
    "--trainer.OPTION": "any option of Lightning's Trainer: --trainer.devices 4",
    "--print_config": "print all settings as YAML for --config, and stop",
    "--help": "this; with --method (and --data): every option and its published value",
}


def overview() -> str:
    """One line per main option, method and data set; needs nothing slow."""
    found = names.methods()
    width = max(map(len, [*found, *names.data_sets()])) + 2
    methods = [
        f"  {entry.name:{width}}{entry.summary}" for entry in found.values()
    ]
    sets = [f"  {entry.name:{width}}{entry.summary}" for entry in names.data_sets().values()]
    options = [f"  {option:22}{text}" for option, text in MAIN.items()]
    return "\n".join(
        [f"usage: {USAGE}", "", *options, "", "methods", *methods, "", "data sets", *sets]
    )


def details(session: "Session") -> str:
    """Every option of a method and a data set, with the value it has and where that is from."""
    tree = flatten(session.tree())
    sources = {
        key.removesuffix(".name"): layer.source
        for layer in session.layers
        for key in flatten(layer.tree)
    }
    method_class = names.load("method", session.method, names.methods())
    lines = [
        f"usage: {USAGE.replace('METHOD', session.method).replace('[--data DATA]', f'--data {session.data}')}",
        "",
        *textwrap.wrap(first_paragraph(method_class), WIDTH),
        "",
        *textwrap.wrap(provenance(session), WIDTH),
    ]
    section = ""
    ordered = ["method", "data", "cluster", "evaluate", "logger", "trainer"]
    for action in sorted(session.parser._actions, key=lambda a: rank(a, ordered)):
        key = action.dest
        if is_hidden(action):
            continue
        if key.partition(".")[0] != section and "." in key:
            section = key.partition(".")[0]
            lines += ["", section]
        lines += option_lines(key, action, tree, sources)
        lines += object_lines(session.parser, session.settings.get(key), key, tree, sources)
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
    if session.layers:
        files = ", ".join(layer.source for layer in session.layers)
        return f"[values]; those marked * are set by {files}. Published settings exist for {known}."
    return f"[values] are class defaults: nothing is published for --data {session.data}, but for {known}."


def is_hidden(action: Action) -> bool:
    """Whole-group options and help of sub-classes are noise here."""
    name = type(action).__name__
    return action.dest == "help" or action.dest.endswith(".help") or name == "_ActionConfigLoad"


def option_lines(
    key: str, action: Action, tree: dict[str, Any], sources: dict[str, str]
) -> list[str]:
    """One option: name, what it does, type, value."""
    hint = getattr(action, "_typehint", action.type)
    text = (action.help or "").strip()
    if key.startswith("trainer."):
        text = text.split(". ")[0].split("\n")[0].rstrip(".")
    value = tree.get(key)
    if any(other.startswith(f"{key}.") for other in tree):
        value = tree.get(f"{key}.name")
    mark = "*" if key in sources else ""
    shown = "null" if value is None else str(value).lower() if isinstance(value, bool) else value
    kind = "" if key.startswith("trainer.") else f" ({words(hint)})"
    return column(f"--{key}", f"{' '.join(text.split())}{kind} [{shown}]{mark}")


def object_lines(
    parser: ArgumentParser, value: Any, key: str, tree: dict[str, Any], sources: dict[str, str]
) -> list[str]:
    """The options of the object that is chosen for an option."""
    path = value.get("class_path") if hasattr(value, "get") else None
    if path is None:
        return []
    module, _, name = path.rpartition(".")
    inner = ArgumentParser(exit_on_error=False)
    inner.add_class_arguments(names.load(key, path, {}), key)
    return [
        line
        for action in inner._actions
        if not is_hidden(action)
        for line in option_lines(action.dest, action, tree, sources)
    ]


def column(left: str, right: str) -> list[str]:
    """Two columns, the second one wrapped."""
    wrapped = textwrap.wrap(right, WIDTH - INDENT) or [""]
    head = f"  {left}"
    if len(head) >= INDENT:
        return [head, *(" " * INDENT + line for line in wrapped)]
    return [f"{head:{INDENT}}{wrapped[0]}", *(" " * INDENT + line for line in wrapped[1:])]
