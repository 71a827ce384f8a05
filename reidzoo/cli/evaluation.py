"""What `reidzoo.evaluate` does: data set and model together, features, scores, tables."""

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser
from rich.console import Console
from rich.table import Table
from torch import Tensor

from reidzoo.callbacks.run_files import describe_test
from reidzoo.cli import names
from reidzoo.cli.card import print_pairs
from reidzoo.cli.choices import hints
from reidzoo.cli.devices import choose_device
from reidzoo.cli.layers import Layer, Tree, keep_known
from reidzoo.cli.parser import instantiate, settle
from reidzoo.cli.progress import shown
from reidzoo.cli.request import DEFAULT_DATA
from reidzoo.cli.session import load_class
from reidzoo.cli.training import mute
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.records import Record
from reidzoo.errors import UserError
from reidzoo.files import find_checkpoint, write_text
from reidzoo.gallery.scoring import score_cameras, score_splits, score_verification
from reidzoo.laboratory.protocol import BEST, LABEL_FREE, LAST, Protocol
from reidzoo.laboratory.stamps import describe_backbone, read_protocol
from reidzoo.laboratory.stamps import stamp as make_stamp
from reidzoo.models import LoadedEmbedder, load
from reidzoo.models.extraction import extract

Scores = dict[str, Any]

RATES = {"tpr1e-2": "1 %", "tpr1e-3": "0.1 %", "tpr1e-4": "0.01 %"}
WIDEST = 12  # cameras whose pairs fit on a screen
SHOWN_PAIRS = 10


def run_evaluation(asked: Namespace, options: Sequence[str]) -> None:
    """Extract, score, print, and write the JSON if one was asked for."""
    mute()
    device = choose_device(asked.device)
    model = load(asked.model).to(device)
    trained_on = model.config.get("data")
    name = asked.data or trained_on or DEFAULT_DATA
    data = make_data(name, options, settings_of(model, asked.model, name))
    check_test(data, name)
    query, gallery = embed_test(model, data)
    scores: Scores = dict(score_splits(query, gallery, data.splits, asked.rerank))
    scores |= score_verification(query, gallery, data.splits)
    scores["camera_pairs"] = score_cameras(query, gallery, data.splits, asked.rerank)
    about = {
        "model": str(asked.model),
        "method": model.config.get("method"),
        "trained_on": trained_on,
        "data": name,
        "edition": data.splits.edition,
        "images": {"query": len(data.splits.query), "gallery": len(data.splits.gallery)},
        "reranked": asked.rerank,
    }
    stamp = stamp_evaluation(Path(asked.model), model, name, data, asked.rerank)
    print_scores(about, scores)
    if asked.json:
        figures = about | scores | {"protocol": stamp.tree()}
        write_text(Path(asked.json).expanduser(), json.dumps(figures, indent=2) + "\n")
        print(f"figures in {asked.json}")


def stamp_evaluation(
    path: Path, model: LoadedEmbedder, name: str, data: ReIDDataModule, reranked: bool
) -> Protocol:
    """The protocol of figures that were asked of a trained model now.

    What a bare file does not say of its training stays unknown. The test set is asked once; what
    happened while training is the business of the run.

    Args:
        path: a run folder or a file.
        model: what it holds.
        name: of the data set that is searched.
        data: the data set.
        reranked: whether answers were ranked by k-reciprocal neighbours.
    """
    file = find_checkpoint(path, str(path))
    folder = file.resolve().parent.parent
    config = model.config.get("config") or {}
    trained = Protocol()
    if file.suffix == ".ckpt" and (folder / "config.yaml").is_file():
        trained = read_protocol(folder)
    elif {"method", "data"} <= config.keys():
        trained = make_stamp(config, {}, {}, {})
    chosen = {"last.ckpt": LAST, "best.ckpt": BEST, "label_free.ckpt": LABEL_FREE}
    return replace(
        trained,
        tested_on=f"{name} {describe_test(data)}",
        backbone=describe_backbone(model.config.get("network", {})),
        cameras=replace(trained.cameras, test=False),
        selection=chosen.get(file.name),
        test_evaluations=1,
        reranking=reranked,
        flip_test=False,
        image_size=f"{data.height} x {data.width}",
    )


def settings_of(model: LoadedEmbedder, source: str, data: str) -> Layer:
    """Settings of the run that hold for this data set: all of them if it was trained on it."""
    tree: Tree = {}
    if model.config.get("data") == data:
        tree = dict(model.config.get("config", {}).get("data", {}))
    size = {"height": model.config["height"], "width": model.config["width"]}
    return Layer(source, {"data": tree | size})


