import csv
import json
import re
import shutil

import pytest
import yaml

from reidzoo.report import main
from tests.visual.test_search_page import Page


@pytest.fixture
def run(trained, market, tmp_path):
    """A run folder with everything that a report reads."""
    folder = tmp_path / "hhcl_market_layout" / "2026-01-01"
    shutil.copytree(trained, folder)
    settings = {"method": {"name": "hhcl"}, "data": {"name": "market_layout"}, "seed": 1}
    (folder / "config.yaml").write_text(yaml.dump(settings))
    (folder / "metrics.csv").write_text("epoch,step,loss,val/mAP\n0,9,3.5,0.4\n1,19,2.5,0.5\n")
    scores = {"epoch": 2, "mAP": 0.5, "cmc1": 0.6, "cmc5": 0.7, "cmc10": 0.8, "mINP": 0.3}
    results = {"epochs": 2, "last": scores, "best": scores, "seconds": {"train": 9.0}}
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "card.json").write_text(json.dumps({"method": "hhcl: Hu", "fidelity": "exact"}))
    with (folder / "pseudo_labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "camera"])
        for image in sorted((market / "bounding_box_train").iterdir()):
            person, camera = re.match(r"(\d+)_c(\d)", image.name).groups()
            writer.writerow([f"/elsewhere/{image.name}", min(int(person) - 1, 6), camera])
    return folder


def report(tmp_path, *words):
    file = tmp_path / "report.html"
    assert main([*map(str, words), "-o", str(file), "--device", "cpu"]) == 0
    page = Page(file.read_text())
    assert not page.open
    return page


def test_a_run_with_its_data_has_pictures(run, tmp_path, capsys):
    page = report(tmp_path, run)
    assert {"hhcl: Hu", "Hardest queries", "Easiest queries", "By camera", "By identity"} <= set(
        page.text
    )
    assert f"python -m reidzoo.fit --config {run}/config.yaml" in page.text
    assert len(page.of("div", "search")) == 12
    assert len(page.of("div", "cluster")) == 7
    assert any("2 people, purity 50%" in text for text in page.text)  # persons 7 and 8
    assert any(text.startswith("7 clusters, 0.0% of the images in none, 86%") for text in page.text)
    queries = [page.text[i - 1] for i, text in enumerate(page.text) if text.startswith("AP ")]
    assert len(queries) == 12
    assert (tmp_path / "report.html").stat().st_size < 4_000_000
    assert "note" not in capsys.readouterr().out


def test_hardest_queries_come_first(run, tmp_path):
    page = report(tmp_path, run)
    precisions = [int(t.split()[1]) for t in page.text if re.fullmatch(r"AP \d+ %", t)]
    assert precisions[:4] == sorted(precisions[:4])
    assert precisions[8:] == sorted(precisions[8:], reverse=True)
    assert precisions[3] <= precisions[11]


def test_without_data_there_is_a_page_and_one_line(run, tmp_path, capsys):
    shutil.rmtree(run / "checkpoints")
    page = report(tmp_path, run)
    assert "no checkpoints/last.ckpt in this folder" in capsys.readouterr().out
    assert not page.of("img")
    assert any("No pictures: " in text for text in page.text)
    assert len(page.of("figure", "chart")) == 2


def test_data_that_have_moved_are_given_again(run, market, tmp_path, capsys):
    copy = tmp_path / "moved"
    shutil.copytree(market, copy)
    page = report(tmp_path, run, "--data.root", copy)
    assert len(page.of("div", "cluster")) == 7
    (copy / "bounding_box_train" / "0001_c1s1_000000_00.jpg").unlink()
    page = report(tmp_path, run, "--data.root", copy)
    assert "made from other images than those of the data now" in capsys.readouterr().out
    assert not page.of("img")


def test_a_folder_of_runs_stands_for_its_newest(run, tmp_path):
    shutil.copytree(run, run.with_name("2026-01-02"))
    page = report(tmp_path, run.parent, "--no_pictures")
    assert f"python -m reidzoo.fit --config {run.with_name('2026-01-02')}/config.yaml" in page.text


def test_pictures_may_be_left_out(run, tmp_path, capsys):
    page = report(tmp_path, run, "--no_pictures")
    assert not page.of("img")
    assert "note" not in capsys.readouterr().out


def test_runs_side_by_side(run, tmp_path):
    other = run.with_name("2026-01-02")
    shutil.copytree(run, other)
    settings = yaml.safe_load((other / "config.yaml").read_text()) | {"seed": 2}
    (other / "config.yaml").write_text(yaml.dump(settings))
    page = report(tmp_path, run, other)
    assert "2 runs side by side" in page.text
    assert {"hhcl_market_layout 2026-01-01", "hhcl_market_layout 2026-01-02"} <= set(page.text)
    at = page.text.index("Settings that differ")
    assert [text for text in page.text[at:] if text.strip()][3:6] == ["seed", "1", "2"]
    assert len(page.of("div", "search")) == 2 * 6


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["/nowhere"], "/nowhere: no such file or folder"),
        (["RUN", "-o", "report.pdf"], "-o report.pdf: the name must end with .html"),
        (["EMPTY", "--no_pictures"], "no config.yaml in it; give the folder of a run"),
        (["BROKEN", "--no_pictures"], "results.json: not valid JSON"),
        ([], "the following arguments are required: RUN"),
        (["RUN", "--picture"], "--picture: no such option"),
    ],
)
def test_a_mistake_is_one_line(run, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    (broken / "results.json").write_text("{")
    places = {"RUN": str(run), "EMPTY": "empty", "BROKEN": "broken"}
    assert main([places.get(word, word) for word in words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "report.html").exists()
