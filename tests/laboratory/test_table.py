import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from PIL import Image

from reidzoo.errors import UserError
from reidzoo.laboratory.agreement import MUST_AGREE
from reidzoo.laboratory.grid import Grid
from reidzoo.laboratory.markdown import markdown
from reidzoo.laboratory.plot import plot
from reidzoo.laboratory.protocol import OWN, TRUE, Cameras, Protocol
from reidzoo.laboratory.runs import Run, read_run
from reidzoo.laboratory.table import as_json, compare_pairs, make_rows


@pytest.fixture
def grid():
    rows = {"hhcl": ("--method", "hhcl"), "spcl": ("--method", "spcl"), "bound": ("--x", "1")}
    return Grid("small", "synthetic", (0, 1), rows, (), "hhcl")


def finished(precisions, labels=OWN):
    """A run whose figures follow from its AP per query."""
    scores = {"mAP": float(np.mean(precisions)), "cmc1": 0.5, "epoch": 2.0}
    results = {"epochs": 2, "last": scores, "untrained": scores | {"mAP": 0.1}}
    results |= {"cluster": {"ari": 0.25}, "seconds": {"epoch": 12.0}}
    results["best"] = scores | {"mAP": scores["mAP"] + 0.05}
    cameras = Cameras(True, False, False, False)
    stamp = Protocol(tested_on="all", cameras=cameras, labels=labels, epochs=2, backbone="small")
    return Run(results, np.array(precisions), stamp)


def text(grid, rows):
    """The table as Markdown, by way of JSON."""
    return markdown(json.loads(json.dumps(as_json(grid, rows, "the command", {}))))


@pytest.fixture
def runs():
    return {
        "hhcl": {0: finished([0.2, 0.4, 0.6]), 1: finished([0.22, 0.4, 0.58])},
        "spcl": {0: finished([0.5, 0.7, 0.9])},
        "bound": {0: finished([0.9] * 3, TRUE), 1: finished([0.9] * 3, TRUE)},
    }


def test_table_says_what_differs_and_what_is_missing(grid, runs):
    rows = make_rows(grid, runs, {"mAP": 0.3, "cmc1": 0.4})
    lines = text(grid, rows).splitlines()
    table = {line.split(" | ")[0].strip("| "): line for line in lines if line.startswith("|")}
    assert table["colour histogram"] == "| colour histogram |  | 30.0 | 40.0 |  |  |  |  |"
    assert table["untrained"].startswith("| untrained | 2 | 10.0 ± 0.0 |")
    assert table["hhcl"] == (
        "| hhcl | 2 | 40.0 ± 0.0 | 50.0 ± 0.0 | 25.0 ± 0.0 | 45.0 ± 0.0 | 12 ± 0 |  |"
    )
    assert "| 1 of 2 | 70.0 | 50.0 | 25.0 | 75.0 | 12 |" in table["spcl"]
    assert "different: +30.0 (" in table["spcl"]
    assert "| 2 | 90.0 ± 0.0 |" in table["bound"]
    assert lines[-1] == "**Incomplete**, not finished yet: spcl (seed 1)."


def test_an_epoch_chosen_without_labels_has_a_column_where_a_grid_asks_for_it(grid, runs):
    assert "label-free" not in text(grid, make_rows(grid, runs, None)).split("mAP and R1 in")[0]
    runs["spcl"][0].results["label_free"] = {"epoch": 1.0, "mAP": 0.65, "stability": 0.9}
    runs["hhcl"][0].results["label_free"] = {"epoch": 1.0, "stability": 0.9}  # not evaluated
    lines = text(grid, make_rows(grid, runs, None)).splitlines()
    head = next(line for line in lines if "R1" in line).split(" | ")
    row = next(line for line in lines if line.startswith("| spcl")).split(" | ")
    assert row[head.index("label-free mAP")] == "65.0"


def test_a_complete_table_says_nothing_of_the_kind(grid, runs):
    runs["spcl"][1] = runs["spcl"][0]
    assert "Incomplete" not in text(grid, make_rows(grid, runs, None))


def test_a_row_without_runs_is_there_and_empty(grid, runs):
    rows = make_rows(grid, runs | {"spcl": {}}, None)
    assert "| spcl | 0 of 2 |  |  |  |  |  |  |" in text(grid, rows)
    assert "spcl (seed 0, 1)" in text(grid, rows)


def test_without_precisions_seeds_are_compared(grid, runs):
    for own in runs.values():
        own |= {seed: replace(run, precisions=None) for seed, run in own.items()}
    runs["hhcl"][1].results["last"]["mAP"] = 0.41
    rows = {row.name: row for row in make_rows(grid, runs, None)}
    assert rows["bound"].against.sources == "seeds"
    assert rows["spcl"].against is None  # one seed


def changed(runs, row, **fields):
    """The runs with other fields in the stamps of a row."""
    own = {s: replace(r, protocol=replace(r.protocol, **fields)) for s, r in runs[row].items()}
    return runs | {row: own}


def test_rows_of_different_protocols_are_refused_in_one_line(grid, runs):
    mixed = changed(runs, "spcl", epochs=9, tested_on="other images", image_size="64 x 32")
    with pytest.raises(UserError) as caught:
        make_rows(grid, mixed, None)
    assert str(caught.value) == (
        "small: the rows differ in tested_on (all: hhcl, bound; other images: spcl); epochs (2: "
        "hhcl, bound; 9: spcl): make a grid for each, or say in this one "
        "may_differ: [tested_on, epochs]"
    )


