"""Two real processes that fill the same caches at once read the same, and leave whole files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_processes_fill_all_caches_at_once(tmp_path):
    kernels = tmp_path / "kernels"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(kernels), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.data.two_builders", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()
    assert list(kernels.rglob("*.nbc"))
    left = [*tmp_path.rglob(".*"), *tmp_path.rglob("*.tmp.*")]
    assert not left
