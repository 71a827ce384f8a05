"""An epoch chosen without identities: its checkpoint and row; a resume changes neither."""

import json

import pytest
import torch

from reidzoo.fit import main

SCORES = (0.1, 0.5, 0.3, 0.5)  # of the labels of each epoch


@pytest.fixture(autouse=True)
def _scores(monkeypatch):
    def describe(labels, *_):
        return {"cluster/silhouette": SCORES[labels.version]}

    monkeypatch.setattr("reidzoo.callbacks.cluster.describe_labels", describe)


@pytest.fixture
def command(tiny_hhcl):
    return [*tiny_hhcl, "--evaluate.selection", "silhouette"]


def latest(folder):
    return max((folder / "hhcl_market_layout").iterdir())


def results(folder):
    return json.loads((folder / "results.json").read_text())


def chosen(folder):
    return torch.load(folder / "checkpoints" / "label_free.ckpt", weights_only=True)


def test_the_first_of_the_highest_scores_is_kept_also_over_a_resume(command, tmp_path, capsys):
    assert main([*command, "--trainer.max_epochs", "4"]) == 0
    whole = latest(tmp_path / "runs")
    found = results(whole)
    assert found["selection"] == "last"
    assert found["last"]["epoch"] == 4
    assert found["label_free"]["epoch"] == 2
    assert found["label_free"]["silhouette"] == 0.5
    assert 0 < found["label_free"]["mAP"] <= found["best"]["mAP"]
    assert chosen(whole)["epoch"] == 1  # Lightning counts from 0
    said = capsys.readouterr().out
    assert "epoch chosen without labels" in said
    assert f"epoch 2, silhouette 0.500: {whole}/checkpoints/label_free.ckpt" in said

    other = ["--output", str(tmp_path / "other")]
    for epochs in (1, 3, 4):
        resume = ["--resume", "auto", "--trainer.max_epochs", str(epochs)]
        assert main([*command, *other, *resume]) == 0
    resumed = latest(tmp_path / "other")
    assert results(resumed)["label_free"] == found["label_free"]
    ours, theirs = chosen(whole)["state_dict"], chosen(resumed)["state_dict"]
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_only_evaluated_epochs_compete(command, tmp_path):
    assert main([*command, "--trainer.max_epochs", "3", "--evaluate.every", "3"]) == 0
    assert results(latest(tmp_path / "runs"))["label_free"]["epoch"] == 3


def test_all_epochs_compete_where_only_the_last_is_evaluated(command, tmp_path, capsys):
    assert main([*command, "--trainer.max_epochs", "3", "--evaluate.every", "0"]) == 0
    folder = latest(tmp_path / "runs")
    assert results(folder)["label_free"] == {"epoch": 2, "silhouette": 0.5}
    assert chosen(folder)["epoch"] == 1
    assert "epoch 2, silhouette 0.500" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--method instance --evaluate.selection stability", "Instance renews no labels"),
        ("--method spcl --evaluate.selection silhouette", "SpCL does not extract features"),
        ("--method hhcl --evaluate.selection stability --cluster.oracle true", "given labels are"),
    ],
)
def test_scores_that_say_nothing_are_refused(tiny, words, said, capsys):
    assert main([*words.split(), *tiny]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
