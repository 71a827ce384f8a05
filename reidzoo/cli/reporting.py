"""What `reidzoo.report` does: read run folders, ask networks about their data, write a page."""

import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import Tensor

from reidzoo.cli.devices import choose_device
from reidzoo.cli.evaluation import embed_records, make_data, settings_of
from reidzoo.cli.layers import Tree, flatten
from reidzoo.cli.training import mute
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.records import Record, Splits
from reidzoo.errors import UserError
from reidzoo.files import below_common_folder, read_json, written_whole
from reidzoo.gallery.answers import best_and_worst, evenly, first_answers
from reidzoo.gallery.scoring import score_queries
from reidzoo.label_files import read_labels
from reidzoo.models import LoadedEmbedder, load
from reidzoo.visual.curves import read_metrics
from reidzoo.visual.projection import choose_sample, project
from reidzoo.visual.report import RunReport, report_page
from reidzoo.visual.report_pictures import Pictures, Ranked

SHOWN = 4  # queries of each kind in the report of one run
CLUSTERS = 12  # clusters in it; several runs share the page
VARYING = ("output", "resume")  # settings that say nothing about what was trained


def run_report(asked: Namespace, options: Sequence[str], page: Path) -> None:
    """Read all runs, look at their data, write the page."""
    mute()
    folders = [newest_run(Path(run).expanduser().resolve()) for run in asked.runs]
    device = choose_device(asked.device)
    names = distinct_names(folders)
    shown = 1 if len(folders) == 1 else 2
    runs = []
    for folder, name in zip(folders, names, strict=True):
        pictures, note = None, ""
        if not asked.no_pictures:
            try:
                pictures, note = take_pictures(folder, options, device, shown), ""
            except UserError as error:
                note = str(error)
                print(f"note: no pictures of {folder}: {note}")
        runs.append(read_run(folder, name, pictures, note))
    title = names[0] if len(names) == 1 else f"{len(names)} runs side by side"
    with written_whole(page) as temporary:
        temporary.write_bytes(report_page(runs, title).encode(errors="replace"))
    print(f"page {page}")


def newest_run(folder: Path) -> Path:
    """The folder itself, or the newest of the runs in it (runs/<method>_<data>)."""
    if (folder / "config.yaml").is_file():
        return folder
    runs = [path.parent for path in folder.glob("*/config.yaml")]
    return max(runs, default=folder)


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Method and data of each run, and its time where that is needed to tell runs apart.

    >>> distinct_names([Path("runs/hhcl_synthetic/1"), Path("runs/hhcl_synthetic/2")])
    ['hhcl_synthetic 1', 'hhcl_synthetic 2']
    """
    pairs = [folder.parent.name for folder in folders]
    return [
        pair if pairs.count(pair) == 1 else f"{pair} {folder.name}"
        for pair, folder in zip(pairs, folders, strict=True)
    ]


def read_run(folder: Path, name: str, pictures: Pictures | None, note: str) -> RunReport:
    """What lies in a run folder, as far as it is there.

    Raises:
        UserError: no run folder, or a file in it cannot be read.
    """
    config = folder / "config.yaml"
    if not config.is_file():
        raise UserError(f"{folder}: no config.yaml in it; give the folder of a run (runs/*/*)")
    text = config.read_text(encoding="utf-8")
    settings = read_settings(config, text)
    metrics = folder / "metrics.csv"
    facts = read_json(folder / "card.json") or {
        "method": settings.get("method.name", ""),
        "data": settings.get("data.name", ""),
    }
    return RunReport(
        name=name,
        folder=str(folder),
        facts={key: str(value) for key, value in facts.items() if key != "run"},
        command=f"python -m reidzoo.fit --config {shlex.quote(str(config))}",
        results=read_json(folder / "results.json"),
        series=read_metrics(metrics) if metrics.is_file() else {},
        settings={key: value for key, value in settings.items() if key not in VARYING},
        config=text,
        pictures=pictures,
        note=note,
    )


def read_settings(path: Path, text: str) -> Tree:
    """Settings of a run by their dotted names."""
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML; it was written by reidzoo.fit") from error
    return flatten(tree if isinstance(tree, dict) else {})


def take_pictures(
    folder: Path, options: Sequence[str], device: torch.device, share: int
) -> Pictures:
    """Ask the trained network of a run about the run's data.

    Args:
        folder: of the run.
        options: `--data.*` words that replace the run's settings.
        device: where the network runs.
        share: the page shows this many times fewer pictures.

    Raises:
        UserError: the checkpoint, the data or one of the images is not there any more.
    """
    model = load(folder).to(device)
    name = str(model.config.get("data"))
    settings = settings_of(model, str(folder), name)
    root = settings.tree["data"].get("root")
    if root and not options and not Path(root).expanduser().is_dir():
        raise UserError(f"the data are not in {root} any more; give --data.root DIR")
    data = make_data(name, options, settings)
    labels = last_labels(folder / "pseudo_labels.csv", data.splits.train)
    identities = np.array([record.identity for record in data.splits.train])
    known = identities if (identities >= 0).any() else labels
    sample = choose_sample(known if len(known) else identities)
    rows = embed_records(model, data, [data.splits.train[i] for i in sample], "embedding a sample")
    return Pictures(
        ranked=search_queries(model, data, -(-SHOWN // share)),
        train=data.splits.train,
        labels=labels,
        places=[(float(x), float(y)) for x, y in project(rows.cpu())],
        sample=sample.tolist(),
        clusters=CLUSTERS // share,
    )


def search_queries(
    model: LoadedEmbedder, data: ReIDDataModule, count: int
) -> dict[str, list[Ranked]]:
    """Ranked lists of the hardest, of ordinary and of the easiest queries."""
    splits = data.splits
    if not (splits.query and splits.gallery):
        return {}
    query, gallery = (
        embed_records(model, data, records, f"embedding {part}")
        for part, records in (("query", splits.query), ("gallery", splits.gallery))
    )
    _, precisions = score_queries(query, gallery, splits)
    best, worst = best_and_worst(precisions, count)
    kinds = {
        "Hardest queries": worst,
        "Queries evenly spaced over the test set": evenly(len(query), count),
        "Easiest queries": best,
    }
    return {kind: rank(query, gallery, splits, asked, precisions) for kind, asked in kinds.items()}


def rank(
    query: Tensor, gallery: Tensor, splits: Splits, asked: Tensor, precisions: NDArray[np.float64]
) -> list[Ranked]:
    """The first answers to some queries, those that count."""
    answers = first_answers(query, gallery, splits, asked)
    found = []
    for q, row, distances in zip(
        asked.tolist(), answers.gallery.tolist(), answers.distances.tolist(), strict=True
    ):
        kept = [(g, 1 - d) for g, d in zip(row, distances, strict=True) if np.isfinite(d)]
        found.append(
            Ranked(
                splits.query[q],
                [splits.gallery[g] for g, _ in kept],
                [similarity for _, similarity in kept],
                float(precisions[q]),
            )
        )
    return found


def last_labels(path: Path, train: Sequence[Record]) -> NDArray[np.int64]:
    """The last pseudo-label of each training image [N]; empty if the run has left none.

    Images are matched by their place below the common folder: the data may have moved.

    Raises:
        UserError: the file is about other images; --data.root may say where the right ones are.
    """
    if not path.is_file():
        return np.zeros(0, np.int64)
    images = below_common_folder(record.path for record in train)
    return np.array(read_labels(path, images, "pseudo-labels"), dtype=np.int64)
