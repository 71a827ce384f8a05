"""DESIGN's two promises: ranks are bit-equal, and two processes equal one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reidzoo.callbacks import ClusterCallback
from tests.distributed.launched import EPOCHS, EXACT, RUNS
from tests.tiny import fit

pytestmark = pytest.mark.slow


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


def assert_same_bits(one, other):
    assert one["state"].keys() == other["state"].keys()
    for key, value in one["state"].items():
        assert torch.equal(value, other["state"][key]), key
    assert one["labels"] is other["labels"] or torch.equal(one["labels"], other["labels"])


@pytest.mark.parametrize("name", RUNS)
def test_ranks_are_bit_equal(folder, name):
    assert_same_bits(load(folder / f"{name}_whole_0.pt"), load(folder / f"{name}_whole_1.pt"))


@pytest.mark.parametrize("name", RUNS)
def test_resume_is_bit_equal(folder, name):
    assert_same_bits(load(folder / f"{name}_whole_0.pt"), load(folder / f"{name}_resumed_0.pt"))


def test_ranks_are_bit_equal_in_half_precision(folder):
    assert_same_bits(load(folder / "bf16_0.pt"), load(folder / "bf16_1.pt"))


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_equal_one(folder, name, tmp_path):
    """With batch norm over the half batch that a rank sees."""
    two = load(folder / f"{name}_exact_0.pt")
    kind, options = RUNS[name]
    options = options | EXACT | {"method_samples_per_bn": 32 * kind.views // 2}
    callbacks = [ClusterCallback()]
    one, trainer = fit(kind, tmp_path, EPOCHS, trainer_callbacks=callbacks, **options)
    if one.labels is not None:
        assert torch.equal(one.labels.labels, two["labels"])
    state = one.state_dict()
    for key, value in two["state"].items():
        torch.testing.assert_close(state[key], value, atol=1e-5, rtol=0, msg=key)
    assert abs(trainer.callback_metrics["loss"] - two["loss"]) < 1e-5
