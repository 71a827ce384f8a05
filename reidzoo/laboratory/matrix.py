"""The cross-domain matrix: models down, data sets across, mAP and R1 in each cell."""

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reidzoo.callbacks.run_files import describe_test
from reidzoo.cli import names
from reidzoo.cli.devices import choose_device
from reidzoo.cli.evaluation import check_test, embed_test, make_data, stamp_evaluation
from reidzoo.cli.layers import Layer, Tree, flatten
from reidzoo.errors import UserError
from reidzoo.files import find_checkpoint, write_text
from reidzoo.gallery.files import fingerprint
from reidzoo.gallery.scoring import score_splits
from reidzoo.laboratory.agreement import group_of
from reidzoo.models import LoadedEmbedder, load

FIGURES = ("mAP", "mINP", "cmc1", "cmc5", "cmc10")
Key = tuple[str, str, str, bool]
LEGEND = """\
mAP / R1 in per cent, single query, images of the query's own camera left out{reranked}. Images have
the size that the model was trained with, unless the data set's options say another."""


@dataclass(frozen=True)
class Column:
    """A data set to test on.

    Args:
        text: as it was given.
        name: of the data set.
        options: words for the parser of the data set.
    """

    text: str
    name: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One model on one data set.

    Args:
        digest: of the model's file.
        column: text of the column.
        tested_on: edition and number of images.
        reranked: by k-reciprocal neighbours.
        scores: fractions.
        protocol: the stamp of these figures.
    """

    digest: str
    column: str
    tested_on: str
    reranked: bool
    scores: dict[str, float]
    protocol: Tree

    @property
    def key(self) -> Key:
        """What the scores depend on."""
        return self.digest, self.column, self.tested_on, self.reranked


@dataclass(frozen=True)
class Row:
    """A model: its file, and what that says about itself."""

    model: str
    digest: str
    method: str | None
    trained_on: str | None
    seed: int | None


def read_column(text: str) -> Column:
    """Understand NAME,OPTION=VALUE,...

    Raises:
        UserError: no such data set, or an option without a value.

    >>> read_column("synthetic,preset=hard,workers=0").options
    ('--data.preset=hard', '--data.workers=0')
    """
    name, *pairs = text.split(",")
    names.check("data", name, names.data_sets())
    for pair in pairs:
        if not all(pair.partition("=")):
            raise UserError(
                f"--data {text}: {pair!r} is no OPTION=VALUE; write {name},root=DIR or the like"
            )
    return Column(text, name, tuple(f"--data.{pair}" for pair in pairs))


def run_matrix(asked: Namespace) -> None:
    """Look at everything first, then score what is not known, then print the table."""
    device = choose_device(asked.device)
    columns = [read_column(text) for text in asked.data]
    tested_on = [find_test(column) for column in columns]
    folder = Path(asked.output).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    cells = read_cells(folder / "matrix.json")
    table: dict[Row, list[Cell]] = {}
    for path in asked.models:
        model = load(path)
        row = describe(path, model)
        table[row] = []
        for column, tested in zip(columns, tested_on, strict=True):
            key = (row.digest, column.text, tested, asked.rerank)
            if key not in cells:
                scores, protocol = score(path, model.to(device), column, asked.rerank)
                cells[key] = Cell(*key, scores, protocol)
                keep(folder / "matrix.json", list(table), columns, cells)
            table[row].append(cells[key])
            print(f"{path} on {column.text}: {show(cells[key])}", flush=True)
    keep(folder / "matrix.json", list(table), columns, cells)
    text = markdown(table, columns)
    write_text(folder / "matrix.md", text)
    print(f"\n{text}\ntable and figures: {folder / 'matrix'}.md, .json")


def find_test(column: Column) -> str:
    """Edition and size of a test set; a missing one is said before anything is embedded."""
    try:
        data = make_data(column.name, column.options, Layer(column.text, {}))
    except UserError as error:
        raise UserError(f"--data {column.text}: {error}; here {column.name},root=DIR") from error
    check_test(data, column.text)
    return describe_test(data)


def score(
    path: str, model: LoadedEmbedder, column: Column, rerank: bool
) -> tuple[dict[str, float], Tree]:
    """Figures of one cell, and under which protocol they were made."""
    size = {"height": model.config["height"], "width": model.config["width"]}
    data = make_data(column.name, column.options, Layer("the model", {"data": size}))
    query, gallery = embed_test(model, data)
    scores = score_splits(query, gallery, data.splits, rerank)
    stamp = stamp_evaluation(Path(path), model, column.name, data, rerank)
    return {name: float(scores[name]) for name in FIGURES}, stamp.tree()


def describe(path: str, model: LoadedEmbedder) -> Row:
    """What a model says about itself."""
    about, digest = model.config, fingerprint(find_checkpoint(path, path))
    return Row(path, digest, about.get("method"), about.get("data"), about.get("seed"))


def read_cells(path: Path) -> dict[Key, Cell]:
    """What was scored before, also for other tables."""
    if not path.is_file():
        return {}
    try:
        cells = [Cell(**cell) for cell in json.loads(path.read_text("utf-8"))["cells"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--output {path.parent}: {path.name} is not a table of this command; move it away"
        ) from error
    return {cell.key: cell for cell in cells}


def keep(
    path: Path, rows: Sequence[Row], columns: Sequence[Column], cells: Mapping[Key, Cell]
) -> None:
    """Everything behind the table; fractions, not per cent."""
    tree = {
        "rows": [asdict(row) for row in rows],
        "columns": [column.text for column in columns],
        "cells": [asdict(cell) for cell in cells.values()],
    }
    write_text(path, json.dumps(tree, indent=2) + "\n")


def markdown(table: Mapping[Row, Sequence[Cell]], columns: Sequence[Column]) -> str:
    """The table with its legend."""
    head = ["model", "method", "trained on", "trained with", *(column.text for column in columns)]
    lines = [f"| {' | '.join(head)} |", f"|---|---|---|---|{'---:|' * len(columns)}"]
    for row, line in table.items():
        trained_with = group_of(flatten(line[0].protocol))
        about = [row.model, row.method or "", row.trained_on or "", trained_with]
        lines.append(f"| {' | '.join([*about, *map(show, line)])} |")
    reranked = ", re-ranked by k-reciprocal neighbours" if line[0].reranked else ""
    return "\n".join([*lines, "", LEGEND.format(reranked=reranked)]) + "\n"


def show(cell: Cell) -> str:
    """The figures of a cell, in per cent.

    >>> show(Cell("", "", "", False, {"mAP": 0.821, "cmc1": 0.923}, {}))
    '82.1 / 92.3'
    """
    return f"{100 * cell.scores['mAP']:.1f} / {100 * cell.scores['cmc1']:.1f}"
