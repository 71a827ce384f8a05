"""The short form; `make torture` is the long one."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.torture.outcome import differences, flat, outcome
from tests.torture.phases import SIGNALS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tally(tmp_path_factory):
    path = tmp_path_factory.mktemp("torture") / "tally.json"
    command = [sys.executable, "-m", "tests.torture", "--kills", "4", "--disks", "2"]
    done = subprocess.run(
        [*command, "--json", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert path.is_file(), done.stdout + done.stderr
    return json.loads(path.read_text()) | {"code": done.returncode}


@pytest.mark.slow
def test_nothing_is_lost(tally):
    assert tally["differences"] == []
    assert tally["faults"] == []
    assert tally["code"] == 0


@pytest.mark.slow
def test_runs_were_really_killed_and_resumed(tally):
    assert sum(tally["kills"][name] for name in SIGNALS if name in tally["kills"]) >= 4
    assert tally["resumes"] >= 2


@pytest.mark.slow
def test_failing_disks_were_tried(tally):
    if "no right to mount" in tally["disks"]:
        pytest.skip(tally["disks"])
    assert tally["kills"]["full disk"] + tally["kills"]["read-only disk"] == 2


def test_the_comparison_sees_every_difference(tmp_path):
    def leave(name, **changes):
        run = tmp_path / name / "pair" / "time"
        (run / "checkpoints").mkdir(parents=True)
        content = {"epoch": 3, "weight": torch.tensor([0.0, 1.0]), "nan": math.nan}
        content |= {"seconds": len(name), "dirpath": str(run)} | changes.pop("content", {})
        content["reidzoo"] = json.dumps({"output": name})
        torch.save(content, run / "checkpoints" / "last.ckpt")
        (run / "metrics.csv").write_text(
            f"epoch,loss,time/train\n0,{changes.get('loss', 1)},{name}"
        )
        (run / "results.json").write_text(json.dumps({"mAP": 0.5, "seconds": name}))
        return outcome(tmp_path / name)

    quiet = leave("quiet")
    assert differences(quiet, leave("killed")) == []
    signed = {"weight": torch.tensor([-0.0, 1.0])}
    assert differences(quiet, leave("sign", content=signed)) == ["checkpoints/last.ckpt/weight"]
    assert differences(quiet, leave("row", loss=2)) == ["metrics.csv/0/loss"]
    more = leave("more", content={"more": 1})
    assert differences(quiet, more) == ["checkpoints/last.ckpt/more", "checkpoints/last.ckpt:"]
    assert "results.json/seconds" not in flat("results.json", {"seconds": 1, "a": 2}, "RUN")
