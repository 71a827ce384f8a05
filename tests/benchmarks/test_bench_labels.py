"""The command, and that its dense reference is the textbook of the tests."""

import json

import numpy as np
import pytest

from reidzoo.bench import BENCHMARKS, main
from reidzoo.benchmarks.dense import dense_jaccard
from reidzoo.benchmarks.knn import recall_of
from reidzoo.benchmarks.labels import bench_labels
from reidzoo.benchmarks.regimes import REGIMES, make_rows
from reidzoo.clustering import knn
from tests.clustering import dense


@pytest.mark.parametrize("regime", REGIMES)
def test_reference_is_the_textbook(regime):
    rows = make_rows(regime, 150, 24)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    ranks = knn(rows, 20)[0]
    expected = dense.dense_jaccard(rows, 20, 4, ranks)
    np.testing.assert_allclose(dense_jaccard(rows, ranks, 4), expected, atol=2e-6)


def test_a_wrong_label_is_not_hidden(monkeypatch):
    monkeypatch.setattr(
        "reidzoo.benchmarks.labels.dense_labels", lambda rows, *_: np.zeros(len(rows))
    )
    with pytest.raises(RuntimeError, match="differ from the dense textbook"):
        bench_labels(n=150, width=16, rounds=1)


def test_recall_counts_what_was_missed():
    rows = make_rows("unstructured", 60, 8)
    found = knn(rows, 10)[0]
    assert recall_of(rows, found, found) == 1
    worse = np.concatenate([found[:, :9], knn(rows, 30)[0][:, -1:]], axis=1)
    assert recall_of(rows, worse, found) < 1


@pytest.mark.parametrize("name", ["labels", "knn"])
def test_command_prints_a_table_and_writes_json(name, tmp_path, capsys):
    path = tmp_path / "out.json"
    words = [name, "--n", "300", "--regime", "duplicates", "--width", "16", "--rounds", "1"]
    assert main([*words, "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    assert report["n"] == 300
    assert report.get("labels_equal", True)
    assert report.get("recall", 1.0) == 1.0
    assert f"`python -m reidzoo.bench {name} --n 300" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lables"], "did you mean labels?"),
        (["labels", "--regime", "crowd"], "crowd"),
        (["knn", "--n", "many"], "many"),
        (["knn", "--json", "no/such/folder.json"], "its folder does not exist"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    assert main(words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_overview_names_all(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in BENCHMARKS)
