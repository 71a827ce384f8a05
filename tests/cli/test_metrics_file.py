import csv
import math
from pathlib import Path

import torch

from reidzoo.cli.checkpoints import checkpoints
from reidzoo.cli.metrics_file import MetricsFile, read_rows
from reidzoo.cli.runs import Run


def read(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_of_different_figures_share_a_header(tmp_path):
    table = MetricsFile(tmp_path)
    table.log_metrics({"loss": 2.0, "epoch": 0}, 9)
    table.log_metrics({"loss": 1.0, "epoch": 1, "val/mAP": 0.5}, 19)
    assert not (tmp_path / "metrics.csv").exists()
    table.write()
    assert read(tmp_path) == [
        {"epoch": "0", "loss": "2.0", "step": "9", "val/mAP": ""},
        {"epoch": "1", "loss": "1.0", "step": "19", "val/mAP": "0.5"},
    ]


def test_the_row_of_an_epoch_comes_twice_and_is_kept_once(tmp_path):
    table = MetricsFile(tmp_path)
    for _ in range(2):
        table.log_metrics({"loss": math.nan, "epoch": 0}, 9)
    table.log_metrics({"lr": 0.1, "epoch": 0}, 9)
    table.finalize("failed")
    assert [sorted(row.items()) for row in read(tmp_path)] == [
        [("epoch", "0"), ("loss", "nan"), ("lr", ""), ("step", "9")],
        [("epoch", "0"), ("loss", ""), ("lr", "0.1"), ("step", "9")],
    ]


def test_a_resumed_run_keeps_finished_epochs_before_its_first_row(tmp_path):
    table = MetricsFile(tmp_path)
    for epoch in range(3):
        table.log_metrics({"loss": 1 / 3, "epoch": epoch}, epoch)
    table.write()
    before = read(tmp_path)
    run = Run(tmp_path, tmp_path / "last.ckpt", finished=2)
    again = MetricsFile(tmp_path, read_rows(run))
    assert read(tmp_path) == before  # nothing is lost while nothing is new
    again.log_metrics({"loss": 1 / 3, "epoch": 2}, 2)
    again.write()
    assert read(tmp_path) == before
    assert read_rows(Run(tmp_path)) == []


def test_the_best_epoch_is_known_in_a_folder_that_was_moved(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    best, *_, last = checkpoints(old)
    best.best_k_models = {str(old / "best.ckpt"): 0.5}
    best.current_score = torch.tensor(0.5)
    best.kth_best_model_path = best.best_model_path = str(old / "best.ckpt")
    new.mkdir()
    moved = checkpoints(new)[0]
    moved.load_state_dict(best.state_dict())
    assert moved.best_k_models == {}  # there is no best.ckpt: the next one is the best
    (new / "best.ckpt").touch()
    moved = checkpoints(new)[0]
    moved.load_state_dict(best.state_dict())
    assert moved.best_k_models == {str(new / "best.ckpt"): 0.5}
    assert Path(moved.kth_best_model_path) == Path(moved.best_model_path) == new / "best.ckpt"
    assert moved.current_score == 0.5
    assert last.filename == "last"  # see `checkpoints`
