"""Measure a part of reidzoo against a plain way: `python -m reidzoo.bench labels --n 12936`."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from reidzoo.cli import errors
from reidzoo.errors import UserError, nearest
from reidzoo.files import write_text

BENCHMARKS = {  # name -> (module, function, what it measures)
    "labels": ("labels", "bench_labels", "pseudo-labels after k-NN, against dense arrays"),
    "knn": ("knn", "bench_knn", "exact nearest neighbours, against a complete sort"),
    "eval": ("evaluation", "bench_eval", "mAP and CMC after the product, against sorting"),
    "search": ("search", "bench_search", "one query in a million rows, against sorting them"),
    "step": ("step", "bench_step", "memory, loss and sampler, against a ResNet-50 step"),
    "extract": ("extract", "bench_extract", "images to features, against fp32 NCHW"),
    "epoch": ("epoch", "bench_epoch", "a whole epoch by stages, against dense clustering"),
    "profile": ("profile", "bench_profile", "the operations of a training step"),
    "input": ("input", "bench_input", "from JPEG to an augmented batch, against torchvision"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    return errors.run(lambda: bench(list(words)), advice="nothing was measured")


def bench(words: list[str]) -> None:
    """Run one benchmark, print its table and, with --json FILE, write all its figures."""
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return
    name, *rest = words
    if name not in BENCHMARKS:
        raise UserError(f"bench: {name!r} is no benchmark; {nearest(name, BENCHMARKS)}")
    module, function, what = BENCHMARKS[name]
    measure = getattr(import_module(f"reidzoo.benchmarks.{module}"), function)
    options, json_path = understand(name, what, measure, rest)
    report = measure(**options)
    if json_path:
        write_text(json_path, json.dumps(asdict(report), indent=2) + "\n")
    print(report.to_markdown())


def overview() -> str:
    """List the benchmarks, one line each.

    >>> print(overview().splitlines()[0])
    usage: python -m reidzoo.bench NAME [options], --json FILE for all figures, NAME --help for more
    """
    lines = [f"  {name:8}{what}" for name, (_, _, what) in BENCHMARKS.items()]
    usage = "usage: python -m reidzoo.bench NAME [options], --json FILE for all figures"
    return "\n".join([f"{usage}, NAME --help for more", *lines])


def understand(
    name: str, what: str, measure: Callable[..., Any], words: list[str]
) -> tuple[dict[str, Any], str | None]:
    """Read the options that the benchmark's own signature declares, and --json."""
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(
        prog=f"python -m reidzoo.bench {name}", description=what, exit_on_error=False
    )
    parser.add_function_arguments(measure)
    parser.add_argument("--json", type=str | None, metavar="FILE", help="write all figures here")
    try:
        options = parser.parse_args(words).as_dict()
    except ArgumentError as error:
        raise UserError(f"bench {name}: {' '.join(str(error).split())}") from error
    json_path = options.pop("json")
    if json_path and not Path(json_path).resolve().parent.is_dir():
        raise UserError(f"--json {json_path}: its folder does not exist; make it first")
    return options, json_path


if __name__ == "__main__":
    sys.exit(main())
