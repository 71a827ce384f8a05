"""From what a run folder holds to its stamp: config.yaml, card.json and results.json suffice.

Runs that were made before there were stamps get one as well, unknown fields as None.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from reidzoo import clustering
from reidzoo.cli import names
from reidzoo.cli.layers import Tree
from reidzoo.data.scarcity import Scarcity
from reidzoo.errors import UserError
from reidzoo.files import read_json
from reidzoo.laboratory.protocol import GIVEN, LAST, OWN, TRUE, Cameras, Protocol

OFF = (None, False, 0, "none")  # values that switch an option off


def read_protocol(folder: Path) -> Protocol:
    """The stamp of a run folder, as it is now."""
    results = read_json(folder / "results.json")
    return stamp_run(folder, results, results.get("protocol") or {})


def stamp_run(folder: Path, results: Tree, recorded: Tree) -> Protocol:
    """The stamp of a run folder whose results are about to be written.

    Args:
        folder: of the run.
        results: what results.json holds, or will hold.
        recorded: what `provenance.record` said when the run was made.
    """
    config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    return stamp(config, read_json(folder / "card.json"), results, recorded)


def stamp(config: Tree, card: Tree, results: Tree, recorded: Tree) -> Protocol:
    """The stamp of a result.

    Args:
        config: all settings of the run.
        card: what card.json holds, empty if unknown.
        results: what results.json holds, empty before training.
        recorded: what `provenance.record` said when the run was made, empty if unknown.
    """
    method, data, trainer = config["method"], config["data"], config.get("trainer", {})
    network = method.get("network", {})
    card_says = read_card(card)
    eps = (method.get("clusterer") or {}).get("eps")
    epochs = results.get("epochs", trainer.get("max_epochs"))
    return Protocol(
        method=method["name"],
        data=data["name"],
        edition=str(card["data"]).removeprefix(str(data["name"])).strip() if card else None,
        split="train+val" if data.get("validation") else "train",
        tested_on=results.get("tested_on"),
        labels=labels_of(config),
        cameras=cameras_of(config, card_says.get("cameras")),
        selection=results.get("selection", LAST),
        test_evaluations=results.get("evaluations", planned_evaluations(config, epochs)),
        reranking=bool(results.get("reranked", False)),
        flip_test=bool(results.get("flipped", False)),
        scarcity=str(Scarcity(**data.get("scarcity", {}))) or "nothing",
        image_size=f"{data['height']} x {data['width']}" if "height" in data else None,
        samples_per_bn=card_says.get("samples_per_bn", network.get("samples_per_bn")),
        batch=images_per_step(config),
        batches=(data["batches"] or "one pass") if "batches" in data else None,
        epochs=epochs,
        backbone=describe_backbone(network),
        weights=describe_weights(config),
        eps_from="auto" if eps == "auto" else recorded.get("eps_from"),
        seed=config.get("seed"),
        versions=card_says.get("versions"),
        git=recorded.get("git"),
    )


def labels_of(config: Tree) -> str:
    """Whose labels a run trains on.

    >>> labels_of({"method": {"labels": "mine.csv"}}), labels_of({"method": {}})
    ('given', 'its own')
    """
    if config["method"].get("labels") is not None:
        return GIVEN
    return TRUE if config.get("cluster", {}).get("oracle", False) else OWN


def read_card(card: Tree) -> Tree:
    """Figures from the sentences of card.json; those that are not there are left out.

    >>> read_card({"images": "train 9, cameras 6", "batch norm": "statistics over 64 images"})
    {'cameras': 6, 'samples_per_bn': 64}
    """
    found: Tree = {}
    if match := re.search(r"cameras (\d+|unknown)", card.get("images", "")):
        found["cameras"] = int(match[1]) if match[1].isdigit() else 0
    if match := re.search(r"over (\d+) images", card.get("batch norm", "")):
        found["samples_per_bn"] = int(match[1])
    if card.get("versions"):
        pairs = (item.rpartition(" ") for item in card["versions"].split(", "))
        found["versions"] = {package: number for package, _, number in pairs}
    return found


def cameras_of(config: Tree, known: int | None = None) -> Cameras:
    """Which parts read cameras, as the classes of method, clusterer and filters declare it.

    Args:
        config: all settings of a run.
        known: number of cameras in the data; with fewer than two nothing can be read from them.
    """
    if known is not None and known < 2:
        return Cameras(False, False, False, False)
    method = config["method"]
    kind = find_class("method", method["name"], names.methods())
    chosen = [(kind, method)]
    for value in method.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and isinstance(item.get("name"), str):
                chosen.append((find_class("method.clusterer", item["name"], {}), item))
    parts = {part for found, options in chosen for part in read_by(found, options)}
    # Labels from a file: nobody can say what they were made with.
    sure = all(found is not None for found, _ in chosen) and labels_of(config) != GIVEN
    drawn = getattr(kind, "sampling", "pk") != "random"
    return Cameras(
        sampler=drawn and bool(config["data"].get("camera_aware", True)),
        clustering="clustering" in parts or (False if sure else None),
        loss="loss" in parts or (False if sure else None),
        test=False,
    )


def find_class(option: str, name: str, entries: dict[str, names.Entry]) -> type | None:
    """The class that a run has named; None for somebody's own that is not here any more."""
    try:
        found: type = getattr(clustering, name, None) or names.load(option, name, entries)
    except (UserError, ImportError, ValueError):
        return None
    return found


def read_by(kind: Any, options: Tree) -> set[str]:
    """The parts in which a class reads cameras under some options, from its `cameras_in`.

    >>> read_by(clustering.JaccardDBSCAN, {"normalise": "camera_mean"})
    {'clustering'}
    >>> read_by(clustering.JaccardDBSCAN, {"normalise": "none"})
    set()
    """
    declared: Mapping[str, tuple[str, ...]] = getattr(kind, "cameras_in", {})
    return {
        part
        for part, switches in declared.items()
        if not switches or any(options.get(switch) not in OFF for switch in switches)
    }


def images_per_step(config: Tree) -> int | None:
    """Images that one optimiser step has seen, each view counted."""
    kind = find_class("method", config["method"]["name"], names.methods())
    size = config["data"].get("batch_size")
    if size is None or kind is None:
        return None
    times: int = config.get("trainer", {}).get("accumulate_grad_batches", 1)
    return int(size) * times * int(getattr(kind, "views", 1))


def planned_evaluations(config: Tree, epochs: int | None) -> int | None:
    """How often a run of so many epochs asks its test set under these settings."""
    options = config.get("evaluate", {})
    last = config.get("trainer", {}).get("max_epochs")
    if epochs is None or "every" not in options:
        return None
    every = options["every"]
    due = [n for n in range(1, epochs + 1) if n == last or (every > 0 and n % every == 0)]
    return len(due) + bool(options.get("untrained", True))


def describe_backbone(network: Tree) -> str | None:
    """The name of the backbone, and its width where one was chosen."""
    name, width = network.get("backbone"), network.get("width")
    return f"{name}, width {width}" if name and width else name


def describe_weights(config: Tree) -> str | None:
    """What training began with."""
    if config.get("init"):
        return f"init {config['init']}"
    network = config["method"].get("network", {})
    return str(network["weights"] or "random") if "weights" in network else None
