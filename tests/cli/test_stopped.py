"""Two processes that Lightning starts, stopped by SIGTERM, end bit-equal when resumed.

Everything else that can happen to a run is in tests/torture.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "reidzoo.fit", "--method", "hhcl", "--data", "synthetic"]
COMMAND += ["--data.preset", "tiny", "--data.batches", "5", "--trainer.max_epochs", "4"]
COMMAND += ["--trainer.accelerator", "cpu"]
COMMAND += ["--data.workers", "0", "--trainer.devices", "2", "--trainer.strategy", "ddp"]


def start(folder: Path, options: list[str]) -> subprocess.Popen[str]:
    command = [*COMMAND, "--output", str(folder), *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )


def finish(folder: Path, options: list[str]) -> str:
    process = start(folder, options)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def stop_after(folder: Path, line: str, number: int) -> int:
    """Send a signal in the epoch after the one that is announced by `line`."""
    process = start(folder, [])
    assert process.stdout is not None
    for text in process.stdout:
        if text.startswith(line):
            break
    process.send_signal(number)
    process.communicate(timeout=120)
    return process.returncode


def last_state(folder: Path) -> dict[str, torch.Tensor]:
    (checkpoint,) = folder.glob("*/*/checkpoints/last.ckpt")
    content = torch.load(checkpoint, weights_only=True)
    state = dict(content["state_dict"])
    labels = content["callbacks"]["ClusterCallback"]["labels"]
    state["pseudo-labels"] = labels["labels"]
    return state


def test_stopped_and_resumed_is_bit_equal(tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    finish(whole, [])
    assert stop_after(stopped, "epoch 2/4", signal.SIGTERM) == 143
    assert "continuing" in finish(stopped, ["--resume", "auto"])
    expected, found = last_state(whole), last_state(stopped)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name
