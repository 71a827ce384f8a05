"""Runs logged to Weights & Biases without an account, read back from what was written."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from reidzoo.cli.layers import experiments
from reidzoo.cli.request import understand
from reidzoo.cli.session import prepare
from reidzoo.fit import main
from reidzoo.laboratory.grid import Cell
from reidzoo.laboratory.runs import fit_words
from tests.cli.wandb_file import OfflineRun

CURVES = {
    "loss", "val/mAP", "val/mINP", "val/cmc1", "val/cmc5", "val/cmc10", "cluster/count",
    "cluster/outlier_share", "cluster/size_median", "cluster/single_camera_share", "cluster/ari",
    "cluster/nmi", "cluster/pairwise_f", "cluster/coverage", "cluster/neighbour_q50",
    "time/extract", "time/cluster", "time/train", "time/epoch", "share/train",
}  # fmt: skip


@pytest.fixture
def wandb_run(tmp_path, monkeypatch):
    """Train with the logger and read the newest offline run back."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)

    def train(words: list[str]) -> tuple[Path, list[OfflineRun]]:
        assert main([*words, "--logger", "wandb"]) == 0
        folder = sorted((tmp_path / "runs" / "hhcl_market_layout").iterdir())[-1]
        written = (folder / "wandb").glob("offline-run-*")
        return folder, [
            OfflineRun(path) for path in sorted(written, key=lambda p: p.stat().st_mtime)
        ]

    return train


@pytest.fixture
def one_epoch(tiny_hhcl) -> list[str]:
    return [*tiny_hhcl, "--trainer.max_epochs", "1"]


def test_curves_columns_and_queries(wandb_run, one_epoch):
    folder, (run,) = wandb_run([*one_epoch, "--logger.tags", "[night]"])
    logged = {key: value for row in run.history for key, value in row.items()}
    assert set(logged) >= CURVES
    results = json.loads((folder / "results.json").read_text())
    assert logged["val/mAP"] == pytest.approx(results["last"]["mAP"])
    assert (run.run.run_group, run.run.job_type) == ("hhcl_market_layout", "train")
    assert list(run.run.tags) == ["hhcl", "market_layout", "night"]
    assert run.config["method"]["name"] == "hhcl"
    assert run.config["data"]["batch_size"] == 16
    assert run.config["paper"].startswith("Hu, Zhu, He")
    assert run.config["fidelity"]
    assert run.metrics["val/mAP"].max
    assert run.metrics["val/mAP"].last
    assert run.summary["best/mAP"] == pytest.approx(results["best"]["mAP"])
    assert run.summary["untrained/epoch"] == 0
    assert run.config["protocol"]["cameras"]["sampler"] is True
    assert run.config["protocol"]["eps_from"] == "command line"
    assert run.summary["protocol/cameras.loss"] is False
    assert run.summary["protocol/test_evaluations"] == results["evaluations"]
    assert run.summary["val/mAP"]["max"] == pytest.approx(results["best"]["mAP"])
    with (folder / "queries.csv").open(newline="") as file:
        precisions = {Path(row["path"]).name: float(row["ap"]) for row in csv.DictReader(file)}
    table = run.table("queries")
    assert table["columns"] == ["query", "identity", "camera", "ap"]
    assert {row[0]: row[3] for row in table["data"]} == precisions
    assert [row[3] for row in table["data"]] == sorted(precisions.values())
    assert sum(precisions.values()) / len(precisions) == pytest.approx(
        results["last"]["mAP"], abs=1e-5
    )
    assert not run.pictures()
    assert not list(folder.glob("wandb/**/*.png"))


def test_pictures_when_asked_and_a_resumed_run_is_the_same_run(wandb_run, one_epoch):
    pictured = [*one_epoch, "--logger.images", "true"]
    cell = Cell("hhcl", 1, tuple(pictured))  # as a grid would run it
    pictured = [*fit_words(cell, Path("runs/compare/my_grid"))[:2], *pictured]
    folder, (first,) = wandb_run(pictured)
    assert first.run.run_group == "my_grid"
    assert first.pictures() == {"ranked_lists", "clusters"}
    again, (_, second) = wandb_run([*pictured, "--trainer.max_epochs", "2", "--resume", "auto"])
    assert again == folder
    assert second.run.run_id == first.run.run_id == (folder / "wandb_id").read_text()
    epochs = [row["epoch"] for run in (first, second) for row in run.history if "loss" in row]
    assert epochs == [0, 1]
    assert second.summary["best/mAP"] >= first.summary["best/mAP"]


def test_a_sweep_sets_options_that_exist():
    sweep = yaml.safe_load((experiments() / "sweep.yaml").read_text())
    values = {
        key: spec["values"][0] if "values" in spec else spec["min"]
        for key, spec in sweep["parameters"].items()
    }
    fixed = [word for word in sweep["command"] if word.startswith("--")]
    session = prepare(understand([*fixed, *(f"--{key}={value}" for key, value in values.items())]))
    assert session.settings.logger.name == "wandb"
    for key, value in values.items():
        found = session.tree()
        for part in key.split("."):
            found = found[part]
        assert found == value
    assert sweep["metric"]["name"] in CURVES
