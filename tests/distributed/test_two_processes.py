"""DESIGN's two promises: ranks are bit-equal, and two processes equal one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reidzoo.cli.names import methods
from tests.distributed.launched import EPOCHS
from tests.tiny import fit

pytestmark = pytest.mark.slow
NAMES = sorted(methods())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone"]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command += ["-m", "tests.distributed.launched", str(folder)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def load(path: Path):
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("name", NAMES)
def test_ranks_are_bit_equal(folder, name):
    first, second = load(folder / f"{name}_0.pt"), load(folder / f"{name}_1.pt")
    assert first["state"].keys() == second["state"].keys()
    for key, value in first["state"].items():
        assert torch.equal(value, second["state"][key]), key
    assert first["labels"] is second["labels"] or torch.equal(first["labels"], second["labels"])


@pytest.mark.parametrize("name", NAMES)
def test_resume_is_bit_equal(folder, name):
    whole, resumed = load(folder / f"{name}_0.pt")["state"], load(folder / f"{name}_resumed_0.pt")
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_equal_one(folder, name, tmp_path):
    """With batch norm over the half batch that a rank sees."""
    two = load(folder / f"{name}_0.pt")
    kind = methods()[name].load()
    rows_per_rank = 32 * kind.views // 2
    one, trainer = fit(kind, tmp_path, EPOCHS, method_samples_per_bn=rows_per_rank)
    if one.labels is not None:
        assert torch.equal(one.labels.labels, two["labels"])
    state = one.state_dict()
    for key, value in two["state"].items():
        torch.testing.assert_close(state[key], value, atol=1e-5, rtol=1e-4, msg=key)
    assert abs(trainer.callback_metrics["loss"] - two["loss"]) < 1e-5
