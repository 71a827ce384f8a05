"""A grid: rows of `reidzoo.fit` options, each run with every seed.

about: Which of two losses is better?  # a sentence above the table
data: synthetic
seeds: [0, 1, 2]
common: --trainer.max_epochs 16        # options of every row: one text, or a list of words
baseline: plain                        # the row that others are compared with; else the first
pairs: [[supervised, plain]]           # more to be compared: the first with the second
may_differ: [batch, epochs]            # what the rows change on purpose, of the fields of a stamp
rows:
plain: --method cluster_contrast
supervised: [--method, cluster_contrast, --cluster.oracle, true]
"""

import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from reidzoo.errors import UserError, nearest
from reidzoo.laboratory.agreement import MUST_AGREE

KEYS = ("data", "seeds", "common", "baseline", "pairs", "rows", "may_differ", "about")
OWN = {  # options of `reidzoo.fit` that the grid decides
    "--data": "data",
    "--seed": "seeds",
    "--output": "--output of the command",
    "--resume": "--output of the command",
}
Words = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """What to run.

    Args:
        name: of the file.
        data: name of the data set.
        seeds: one run of each row per seed.
        rows: name -> options of `reidzoo.fit`, the common ones in front.
        common: the options that all rows share.
        baseline: name of the row that the others are compared with.
        pairs: names of two rows each that are compared as well, the first with the second.
        may_differ: fields of a stamp in which rows differ on purpose; in all others that
            `agreement.MUST_AGREE` names they are held to agree.
        about: what it is for, in words.
    """

    name: str
    data: str
    seeds: tuple[int, ...]
    rows: dict[str, Words]
    common: Words
    baseline: str
    may_differ: tuple[str, ...] = ()
    about: str = ""
    pairs: tuple[tuple[str, str], ...] = ()

    def cells(self) -> Iterator["Cell"]:
        """Every run, seed by seed, so that a half-finished grid is balanced."""
        for seed in self.seeds:
            for row in self.rows:
                yield self.cell(row, seed)

    def cell(self, row: str, seed: int) -> "Cell":
        """One run."""
        return Cell(row, seed, ("--data", self.data, *self.rows[row], "--seed", str(seed)))


@dataclass(frozen=True)
class Cell:
    """One run: a row of the table under one seed.

    Args:
        row: name of the row.
        seed: its seed.
        options: the words after `python -m reidzoo.fit`.
    """

    row: str
    seed: int
    options: Words

    @property
    def folder(self) -> str:
        """Where it lies below the grid's folder; other options lie elsewhere."""
        digest = hashlib.sha256(json.dumps(self.options).encode()).hexdigest()[:8]
        return f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', self.row)}/seed_{self.seed}_{digest}"


def read_grid(path: Path) -> Grid:
    """Read a grid; whatever is wrong with it is one line.

    Raises:
        UserError: unreadable, an unknown key, or no rows or seeds.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    if not isinstance(tree, dict):
        raise UserError(f"{path}: expected {', '.join(KEYS)}, got {tree!r:.60}")
    for key in tree:
        if key not in KEYS:
            raise UserError(f"{path}: {key}: no such key; {nearest(str(key), KEYS)}")
    seeds, rows = tree.get("seeds", [0]), tree.get("rows")
    if not isinstance(rows, dict) or not rows:
        raise UserError(f"{path}: rows: expected names, each with options of reidzoo.fit")
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
        raise UserError(f"{path}: seeds: expected a list of whole numbers, got {seeds!r}")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{path}: seeds: {seeds} names one twice")
    common = split_words(tree.get("common", []), f"{path}: common")
    options = {str(row): split_words(value, f"{path}: {row}") for row, value in rows.items()}
    baseline = str(tree.get("baseline", next(iter(options))))
    if baseline not in options:
        raise UserError(f"{path}: baseline: {baseline}: no such row; {nearest(baseline, options)}")
    pairs = read_pairs(tree.get("pairs", []), options, f"{path}: pairs")
    differing = tree.get("may_differ", [])
    for field in differing if isinstance(differing, list) else [differing]:
        if field not in MUST_AGREE:
            raise UserError(f"{path}: may_differ: {field}: {nearest(str(field), MUST_AGREE)}")
    return Grid(
        name=path.stem,
        data=str(tree.get("data", "synthetic")),
        seeds=tuple(seeds),
        rows={row: (*common, *words) for row, words in options.items()},
        common=common,
        baseline=baseline,
        may_differ=tuple(differing),
        about=" ".join(str(tree.get("about", "")).split()),
        pairs=pairs,
    )


def read_pairs(value: Any, rows: dict[str, Words], where: str) -> tuple[tuple[str, str], ...]:
    """Pairs of names of rows.

    >>> read_pairs([["b", "a"]], {"a": (), "b": ()}, "pairs")
    (('b', 'a'),)
    """
    pairs = value if isinstance(value, list) else [value]
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
            raise UserError(f"{where}: expected lists of two different rows each, got {pair!r}")
        for row in pair:
            if row not in rows:
                raise UserError(f"{where}: {row}: no such row; {nearest(str(row), rows)}")
    return tuple((str(first), str(second)) for first, second in pairs)


def split_words(value: Any, where: str) -> Words:
    """Options as words: from a text as a shell would split it, or from a list of plain values.

    >>> split_words("--method hhcl", "rows"), split_words(["--cluster.oracle", True], "rows")
    (('--method', 'hhcl'), ('--cluster.oracle', 'true'))
    """
    if isinstance(value, str):
        words = tuple(shlex.split(value))
    elif isinstance(value, list):
        words = tuple(item if isinstance(item, str) else json.dumps(item) for item in value)
    else:
        raise UserError(f"{where}: expected options as one text or a list, got {value!r}")
    for word in words:
        if decided := OWN.get(word.partition("=")[0]):
            raise UserError(f"{where}: {word}: is not for a row; use {decided}")
    return words
