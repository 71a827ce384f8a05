"""Objects as option values: clusterers and label filters go by short names, and have options.

`--method.clusterer JaccardDBSCAN --method.clusterer.eps 0.5` on the command line, and in files
`clusterer: JaccardDBSCAN` or `clusterer: {name: JaccardDBSCAN, eps: 0.5}`. The name may be left out
to change options of the object that is the default. jsonargparse's own form, `class_path` and
`init_args`, is understood as well.
"""

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

import yaml
from jsonargparse import ArgumentParser

from reidzoo import clustering
from reidzoo.cli.layers import Tree
from reidzoo.errors import UserError, nearest


@dataclass(frozen=True)
class Choice:
    """An option whose value is an object, or several.

    Args:
        option: its name.
        known: short name -> dotted name of what is offered.
        several: it takes a list.
    """

    option: str
    known: dict[str, str]
    several: bool

    def expand(self, value: Any, where: str) -> Any:
        """Turn `name:` and bare names into what jsonargparse reads."""
        if self.several and isinstance(value, list):
            return [self._expand_one(item, where) for item in value]
        one = self._expand_one(value, where)
        return [one] if self.several and isinstance(value, str | dict) else one

    def _expand_one(self, value: Any, where: str) -> Any:
        if isinstance(value, str):
            return self._dotted(value, where)
        if isinstance(value, dict) and isinstance(value.get("name"), str):
            rest = {key: item for key, item in value.items() if key != "name"}
            return {"class_path": self._dotted(value["name"], where), "init_args": rest}
        return value

    def _dotted(self, name: str, where: str) -> str:
        if name not in self.known and "." not in name:
            raise UserError(
                f"{where}{self.option}: {name}: no such class; {nearest(name, self.known)}; "
                "or the dotted name of your own class"
            )
        return self.known.get(name, name)

    def compact(self, value: Any) -> Any:
        """Undo `expand`."""
        if isinstance(value, list):
            return [self.compact(item) for item in value]
        if not isinstance(value, dict) or "class_path" not in value:
            return value
        short = {dotted: name for name, dotted in self.known.items()}
        path = value["class_path"]
        return {"name": short.get(path, path)} | value.get("init_args", {})


def class_options(parser: ArgumentParser) -> dict[str, Choice]:
    """Every option whose value is an object of `reidzoo.clustering`: clusterers, label filters."""
    found = {}
    for option, hint in hints(parser).items():
        for part in (hint, *get_args(hint)):
            if is_protocol(part):
                known = {
                    name: f"{clustering.__name__}.{name}"
                    for name, value in vars(clustering).items()
                    if inspect.isclass(value) and calls_alike(value, part)
                }
                found[option] = Choice(option, known, get_origin(hint) in (list, tuple, Sequence))
    return found


def hints(parser: ArgumentParser) -> dict[str, Any]:
    """Option -> type."""
    return {action.dest: getattr(action, "_typehint", action.type) for action in parser._actions}


def is_protocol(hint: Any) -> bool:
    """Whether a type is a protocol, such as `Clusterer`."""
    return bool(getattr(hint, "_is_protocol", False))


def calls_alike(one: type, protocol: type) -> bool:
    """Whether two classes are called with the same arguments, and the first is no protocol."""
    if is_protocol(one) or not any("__call__" in vars(base) for base in one.__mro__):
        return False
    mine, wanted = inspect.signature(one.__call__), inspect.signature(protocol.__call__)
    return list(mine.parameters) == list(wanted.parameters)


def expand(tree: Tree, choices: dict[str, Choice], where: str, prefix: str = "") -> Tree:
    """A file's settings in the form of jsonargparse."""
    full = {}
    for key, value in tree.items():
        option = f"{prefix}{key}"
        if option in choices:
            value = choices[option].expand(value, where)
        elif isinstance(value, dict):
            value = expand(value, choices, where, f"{option}.")
        full[key] = value
    return full


def compact(tree: Tree, choices: dict[str, Choice], prefix: str = "") -> Tree:
    """Undo `expand`."""
    short = {}
    for key, value in tree.items():
        option = f"{prefix}{key}"
        if option in choices:
            value = choices[option].compact(value)
        elif isinstance(value, dict):
            value = compact(value, choices, f"{option}.")
        short[key] = value
    return short


def expand_options(options: Sequence[str], choices: dict[str, Choice]) -> list[str]:
    """The same for the command line; `--logger wandb` is short for `--logger.name wandb`."""
    full: list[str] = []
    waiting: Choice | None = None  # the option whose value comes next
    for word in options:
        if waiting is not None:
            full.append(expand_text(word, waiting))
            waiting = None
            continue
        option, equals, value = word.partition("=")
        if option == "--logger":
            option = "--logger.name"
        choice = choices.get(option.removeprefix("--").removesuffix("+"))
        if choice is not None and option.startswith("--"):
            choice = replace(choice, several=choice.several and not option.endswith("+"))
            value, waiting = (expand_text(value, choice), None) if equals else (value, choice)
        full.append(f"{option}{equals}{value}")
    return full


def expand_text(text: str, choice: Choice) -> str:
    """A value as typed: a name, or a YAML list or mapping."""
    try:
        value = choice.expand(yaml.safe_load(text), "--")
    except yaml.YAMLError:
        return text
    return value if isinstance(value, str) else json.dumps(value)
