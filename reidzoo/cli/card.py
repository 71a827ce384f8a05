"""What a run says about itself: a card before training, a table after it."""

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.console import Console
from rich.table import Table

from reidzoo.callbacks.rooms import datamodule_of
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.files import write_text
from reidzoo.methods.base import Method

ROWS = (
    ("untrained", "untrained"),
    ("last", "last epoch"),
    ("label_free", "epoch chosen without labels"),
    ("best", "best epoch, chosen on test"),
)
AGREEMENT = (  # figure of results.json -> how it reads
    ("count", "clusters", "{:.0f}"),
    ("outlier_share", "outliers", "{:.1%}"),
    ("ari", "ARI", "{:.3f}"),
    ("nmi", "NMI", "{:.3f}"),
    ("pairwise_precision", "pairwise precision", "{:.3f}"),
    ("pairwise_recall", "pairwise recall", "{:.3f}"),
    ("lost_identities", "people lost", "{:.1%}"),
)
WITHOUT_LABELS = (
    ("stability", "stability", "{:.3f}"),
    ("silhouette", "silhouette", "{:.3f}"),
    ("camera_gap", "camera gap", "{:.3f}"),
    ("single_camera_share", "one-camera clusters", "{:.1%}"),
    ("other_camera_share", "other cameras among 20 nearest", "{:.1%}"),
)


