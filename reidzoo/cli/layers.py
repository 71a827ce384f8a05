"""Configuration files: class defaults < experiments/<method>/<data>.yaml < --config < options.

A file has the sections of `SECTIONS`. Wherever a class is chosen, the file says `name`:

    method: {name: hhcl, temperature: 0.05, clusterer: {name: JaccardDBSCAN, eps: 0.45}}
    data: {name: market1501, batch_size: 256}
    trainer: {max_epochs: 60}

and a bare name stands for a section with nothing but its name (`method: hhcl`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reidzoo.cli.names import PACKAGE
from reidzoo.errors import UserError, nearest

Tree = dict[str, Any]

NAMED = ("method", "data", "logger")  # sections that may be given by a bare name
SECTIONS = (*NAMED, "trainer", "cluster", "evaluate", "guard", "seed", "output", "init", "resume")


@dataclass(frozen=True)
class Layer:
    """The settings of one file, and the name of the file for messages."""

    source: str
    tree: Tree

    def name(self, section: str) -> str | None:
        """The class that this layer chooses for a section, if it does."""
        name = self.tree.get(section, {}).get("name")
        if name is not None and not isinstance(name, str):
            raise UserError(f"{self.source}: {section}.name: expected a name, got {name!r}")
        return name


def read_layer(path: Path, source: str) -> Layer:
    """Read a YAML file; whatever is wrong with it is one line that starts with `source`."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{source}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{source}: not valid YAML, {locate(error)}") from error
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise UserError(f"{source}: expected sections ({', '.join(SECTIONS)}), got {tree!r:.60}")
    for key, value in tree.items():
        if key not in SECTIONS:
            raise UserError(f"{source}: {key}: no such section; {nearest(str(key), SECTIONS)}")
        if key in NAMED and isinstance(value, str):
            tree[key] = {"name": value}
        elif value is None and key not in SECTIONS[-4:]:
            tree[key] = {}
        elif key not in SECTIONS[-4:] and not isinstance(value, dict):
            raise UserError(f"{source}: {key}: expected options by name, got {value!r}")
    return Layer(source, tree)


def locate(error: yaml.YAMLError) -> str:
    """Where a YAML file is broken, in words."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None:
        return " ".join(str(error).split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def experiments() -> Path:
    """Folder of the published settings: inside an installed package, beside it in a checkout."""
    inside = PACKAGE / "experiments"
    return inside if inside.is_dir() else PACKAGE.parent / "experiments"


def published(method: str | None, data: str | None) -> Layer | None:
    """The published settings of a pair, or None where nothing was published."""
    path = experiments() / str(method) / f"{data}.yaml"
    return read_layer(path, f"experiments/{method}/{data}.yaml") if path.is_file() else None


def keep_known(layer: Layer, options: Collection[str]) -> Layer:
    """A layer without what a class does not take: somebody's own class may fix some options."""
    groups = {option.rpartition(".")[0] for option in options if not option.endswith(".help")}

    def keep(tree: Tree, prefix: str) -> Tree:
        kept = {}
        for key, value in tree.items():
            option = f"{prefix}{key}"
            if isinstance(value, dict) and option in groups:
                kept[key] = keep(value, f"{option}.")
            elif option in options:
                kept[key] = value
        return kept

    return Layer(layer.source, keep(layer.tree, ""))


def published_data(method: str) -> list[str]:
    """Names of the data sets for which a method has published settings."""
    return sorted(path.stem for path in (experiments() / method).glob("*.yaml"))


def flatten(tree: Tree, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys.

    >>> flatten({"method": {"clusterer": {"eps": 0.5}}, "seed": 1})
    {'method.clusterer.eps': 0.5, 'seed': 1}
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return flat
