"""The full parser: typed options of the chosen classes, and settings put together layer by layer.

Everything an option needs comes from typed keyword arguments and docstrings; jsonargparse reads
both. Options that the framework must fix are not offered, and every error becomes one line.
"""

import json
import os
from argparse import ArgumentError
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace

from reidzoo.cli.choices import class_options, compact, expand, expand_options, hints
from reidzoo.cli.errors import explain
from reidzoo.cli.layers import Layer, Tree, flatten
from reidzoo.cli.loggers import LoggerOptions
from reidzoo.errors import UserError

FIXED = {  # options of the Trainer that would break training, and what to use instead
    "reload_dataloaders_every_n_epochs": "fixed at 0: pseudo-labels reach a running sampler",
    "use_distributed_sampler": "fixed at false: the sampler already knows the ranks",
    "num_sanity_val_steps": "fixed at 0: evaluation needs the whole test set",
    "default_root_dir": "use --output",
    "logger": "use --logger csv|wandb|tensorboard",
    "enable_checkpointing": "fixed at true: a run that dies must be resumable",
    "barebones": "fixed at false: it switches callbacks and logging off",
}

DETERMINISTIC = (
    "true (--deterministic is short for it): same seed, same bits on a GPU too, by slower kernels; "
    'an operation that has none ends the run in one line, "warn" goes on'
)

Maker = tuple[Callable[..., Any], type, bool]


def build_parser(method: type, data: type) -> ArgumentParser:
    """Options of a method, a data set, and everything around them."""
    import pytorch_lightning as pl

    from reidzoo.callbacks import ClusterCallback, EvaluationCallback, Guard

    parser = ArgumentParser(
        prog="python -m reidzoo.fit", exit_on_error=False, allow_abbrev=False, add_help=False
    )
    parser.add_class_arguments(LoggerOptions, "logger")  # what is made first fails first:
    parser.add_class_arguments(ClusterCallback, "cluster")  # a method may have to fetch weights
    parser.add_class_arguments(EvaluationCallback, "evaluate")
    parser.add_class_arguments(Guard, "guard")
    parser.add_class_arguments(pl.Trainer, "trainer", instantiate=False, skip=set(FIXED))
    parser.set_defaults({"trainer.max_epochs": 50, "trainer.enable_model_summary": False})
    next(a for a in parser._actions if a.dest == "trainer.deterministic").help = DETERMINISTIC
    parser.add_class_arguments(data, "data", fail_untyped=False)
    parser.add_class_arguments(method, "method", fail_untyped=False)
    parser.add_argument("--seed", type=int, default=1, help="Seed of everything random.")
    parser.add_argument("--output", type=str, default="runs", help="Folder of all runs.")
    parser.add_argument(
        "--init", type=str | None, default=None, help="Start from the weights of a run or file."
    )
    parser.add_argument(
        "--resume",
        type=str | None,
        default=None,
        help="Continue a run: its folder, a checkpoint, or auto (newest with these settings).",
    )
    parser.add_argument(
        "--compile",
        type=str | None,
        default=None,
        help="Backend of torch.compile for the backbone (inductor, ...); null: not compiled.",
    )
    return parser


def settle(parser: ArgumentParser, layers: Iterable[Layer], options: Sequence[str]) -> Namespace:
    """Apply files in order, then the command line; the result is complete and type-checked."""
    settings = parser.get_defaults()
    choices = class_options(parser)
    name = "logger.name" in hints(parser) and os.environ.get("REIDZOO_LOGGER")
    environment = [Layer("REIDZOO_LOGGER", {"logger": {"name": name}})] if name else []
    for layer in [*environment, *layers]:
        where = f"{layer.source}: "
        tree = expand(without_names(layer.tree), choices, where)
        check_groups(parser, tree, where)
        try:
            settings = parser.parse_object(tree, namespace=settings)
            check_nulls(parser, settings)
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


def instantiate(parser: ArgumentParser, settings: Namespace, *makers: Maker) -> Namespace:
    """Make the objects; a class that refuses its values is the user's mistake.

    Args:
        parser: what knows the classes.
        settings: their values.
        makers: (function, class, whether also for subclasses): makes objects of a class instead.
    """
    try:
        objects: Namespace = parser.instantiate(settings, instantiators=makers or None)
    except ValueError as error:
        raise UserError(str(error)) from error
    return objects


def to_tree(parser: ArgumentParser, settings: Namespace, method: str, data: str) -> Tree:
    """Plain values that, saved as YAML, reproduce the run through `--config`."""
    text = parser.dump(settings, skip_unset=False, format="json")
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
