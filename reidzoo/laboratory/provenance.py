"""What only the moment of training knows: the state of the source, and who chose eps."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from reidzoo.cli.layers import Layer, Tree, flatten
from reidzoo.cli.names import PACKAGE

CLUSTERER = "method.clusterer"
PATIENCE = 20  # seconds for git, which may have to look at every file


def record(settings: Tree, layers: Sequence[Layer], options: Sequence[str]) -> Tree:
    """The recorded fields of a stamp.

    Args:
        settings: all settings of the run.
        layers: the files they came from, in order.
        options: the words of the command line.
    """
    return {"eps_from": eps_origin(settings, layers, options), "git": git_state(PACKAGE.parent)}


def eps_origin(settings: Tree, layers: Sequence[Layer], options: Sequence[str]) -> str:
    """Who chose eps, or any setting of a clusterer that has none.

    >>> chosen = {"method": {"clusterer": {"name": "JaccardDBSCAN", "eps": 0.5}}}
    >>> eps_origin(chosen, [], ["--method.clusterer.eps", "0.5"]), eps_origin(chosen, [], [])
    ('command line', 'class default')
    """
    has_eps = "eps" in settings["method"].get("clusterer", {})

    def chosen_in(tree: Tree) -> bool:
        keys = [key for key in flatten(tree) if f"{key}.".startswith(f"{CLUSTERER}.")]
        return any(key.endswith(".eps") or not has_eps for key in keys)

    if chosen_in(typed(options)):
        return "command line"
    for layer in reversed(layers):
        if chosen_in(layer.tree):
            return "config file" if layer.source.startswith("--config") else "published yaml"
    return "class default"


def typed(options: Sequence[str]) -> Tree:
    """Options as typed, by their names; objects written as YAML are looked into.

    >>> typed(["--method.clusterer", "{name: HDBSCAN}", "--seed=3"])
    {'method.clusterer': {'name': 'HDBSCAN'}, 'seed': 3}
    """
    found: Tree = {}
    for word, following in zip(options, [*options, ""][1:], strict=True):
        key, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--"):
            try:
                found[key] = yaml.safe_load(value if equals else following)
            except yaml.YAMLError:
                found[key] = value
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of a checkout, and whether files that it tracks were changed; None outside of one."""
    if not (folder / ".git").exists():
        return None
    said = []
    for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *words],
                capture_output=True, text=True, check=True, timeout=PATIENCE,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        said.append(done.stdout.strip())
    return {"commit": said[0], "dirty": bool(said[1])}
