"""What a run has left, without what may differ: times, and where it lies."""

import csv
import json
from pathlib import Path
from typing import Any

import torch
import yaml

TIMES = ("time/", "share/")
ELSEWHERE = ("seconds", "dirpath", "output", "resume")  # keys of times and places


def outcome(output: Path) -> dict[str, Any]:
    """Name -> value of everything in the newest finished run below `output`."""
    run = sorted(output.glob("*/*/checkpoints/last.ckpt"))[-1].parent.parent
    left: dict[str, Any] = {}
    for path in sorted(path for path in run.rglob("*") if path.is_file()):
        left |= flat(path.relative_to(run).as_posix(), read(path), str(run))
    return left


def read(path: Path) -> Any:
    """A file as plain values, where it has any."""
    if path.suffix == ".ckpt":
        content = torch.load(path, weights_only=True)
        return content | {"reidzoo": json.loads(content["reidzoo"])}
    if path.suffix == ".json":
        return {} if path.name == "card.json" else json.loads(path.read_text())
    if path.suffix == ".yaml":
        return yaml.safe_load(path.read_text())
    if path.name == "metrics.csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [{k: v for k, v in row.items() if not k.startswith(TIMES)} for row in rows]
    return path.read_bytes()


def flat(name: str, value: Any, run: str) -> dict[str, Any]:
    """Nested values under the path that leads to them; paths of the run folder are relative."""
    if isinstance(value, dict):
        parts = [(str(key), inner) for key, inner in value.items() if key not in ELSEWHERE]
    elif isinstance(value, list | tuple):
        parts = [(str(place), inner) for place, inner in enumerate(value)]
    else:
        return {name: value.replace(run, "RUN") if isinstance(value, str) else value}
    found: dict[str, Any] = {f"{name}:": len(parts)}
    for key, inner in parts:
        found |= flat(f"{name}/{key.replace(run, 'RUN')}", inner, run)
    return found


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what is not the same, to the bit."""
    return sorted(
        name
        for name in one.keys() | other.keys()
        if name not in one or name not in other or not same(one[name], other[name])
    )


def same(one: Any, other: Any) -> bool:
    """Equal bits; NaN equals itself."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(
            one.contiguous().view(-1).view(torch.uint8) if one.numel() else one,
            other.contiguous().view(-1).view(torch.uint8) if other.numel() else other,
        )
    return type(one) is type(other) and (one == other or (one != one and other != other))