@pytest.mark.parametrize("field", MUST_AGREE)
def test_every_field_that_must_agree_is_held_to_it(grid, runs, field):
    def stamped(value):
        if field == "cameras.test":
            return {"cameras": Cameras(True, False, False, value)}
        return {field: value}

    for row in ("hhcl", "bound"):
        runs = changed(runs, row, **stamped("one"))
    mixed = changed(runs, "spcl", **stamped("other"))
    with pytest.raises(UserError, match=rf"differ in {field} \("):
        make_rows(grid, mixed, None)
    make_rows(replace(grid, may_differ=(field,)), mixed, None)
    make_rows(grid, changed(mixed, "spcl", **stamped(None)), None)  # unknown is no difference


def test_seeds_of_one_row_are_held_to_one_protocol_too(grid, runs):
    runs["hhcl"][1] = replace(runs["hhcl"][1], protocol=Protocol(batch=8))
    runs["hhcl"][0] = replace(runs["hhcl"][0], protocol=Protocol(batch=16))
    with pytest.raises(UserError, match=r"batch \(16: hhcl; 8: hhcl\)"):
        make_rows(grid, runs, None)


def test_rows_tested_on_other_images_are_not_compared(grid, runs):
    allowed = replace(grid, may_differ=("tested_on",))
    runs["spcl"][0].results["tested_on"] = "hard preset"
    runs["hhcl"][0].results["tested_on"] = "easy preset"
    rows = {row.name: row for row in make_rows(allowed, runs, None)}
    assert rows["spcl"].against is None


def test_rows_stand_in_groups_by_cameras_and_backbone(grid, runs):
    runs = changed(runs, "hhcl", cameras=Cameras(True, True, False, False))
    lines = text(grid, make_rows(grid, runs, {"mAP": 0.3, "cmc1": 0.4})).splitlines()
    heads = [line.split(" | ")[0].strip("| ").replace("|", "").strip() for line in lines]
    found = [head for head in heads if head.startswith("*") or head in grid.rows]
    assert [head for head in found if not head.startswith("**")] == [
        "*nothing trained*",
        "*small, cameras in sampler*",
        "spcl",
        "*small, cameras in sampler, clustering*",
        "hhcl",
        "*small, cameras in sampler, true identities*",
        "bound",
    ]


def test_protocol_below_the_table_says_what_is_shared_what_differs_what_is_unknown(grid, runs):
    runs = changed(runs, "spcl", test_evaluations=5, eps_from="command line")
    runs = changed(runs, "hhcl", test_evaluations=9, eps_from="class default")
    shown = text(grid, make_rows(grid, runs, None))
    assert "**Protocol** of the trained rows: tested_on all; cameras.test no; epochs 2" in shown
    assert "- test_evaluations differs: 9: hhcl; 5: spcl" in shown
    assert "- eps_from differs: class default: hhcl; command line: spcl" in shown
    assert "- unknown: test_evaluations, eps_from (bound)" in shown
    planned = {"bound": Protocol(epochs=2, test_evaluations=7)}
    shown = text(grid, make_rows(grid, runs | {"bound": {}}, None, planned))
    assert "bound" not in shown.partition("**Protocol**")[2].partition("**Incomplete**")[0]


def test_json_holds_the_figures_behind_the_table(grid, runs):
    tree = json.loads(json.dumps(as_json(grid, make_rows(grid, runs, None), "do", {})))
    spcl = next(row for row in tree["rows"] if row["name"] == "spcl")
    assert spcl["values"]["mAP"] == pytest.approx([0.7])
    assert spcl["missing"] == [1]
    assert spcl["against"]["value"] == pytest.approx(0.3)
    assert spcl["protocol"]["cameras.sampler"] is True
    assert spcl["verdict"].startswith("different")
    assert (tree["command"], tree["baseline"]) == ("do", "hhcl")


def test_pairs_are_compared_as_well(grid, runs):
    grid = replace(grid, pairs=(("spcl", "bound"), ("bound", "hhcl")))
    pairs = compare_pairs(grid, runs)
    tree = json.loads(json.dumps(as_json(grid, make_rows(grid, runs, None), "do", pairs)))
    assert [pair["value"] for pair in tree["pairs"]] == pytest.approx([-0.2, 0.5])
    lines = markdown(tree).splitlines()
    assert "- bound against hhcl: different: +50.0" in "\n".join(lines)
    assert lines.index("Also compared:") > lines.index(next(s for s in lines if "spcl |" in s))

    pairs = compare_pairs(grid, runs | {"bound": {}})  # nothing to be said yet
    assert "Also compared" not in markdown(as_json(grid, make_rows(grid, runs, None), "do", pairs))


def test_picture_grows_with_the_rows(grid, runs, tmp_path):
    rows = make_rows(grid, runs, None)
    for count in (2, 4):
        plot(rows[:count], "title", tmp_path / f"{count}.png")
    with Image.open(tmp_path / "2.png") as two, Image.open(tmp_path / "4.png") as four:
        assert two.width == four.width
        assert two.height < four.height


CONFIG = {
    "method": {"name": "hhcl"},
    "data": {"name": "synthetic"},
    "trainer": {"max_epochs": 4},
}


def save(folder, epochs, mean):
    folder.mkdir(parents=True)
    results = {"epochs": epochs, "last": {"mAP": mean}}
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))


def test_a_run_counts_when_its_last_epoch_is_done(tmp_path):
    assert read_run(tmp_path) is None
    save(tmp_path / "hhcl_synthetic" / "2026-01-01_00-00-00", 3, 0.5)
    assert read_run(tmp_path) is None
    save(tmp_path / "hhcl_synthetic" / "2026-01-01_00-00-00_2", 4, 0.6)
    run = read_run(tmp_path)
    assert run.results["last"]["mAP"] == 0.6
    assert (run.protocol.method, run.protocol.epochs) == ("hhcl", 4)
    assert run.precisions is None