def make_data(name: str, options: Sequence[str], settings: Layer) -> ReIDDataModule:
    """A data set, read.

    Raises:
        UserError: a wrong option, or no such data there.
    """
    data_class = load_class("data", name, names.data_sets(), ReIDDataModule)
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False, add_help=False)
    parser.add_class_arguments(data_class, "data", fail_untyped=False)
    chosen = settle(parser, [keep_known(settings, hints(parser))], options)
    data: ReIDDataModule = instantiate(parser, chosen).data
    data.prepare_data()
    data.setup()
    return data


def check_test(data: ReIDDataModule, name: str) -> None:
    """Refuse data without a labelled test set."""
    if not (data.splits.query and data.splits.gallery):
        raise UserError(
            f"--data {name}: it has no labelled query and gallery to evaluate on; for a folder of "
            "your own see --data.labelled and --data.table"
        )


def embed_test(model: LoadedEmbedder, data: ReIDDataModule) -> tuple[Tensor, Tensor]:
    """Unit rows of query and gallery, on the model's device."""
    return (
        embed_records(model, data, data.splits.query, "embedding query"),
        embed_records(model, data, data.splits.gallery, "embedding gallery"),
    )


def embed_records(
    model: LoadedEmbedder, data: ReIDDataModule, records: Sequence[Record], doing: str
) -> Tensor:
    """Unit rows [N, D] of images, in order, on the model's device."""
    loader = data.plain_loader(records, range(len(records)))
    with shown(doing, len(records)) as advance:

        def embed(image: Tensor) -> dict[str, Tensor]:
            rows = model(image)
            advance(len(image))
            return {"global": rows}

        return extract(embed, loader, len(records), model.device)["global"]


def print_scores(about: Scores, scores: Scores) -> None:
    """Everything on the screen: what, overall scores, thresholds, pairs of cameras."""
    trained = f" trained on {about['trained_on']}" if about["trained_on"] else ""
    print_pairs(
        {
            "model": f"{about['model']}: {about['method'] or 'a network'}{trained}",
            "data": " ".join([about["data"], about["edition"]]).strip(),
            "images": ", ".join(f"{part} {count:,}" for part, count in about["images"].items()),
            "ranking": "by k-reciprocal neighbours" if about["reranked"] else "by distance",
        }
    )
    console = Console(highlight=False)
    console.print(overall_table(scores))
    rates = [f"{100 * scores[key]:.1f} at {rate}" for key, rate in RATES.items()]
    threshold = scores.get("threshold")
    print_pairs(
        {
            "TPR at FPR": ", ".join(rates),
            "EER": f"{scores['eer']:.2%}, at similarity {scores['eer_threshold']:.3f}",
            "threshold": f"{threshold:.3f} (reidzoo.search: below it, no match)"
            if threshold is not None
            else "",
        }
    )
    if pairs := scores["camera_pairs"]:
        heading, table = camera_table(pairs)
        print(f"\n{heading}")
        console.print(table)


def overall_table(scores: Scores) -> Table:
    """mAP, CMC and mINP in percent, one row."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("mAP", "R1", "R5", "R10", "mINP"):
        table.add_column(name, justify="right")
    values = [scores[name] for name in ("mAP", "cmc1", "cmc5", "cmc10", "mINP")]
    table.add_row(*(f"{100 * value:.1f}" for value in values))
    return table


def camera_table(pairs: Sequence[Scores]) -> tuple[str, Table]:
    """MAP of each pair of cameras as a matrix; of many cameras, the worst pairs as a list."""
    cameras = sorted({pair[side] for pair in pairs for side in ("query", "gallery")})
    if len(cameras) > WIDEST:
        return f"the worst of {len(pairs)} pairs of cameras (--json has all)", worst_pairs(pairs)
    found = {(pair["query"], pair["gallery"]): f"{100 * pair['mAP']:.1f}" for pair in pairs}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for camera in cameras:
        table.add_column(str(camera), justify="right")
    for a in cameras:
        table.add_row(f"camera {a}", *(found.get((a, b), "-") for b in cameras))
    return "mAP of searches from one camera (row) in another (column)", table


def worst_pairs(pairs: Sequence[Scores]) -> Table:
    """The pairs of cameras between which searches fail most."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("from camera", "in camera", "queries", "mAP", "R1"):
        table.add_column(name, justify="right")
    for pair in sorted(pairs, key=lambda pair: pair["mAP"])[:SHOWN_PAIRS]:
        values = [str(pair[name]) for name in ("query", "gallery", "queries")]
        table.add_row(*values, *(f"{100 * pair[name]:.1f}" for name in ("mAP", "cmc1")))
    return table
