"""Small data sets on disk."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[..., Path]:
    """Write a tree of empty files, {folder: names}, below a folder of the test."""

    def make(tree: Mapping[str, Sequence[str]], where: str = "data_set") -> Path:
        root = tmp_path / where
        root.mkdir(parents=True, exist_ok=True)
        for folder, names in tree.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for name in names:
                path = root / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        return root

    return make
