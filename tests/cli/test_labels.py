"""Pseudo-labels out of a run and into another."""

import csv
import json

import pytest

from reidzoo.fit import main


def latest(tmp_path, pair="hhcl_market_layout"):
    return sorted((tmp_path / "runs" / pair).iterdir())[-1]


def column(path, name="label"):
    with path.open(newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def test_a_run_on_exported_labels_has_the_same_labels(tiny_hhcl, tmp_path, capsys):
    keep = ["--cluster.keep_labels", "true", "--cluster.every", "2"]
    assert main([*tiny_hhcl, *keep, "--trainer.max_epochs", "3"]) == 0
    first = latest(tmp_path)
    kept = sorted(path.name for path in (first / "pseudo_labels").iterdir())
    assert kept == ["epoch_001.csv", "epoch_003.csv"]  # the second epoch has no refresh
    assert (first / "pseudo_labels" / kept[1]).read_text() == (
        first / "pseudo_labels.csv"
    ).read_text()

    source = first / "pseudo_labels" / kept[0]
    capsys.readouterr()
    assert main([*tiny_hhcl, "--method.labels", str(source)]) == 0
    assert f"given by {source} (--method.labels)" in capsys.readouterr().out
    second = latest(tmp_path)
    assert second != first
    assert len(set(column(source))) > 2
    assert column(second / "pseudo_labels.csv") == column(source)
    assert column(second / "pseudo_labels.csv", "path") == column(source, "path")
    results = json.loads((second / "results.json").read_text())
    assert results["labels_from"] == str(source)
    assert results["cluster"]["stability"] == 1
    assert not (second / "pseudo_labels").exists()


def test_labels_that_cannot_be_trained_on(tiny, tiny_hhcl, market, tmp_path, capsys):
    images = sorted((market / "bounding_box_train").glob("*.jpg"))

    def refused(words, *rows):
        with (tmp_path / "labels.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("path", "label"), *rows])
        assert main([*words, "--method.labels", str(tmp_path / "labels.csv")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        return error

    one = [(image, 7 if n % 3 else -1) for n, image in enumerate(images)]
    assert "1 clusters; training needs 2 or more" in refused(tiny_hhcl, *one)
    assert "0 clusters; " in refused(tiny_hhcl, *((image, -1) for image in images))
    assert "1 of 72 images are not in it" in refused(tiny_hhcl, *one[1:])
    two = [(image, n % 2) for n, image in enumerate(images)]
    assert "Instance makes labels of its own" in refused(["--method", "instance", *tiny], *two)
    oracle = [*tiny_hhcl, "--cluster.oracle", "true"]
    assert "--method.labels gives other labels; choose one" in refused(oracle, *two)


def test_a_file_that_is_not_there_is_missed_at_once(tiny_hhcl, capsys):
    assert main([*tiny_hhcl, "--method.labels", "nowhere.csv"]) == 2
    assert "--method.labels nowhere.csv: no such file" in capsys.readouterr().err


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr("reidzoo.cli.session.mute", lambda: None)
