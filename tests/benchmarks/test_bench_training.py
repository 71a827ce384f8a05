"""The benchmarks of training run at tiny sizes and report what they say; speed is not asserted."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

from reidzoo.benchmarks.epoch import DENSE, STAGES, bench_epoch
from reidzoo.benchmarks.extract import PLAIN, bench_extract
from reidzoo.benchmarks.profile import PHASES, bench_profile
from reidzoo.benchmarks.step import BY_ONE, OWN, PRODUCT, bench_step, move_one_by_one
from reidzoo.memory.rows import move_in_turn

GPU = Path(__file__).parents[2] / "experiments" / "benchmarks" / "gpu.py"


def test_step_sets_everything_beside_product_and_network():
    report = bench_step(
        batch_size=32, instances=4, clusters=20, features=64, images=2, backbone="small", rounds=1
    )
    assert {PRODUCT, BY_ONE, *OWN} <= report.ways.keys()
    assert report.network_seconds == 16 * report.network.cpu_seconds
    table = report.to_markdown()
    assert all(f"| {name} |" in table for name in report.ways)


def test_the_plain_update_is_the_same_update():
    rows, features = torch.randn(2, 5, 8).unbind(0)
    other, labels = rows.clone(), torch.tensor([0, 3, 0, 0, 1])
    move_one_by_one(rows, features, labels, 0.2)
    move_in_turn(other, features, labels, 0.2)
    torch.testing.assert_close(rows, other)


def test_epoch_reports_all_stages():
    report = bench_epoch(
        images=120, people=10, height=48, width=24, batch_size=16, batches=2, epochs=1
    )
    assert tuple(report.stages) == STAGES
    assert report.clusters >= 2
    assert DENSE in report.labelling
    assert f"| {STAGES[0]} | {report.stages[STAGES[0]]:.2f} |" in report.to_markdown()


def test_profile_names_phases_and_operations():
    report = bench_profile(images=8, height=48, width=24, clusters=5, steps=1)
    assert tuple(report.phases) == PHASES
    assert any("convolution" in name for name in report.operations)
    assert f"| {PHASES[0]} | {report.phases[PHASES[0]]:.1f} |" in report.to_markdown()


def test_extract_compares_layouts_and_precisions():
    report = bench_extract(images=2, backbone="small", height=48, width=24, rounds=1)
    assert list(report.ways) == [PLAIN, "fp32, NHWC", "bf16, NCHW", "bf16, NHWC"]
    assert "| 1.00 |" in report.to_markdown()


@pytest.mark.skipif(torch.cuda.is_available(), reason="the script would measure in earnest")
def test_the_gpu_script_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(GPU), "--small", "--output", str(tmp_path)])
    runpy.run_path(str(GPU), run_name="__main__")
    found = json.loads((tmp_path / "gpu_small.json").read_text())
    assert {"pseudo_labels", "step", "extract", "epoch", "plain"} <= found.keys()
    assert sum(found["epoch"]["shares"].values()) == pytest.approx(1)
    assert found["step"]["flop"] > 0
