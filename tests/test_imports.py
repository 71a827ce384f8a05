"""Who may import whom: the house rules of reidzoo, read from the source."""

import ast
from pathlib import Path

import pytest

import reidzoo

ROOT = Path(reidzoo.__file__).parent
LEAVES = {"errors", "files", "images", "machine_code", "label_files"}  # usable from everywhere
ALLOWED = {  # room -> rooms of reidzoo that it may import, beside itself and the leaves
    "losses": set(),
    "clustering": set(),
    "distributed": set(),
    "metrics": {"distributed"},
    "memory": {"distributed"},
    "models": {"distributed"},
    "data": {"distributed", "metrics", "models"},
    "visual": {"metrics", "clustering", "models", "data", "gallery"},
    "gallery": {"metrics", "clustering", "models", "data"},
    "methods": {"losses", "memory", "models", "clustering", "distributed"},
    "callbacks": {
        "clustering",
        "metrics",
        "visual",
        "data",
        "distributed",
        "gallery",
        "methods",
        "models",
    },
}
FOREIGN = {  # package -> the rooms or files that may name it
    "pytorch_lightning": {
        "methods",
        "callbacks",
        "data/datamodule.py",
        "cli",
        "fit.py",
        "benchmarks/epoch.py",
    },
    "wandb": {"cli", "callbacks", "visual"},
    "albumentations": {"data/transforms.py", "benchmarks"},
    "faiss": {"clustering/neighbours.py", "gallery", "benchmarks"},
    "torch.distributed": {"distributed.py"},
}


def imports(path: Path) -> set[str]:
    """Dotted names of everything a file imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_data_flows_one_way(path):
    room = path.parts[0].removesuffix(".py")
    if room not in ALLOWED:
        return  # commands and the command line may import everything below them
    used = {name.split(".")[1] for name in imports(ROOT / path) if name.startswith("reidzoo.")}
    assert used <= ALLOWED[room] | {room} | LEAVES


@pytest.mark.parametrize("path", FILES, ids=str)
def test_foreign_packages_stay_in_their_rooms(path):
    for package, homes in FOREIGN.items():
        names = imports(ROOT / path)
        named = any(name == package or name.startswith(package + ".") for name in names)
        at_home = any(path.as_posix() == home or path.parts[0] == home for home in homes)
        assert at_home or not named, f"{path} imports {package}"


def test_callbacks_know_no_concrete_method():
    concrete = {path.stem for path in (ROOT / "methods").glob("*.py")} - {
        "__init__",
        "base",
        "state",
        "optimization",
        "soundness",
    }
    for path in (ROOT / "callbacks").glob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[-1] in concrete}
