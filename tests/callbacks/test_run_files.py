import csv
import json

import numpy as np
import pytest
from PIL import Image

from reidzoo.callbacks import ClusterCallback, EpochLine, EvaluationCallback, RunFiles
from reidzoo.methods.hhcl import HHCL
from tests.tiny import fit


def test_a_run_leaves_results_labels_and_a_picture(tmp_path, capsys):
    callbacks = [ClusterCallback(), EvaluationCallback(every=1), EpochLine(), RunFiles(tmp_path)]
    method, trainer = fit(HHCL, tmp_path, 2, trainer_callbacks=callbacks)

    results = json.loads((tmp_path / "results.json").read_text())
    assert results["epochs"] == 2
    assert results["untrained"]["epoch"] == 0
    assert results["last"]["epoch"] == 2
    assert results["best"]["mAP"] >= results["last"]["mAP"]
    assert results["last"]["mAP"] == pytest.approx(float(trainer.callback_metrics["val/mAP"]))
    assert "oracle" not in results
    assert results["tested_on"].startswith("tiny preset, drawing seed 0: ")
    assert np.nanmean(np.load(tmp_path / "ap.npy")) == pytest.approx(results["last"]["mAP"])
    assert set(results["seconds"]) >= {"extract", "cluster", "refresh", "evaluate", "train"}

    with (tmp_path / "pseudo_labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["label"]) for row in rows] == method.labels.labels.tolist()
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)

    with Image.open(tmp_path / "ranked_lists.png") as picture:
        assert picture.width > 400

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert len(lines) == 2
    assert "mAP" in lines[1]
    assert not list(tmp_path.glob(".*"))  # no half-written file is left


def test_stage_times_sum_up_to_the_epoch(tmp_path):
    callbacks = [ClusterCallback(), EvaluationCallback(every=1), EpochLine()]
    _, trainer = fit(HHCL, tmp_path, 1, trainer_callbacks=callbacks)
    figures = trainer.callback_metrics
    shares = [float(value) for name, value in figures.items() if name.startswith("share/")]
    assert abs(sum(shares) - 1) < 1e-6
    times = [float(v) for n, v in figures.items() if n.startswith("time/") and n != "time/epoch"]
    assert abs(sum(times) - float(figures["time/epoch"])) < 1e-3
