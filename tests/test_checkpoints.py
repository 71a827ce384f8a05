"""Runs of every format so far, kept in `tests/checkpoints`: they load, are evaluated, continue.

A run of a new format is added by `python -m reidzoo.fit --method hhcl --method.network.width 2 \
--data synthetic --data.preset tiny --data.height 48 --data.width 24 --data.batch_size 32 \
--data.num_instances 4 --data.batches 4 --data.workers 0 --trainer.accelerator cpu \
--trainer.max_epochs 2 --evaluate.every 1`; of it config.yaml, results.json and last.ckpt stay, and
rows.json, what `rows_of` gives. Files that are there are never made again.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch

import reidzoo
from reidzoo import evaluate, fit
from reidzoo.errors import UserError
from reidzoo.models.format import FORMAT
from reidzoo.models.saving import save_embedder

KEPT = Path(__file__).parent / "checkpoints"
FORMATS = sorted(path.name for path in KEPT.iterdir())


def rows_of(model):
    """Rows of two images made of ramps, [2, D]."""
    ramps = torch.arange(2 * 3 * 48 * 24).view(2, 3, 48, 24) * 7 % 256
    with torch.no_grad():
        return model(ramps.to(torch.uint8))


@pytest.fixture
def run(request, tmp_path):
    """A copy of a kept run."""
    return shutil.copytree(KEPT / request.param, tmp_path / "hhcl_synthetic" / "2026-11-20")


def every_format(test):
    return pytest.mark.parametrize("run", FORMATS, indirect=True)(test)


def test_this_format_is_kept_and_small():
    assert f"format_{FORMAT}" in FORMATS
    sizes = [path.stat().st_size for path in KEPT.rglob("*") if path.is_file()]
    assert max(sizes) < 200_000


@every_format
def test_loads_and_computes_the_same(run):
    model = reidzoo.load(run)
    expected = torch.tensor(json.loads((run / "rows.json").read_text()))
    torch.testing.assert_close(rows_of(model), expected, atol=1e-4, rtol=0)
    assert model.threshold == json.loads((run / "results.json").read_text())["threshold"]


@pytest.mark.slow
@every_format
def test_is_evaluated_as_then(run, tmp_path):
    figures = tmp_path / "figures.json"
    options = ["--data", "synthetic", "--data.preset", "tiny", "--json", str(figures)]
    assert evaluate.main([str(run), *options]) == 0
    then = json.loads((run / "results.json").read_text())["last"]
    assert json.loads(figures.read_text())["mAP"] == pytest.approx(then["mAP"], abs=0.01)


@pytest.mark.slow
@every_format
def test_is_continued(run, capsys):
    options = ["--config", str(run / "config.yaml"), "--output", str(run.parents[1])]
    assert fit.main([*options, "--trainer.max_epochs", "3", "--resume", str(run)]) == 0
    assert "after epoch 2" in capsys.readouterr().out
    assert json.loads((run / "results.json").read_text())["epochs"] == 3


def newer(path, card):
    """A file of a version that does not exist yet."""
    content = torch.load(path, weights_only=True)
    content["reidzoo"] = json.dumps(card | {"format": FORMAT + 1})
    torch.save(content, path)


@pytest.mark.parametrize("run", FORMATS[-1:], indirect=True)
def test_a_newer_file_is_refused_in_one_line(run, capsys, tmp_path):
    path = run / "checkpoints" / "last.ckpt"
    model = reidzoo.load(path)
    line = rf"written by a newer reidzoo \(format {FORMAT + 1}, this one reads up to {FORMAT}\)"
    newer(path, model.config)
    with pytest.raises(UserError, match=line):
        reidzoo.load(path)
    options = ["--config", str(run / "config.yaml"), "--output", str(run.parents[1])]
    for words in (["--resume", str(path)], ["--resume", "auto"], ["--init", str(path)]):
        assert fit.main([*options, *words]) == 2
        said = capsys.readouterr().err
        assert re.search(line, said)
        assert said.count("\n") == 1

    weights = tmp_path / "people.safetensors"
    save_embedder(weights, model.network, model.config)
    card = weights.with_suffix(".json")
    assert json.loads(card.read_text())["format"] == FORMAT
    card.write_text(json.dumps(json.loads(card.read_text()) | {"format": FORMAT + 1}))
    with pytest.raises(UserError, match=line):
        reidzoo.load(weights)
