"""The full parser: typed options of the chosen classes, and settings put together layer by layer.

Everything an option needs comes from typed keyword arguments and docstrings; jsonargparse reads
both. Added here: classes go by short names (`--method.clusterer JaccardDBSCAN`, `name:` in files),
options that the framework must fix are not offered, and every error becomes one line.
"""

import inspect
import json
import os
from argparse import ArgumentError
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

import yaml
from jsonargparse import ArgumentParser, Namespace

from reidzoo import clustering
from reidzoo.cli.errors import explain
from reidzoo.cli.layers import Layer, Tree, flatten
from reidzoo.cli.loggers import LoggerOptions
from reidzoo.errors import UserError, nearest

FIXED = {  # options of the Trainer that would break training, and what to use instead
    "reload_dataloaders_every_n_epochs": "fixed at 0: pseudo-labels reach a running sampler",
    "use_distributed_sampler": "fixed at false: the sampler already knows the ranks",
    "num_sanity_val_steps": "fixed at 0: evaluation needs the whole test set",
    "default_root_dir": "use --output",
    "logger": "use --logger csv|wandb|tensorboard",
    "enable_checkpointing": "fixed at true: a run that dies must be resumable",
    "barebones": "fixed at false: it switches callbacks and logging off",
}


def build_parser(method: type, data: type) -> ArgumentParser:
    """Options of a method, a data set, and everything around them."""
    import pytorch_lightning as pl

    from reidzoo.callbacks import ClusterCallback, EvaluationCallback

    parser = ArgumentParser(
        prog="python -m reidzoo.fit", exit_on_error=False, allow_abbrev=False, add_help=False
    )
    parser.add_class_arguments(LoggerOptions, "logger")  # what is made first fails first:
    parser.add_class_arguments(ClusterCallback, "cluster")  # a method may have to fetch weights
    parser.add_class_arguments(EvaluationCallback, "evaluate")
    parser.add_class_arguments(pl.Trainer, "trainer", instantiate=False, skip=set(FIXED))
    parser.set_defaults({"trainer.max_epochs": 50, "trainer.enable_model_summary": False})
    parser.add_class_arguments(data, "data")
    parser.add_class_arguments(method, "method")
    parser.add_argument("--seed", type=int, default=1, help="Seed of everything random.")
    parser.add_argument("--output", type=str, default="runs", help="Folder of all runs.")
    parser.add_argument(
        "--init", type=str | None, default=None, help="Start from the weights of a run or file."
    )
    parser.add_argument(
        "--resume", type=str | None, default=None,
        help="Continue a run: its folder, a checkpoint, or auto (newest with these settings).",
    )
    return parser


def settle(
    parser: ArgumentParser, layers: Iterable[Layer], options: Sequence[str]
) -> Namespace:
    """Apply files in order, then the command line; the result is complete and type-checked."""
    settings = parser.get_defaults()
    choices = class_options(parser)
    name = os.environ.get("REIDZOO_LOGGER")
    environment = [Layer("REIDZOO_LOGGER", {"logger": {"name": name}})] if name else []
    for layer in [*environment, *layers]:
        where = f"{layer.source}: "
        tree = expand(without_names(layer.tree), choices, where)
        check_groups(parser, tree, where)
        try:
            settings = parser.parse_object(tree, namespace=settings)
        except (ArgumentError, ValueError) as error:
            raise explain(error, parser, where) from error
    words = expand_options(options, choices)
    check_groups(parser, {}, "--", words)
    try:
        settings = parser.parse_args(words, namespace=settings)
        check_nulls(parser, settings)
    except (ArgumentError, ValueError) as error:
        raise explain(error, parser, "--") from error
    return settings


def instantiate(parser: ArgumentParser, settings: Namespace) -> Namespace:
    """Make the objects; a class that refuses its values is the user's mistake."""
    try:
        return parser.instantiate(settings)
    except ValueError as error:
        raise UserError(" ".join(str(error).split())) from error


def to_tree(
    parser: ArgumentParser, settings: Namespace, method: str, data: str
) -> Tree:
    """Plain values that, saved as YAML, reproduce the run through `--config`."""
    text = parser.dump(settings, skip_none=False, format="json")
    tree = compact(json.loads(text), class_options(parser))
    tree["method"] = {"name": method} | tree.get("method", {})
    tree["data"] = {"name": data} | tree.get("data", {})
    return {key: value for key, value in tree.items() if value is not None}


class Dumper(yaml.SafeDumper):
    """One setting per line; lists of plain values stay on one line."""


def represent_list(dumper: Dumper, items: list[Any]) -> yaml.Node:
    """`[0.45, 0.45, 0.45]` on one line, lists of objects one below the other."""
    flow = not any(isinstance(item, dict) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)


Dumper.add_representer(list, represent_list)


def to_yaml(tree: Tree) -> str:
    """Settings as YAML text, one per line.

    >>> print(to_yaml({"method": {"name": "hhcl", "mean": [0.4, 0.5]}}), end="")
    method:
      name: hhcl
      mean: [0.4, 0.5]
    """
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False)


# ---------------------------------------------------------------- classes by short name


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
                    name: f"{value.__module__}.{name}"
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
    if is_protocol(one) or not callable(getattr(one, "__call__", None)):
        return False
    first, second = (inspect.signature(getattr(c, "__call__")).parameters for c in (one, protocol))  # noqa: B004, B009
    return list(first) == list(second)


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


# ---------------------------------------------------------------- checks jsonargparse leaves out


def without_names(tree: Tree) -> Tree:
    """A layer without `method.name` and `data.name`, which were read before."""
    return {
        key: {k: v for k, v in value.items() if k != "name"} if key in ("method", "data") else value
        for key, value in tree.items()
    }


def check_groups(
    parser: ArgumentParser, tree: Tree, where: str, options: Sequence[str] = ()
) -> None:
    """Refuse a value where options by name are needed (`network: 3`, `--method.network 3`)."""
    known = set(hints(parser))
    typed = {word[2:].partition("=")[0]: "a value" for word in options if word.startswith("--")}
    for key, value in {**flatten(tree), **typed}.items():
        below = sorted(option for option in known if option.startswith(f"{key}."))
        if below and not isinstance(value, dict) and f"{key}.help" not in known:
            names = ", ".join(option.removeprefix(f"{key}.") for option in below)
            raise UserError(f"{where}{key}: expected options by name ({names}), got {value}")


def check_nulls(parser: ArgumentParser, settings: Namespace) -> None:
    """Refuse null for an option that cannot be null."""
    for option, hint in hints(parser).items():
        if hint in (int, float, str, bool) and settings.get(option, 0) is None:
            raise ValueError(f'Parser key "{option}": Expected a {hint}. Got value: null')