class Card(pl.Callback):
    """Prints the card on rank 0 once data and processes are known; card.json keeps it.

    Args:
        method: name of the method.
        data: name of the data set.
        layers: where settings came from, besides class defaults and the command line.
        folder: the run folder.
    """

    def __init__(self, method: str, data: str, layers: Sequence[str], folder: Path) -> None:
        self.method, self.data, self.layers, self.folder = method, data, layers, folder

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Print it."""
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Method)
        data = datamodule_of(trainer)
        rows = {
            "method": f"{self.method}: {pl_module.paper}",
            "fidelity": pl_module.fidelity,
            "settings": ", ".join(self.layers) or "class defaults (nothing published)",
            "data": f"{self.data} {data.splits.edition}".strip(),
            "scarcity": str(data.scarcity),
            "labels": describe_labels(trainer, pl_module),
            "images": count_images(data),
            "batch": describe_batch(trainer, data),
            "batch norm": describe_norm(trainer, pl_module, data),
            "trainer": f"{trainer.max_epochs} epochs, precision {trainer.precision}, "
            f"{trainer.world_size} x {trainer.strategy.root_device.type}",
            "seed": os.environ.get("PL_GLOBAL_SEED", ""),
            "versions": describe_versions(),
            "run": str(self.folder),
        }
        print_pairs({name: text for name, text in rows.items() if text})
        write_text(self.folder / "card.json", json.dumps(rows, indent=2) + "\n")


def count_images(data: ReIDDataModule) -> str:
    """Images of each split, with the official number where it differs."""
    official = data.official
    parts = []
    for name in ("train", "query", "gallery"):
        found = len(getattr(data.splits, name))
        expected = getattr(official, name) if official is not None else found
        parts.append(
            f"{name} {found:,}" + ("" if found == expected else f" (official {expected:,})")
        )
    known = "as official" if official and "official" not in " ".join(parts) else ""
    cameras = f"cameras {data.num_cameras}" if data.num_cameras else "cameras unknown"
    return ", ".join(part for part in (*parts, cameras, known) if part)


def describe_labels(trainer: pl.Trainer, method: Method) -> str:
    """Where labels come from if not from clusters; a warning where a run is no unsupervised one."""
    if method.labels_from is not None:
        return f"given by {method.labels_from} (--method.labels), the same in every epoch"
    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    oracle = any(getattr(callback, "oracle", False) for callback in callbacks)
    return "true identities (--cluster.oracle): a supervised bound" if oracle else ""


def describe_batch(trainer: pl.Trainer, data: ReIDDataModule) -> str:
    """Identities (or proxies) x images, and over how many processes and steps.

    The product is what one optimiser step has seen.
    """
    W, A, K = trainer.world_size, trainer.accumulate_grad_batches, data.num_instances
    sampling = data.sampler.sampling
    unit = "proxies" if sampling == "proxies" and data.camera_aware else "identities"
    paired = f"{data.batch_size // K} {unit} x {K} images"
    shape = "random images" if sampling == "random" else paired
    text = f"{data.batch_size} ({shape})"
    text += f" x {A} accumulated = {data.batch_size * A}" if A > 1 else ""
    text += f" on {W} processes" if W > 1 else ""
    return f"{text}, {data.batches or 'one pass'}{' steps' if data.batches else ''} per epoch"


def describe_norm(trainer: pl.Trainer, method: Method, data: ReIDDataModule) -> str:
    """Images whose statistics one batch-norm layer uses at a time."""
    per_process = data.batch_size // trainer.world_size * method.views
    group = method.network_options.samples_per_bn
    return f"statistics over {min(group or per_process, per_process)} images"


def describe_versions() -> str:
    """What figures may depend on, beside the settings."""
    packages = ("reidzoo", "torch", "pytorch-lightning", "numpy")
    named = [f"{package} {version(package)}" for package in packages]
    return ", ".join([*named, f"Python {platform.python_version()}"])


def print_results(folder: Path) -> None:
    """The table at the end of a run, read from its results.json."""
    path = folder / "results.json"
    if not path.is_file():
        return
    results = json.loads(path.read_text(encoding="utf-8"))
    if "last" in results:
        Console(highlight=False).print(results_table(results))
    found = results.get("cluster", {})
    seconds = dict(results.get("seconds", {}))
    total = seconds.pop("epoch", sum(seconds.values()))
    stages = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    picture, labels = folder / "ranked_lists.png", folder / "pseudo_labels.csv"
    print_pairs(
        {
            "last clusters": in_words(found, AGREEMENT),
            "without labels": in_words(found, WITHOUT_LABELS),
            "label-free choice": describe_choice(results, folder),
            "seconds": f"{total:.1f}: {stages}" if stages else "",
            "ranked lists": str(picture) if picture.is_file() else "",
            "pseudo-labels": str(labels) if labels.is_file() else "",
            "run": str(folder),
        }
    )


def describe_choice(results: dict[str, Any], folder: Path) -> str:
    """Which epoch was chosen without identities, by which score, and where it is."""
    if "label_free" not in results:
        return ""
    row = results["label_free"]
    name, form = next((name, f) for name, _, f in WITHOUT_LABELS if name in row)
    score = f"{name} {form.format(row[name])}"
    return f"epoch {row['epoch']:.0f}, {score}: {folder / 'checkpoints' / 'label_free.ckpt'}"


def in_words(found: dict[str, float], rows: Sequence[tuple[str, str, str]]) -> str:
    """Those figures that are known, one after the other.

    >>> in_words({"ari": 0.5}, AGREEMENT)
    'ARI 0.500'
    """
    return ", ".join(f"{word} {form.format(found[n])}" for n, word, form in rows if n in found)


def results_table(results: dict[str, Any]) -> Table:
    """Untrained, last and best figures side by side, in percent."""
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("")
    for name in ("epoch", "mAP", "R1", "R5", "R10", "mINP"):
        table.add_column(name, justify="right")
    for key, label in ROWS:
        if key in results:
            scores = results[key]
            names = ("mAP", "cmc1", "cmc5", "cmc10", "mINP")  # none in an epoch not evaluated
            values = [f"{100 * scores[name]:.1f}" if name in scores else "-" for name in names]
            table.add_row(label, f"{scores['epoch']:.0f}", *values)
    return table


def print_pairs(pairs: dict[str, str]) -> None:
    """Two columns, never wrapped, so that a path can be copied; empty ones are left out."""
    width = max(map(len, pairs)) + 2
    for name, text in pairs.items():
        if text:
            print(f"{name:{width}}{text}")
