import json

import numpy as np
import pytest
import yaml
from PIL import Image

from reidzoo.errors import UserError
from reidzoo.laboratory.comparison import write_methods
from reidzoo.laboratory.grid import Grid
from reidzoo.laboratory.plot import plot
from reidzoo.laboratory.runs import Run, read_run
from reidzoo.laboratory.table import as_json, make_rows, markdown


@pytest.fixture
def grid():
    rows = {"hhcl": ("--method", "hhcl"), "spcl": ("--method", "spcl"), "bound": ("--x", "1")}
    return Grid("small", "synthetic", (0, 1), rows, (), "hhcl")


def finished(precisions, oracle=False):
    """A run whose figures follow from its AP per query."""
    scores = {"mAP": float(np.mean(precisions)), "cmc1": 0.5, "epoch": 2.0}
    results = {"epochs": 2, "last": scores, "untrained": scores | {"mAP": 0.1}}
    results |= {"cluster": {"ari": 0.25}, "seconds": {"epoch": 12.0}}
    return Run(results | ({"oracle": True} if oracle else {}), np.array(precisions))


@pytest.fixture
def runs():
    return {
        "hhcl": {0: finished([0.2, 0.4, 0.6]), 1: finished([0.22, 0.4, 0.58])},
        "spcl": {0: finished([0.5, 0.7, 0.9])},
        "bound": {0: finished([0.9, 0.9, 0.9], oracle=True), 1: finished([0.9] * 3, oracle=True)},
    }


def test_table_says_what_differs_and_what_is_missing(grid, runs):
    rows = make_rows(grid, runs, {"mAP": 0.3, "cmc1": 0.4})
    lines = markdown(grid, rows, "the command").splitlines()
    table = {line.split(" | ")[0].strip("| "): line for line in lines if line.startswith("|")}
    assert table["colour histogram"] == "| colour histogram |  | 30.0 | 40.0 |  |  |  |"
    assert table["untrained"].startswith("| untrained | 2 | 10.0 ± 0.0 |")
    assert table["hhcl"] == "| hhcl | 2 | 40.0 ± 0.0 | 50.0 ± 0.0 | 25.0 ± 0.0 | 12 ± 0 |  |"
    assert "| 1 of 2 | 70.0 | 50.0 | 25.0 | 12 |" in table["spcl"]
    assert "different: +30.0 (" in table["spcl"]
    assert "| 2 | 90.0 ± 0.0 |" in table["bound (true identities)"]
    assert lines[-1] == "**Incomplete**, not finished yet: spcl (seed 1)."


def test_a_complete_table_says_nothing_of_the_kind(grid, runs):
    runs["spcl"][1] = runs["spcl"][0]
    assert "Incomplete" not in markdown(grid, make_rows(grid, runs, None), "")


def test_a_row_without_runs_is_there_and_empty(grid, runs):
    rows = make_rows(grid, runs | {"spcl": {}}, None)
    text = markdown(grid, rows, "")
    assert "| spcl | 0 of 2 |  |  |  |  |  |" in text
    assert "spcl (seed 0, 1)" in text


def test_without_precisions_seeds_are_compared(grid, runs):
    runs = {row: {s: Run(run.results, None) for s, run in own.items()} for row, own in runs.items()}
    runs["hhcl"][1].results["last"]["mAP"] = 0.41
    rows = {row.name: row for row in make_rows(grid, runs, None)}
    assert rows["bound"].against.sources == "seeds"
    assert rows["spcl"].against is None  # one seed


def test_rows_tested_on_other_images_are_refused(grid, runs):
    runs["hhcl"][0].results["tested_on"] = "hard preset"
    runs["spcl"][0].results["tested_on"] = "easy preset"
    with pytest.raises(UserError, match=r"tested_on differs \(easy preset; hard preset\)"):
        make_rows(grid, runs, None)


def test_json_holds_the_figures_behind_the_table(grid, runs):
    tree = json.loads(json.dumps(as_json(grid, make_rows(grid, runs, None), "do", {})))
    spcl = next(row for row in tree["rows"] if row["name"] == "spcl")
    assert spcl["values"]["mAP"] == pytest.approx([0.7])
    assert spcl["missing"] == [1]
    assert spcl["against"]["value"] == pytest.approx(0.3)
    assert spcl["verdict"].startswith("different")
    assert (tree["command"], tree["baseline"]) == ("do", "hhcl")


def test_picture_grows_with_the_rows(grid, runs, tmp_path):
    rows = make_rows(grid, runs, None)
    for count in (2, 4):
        plot(rows[:count], "title", tmp_path / f"{count}.png")
    with Image.open(tmp_path / "2.png") as two, Image.open(tmp_path / "4.png") as four:
        assert two.width == four.width
        assert two.height < four.height


def test_only_rows_that_are_a_method_go_to_its_folder(grid, runs, tmp_path):
    for name in grid.rows:
        (tmp_path / name).mkdir()
    write_methods(tmp_path, grid, runs)
    assert sorted(tmp_path.rglob("*.json")) == [
        tmp_path / row / "synthetic.results.json" for row in ("hhcl", "spcl")
    ]
    kept = json.loads((tmp_path / "hhcl" / "synthetic.results.json").read_text())
    assert kept["command"] == "python -m reidzoo.fit --data synthetic --method hhcl --seed SEED"
    assert [run["last"]["mAP"] for run in kept["runs"]] == pytest.approx([0.4, 0.4])

    write_methods(tmp_path, grid, runs | {"hhcl": {0: finished([0.9])}})  # fewer seeds
    assert json.loads((tmp_path / "hhcl" / "synthetic.results.json").read_text()) == kept


def save(folder, epochs, mean):
    folder.mkdir(parents=True)
    results = {"epochs": epochs, "last": {"mAP": mean}}
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "config.yaml").write_text(yaml.safe_dump({"trainer": {"max_epochs": 4}}))


def test_a_run_counts_when_its_last_epoch_is_done(tmp_path):
    assert read_run(tmp_path) is None
    save(tmp_path / "hhcl_synthetic" / "2026-01-01_00-00-00", 3, 0.5)
    assert read_run(tmp_path) is None
    save(tmp_path / "hhcl_synthetic" / "2026-01-01_00-00-00_2", 4, 0.6)
    run = read_run(tmp_path)
    assert run.results["last"]["mAP"] == 0.6
    assert run.precisions is None
