"""Every model on every data set, each cell once."""

import json

import pytest
import torch

from reidzoo.cli.evaluation import make_data
from reidzoo.cli.layers import Layer
from reidzoo.evaluate import main as evaluate
from reidzoo.laboratory import matrix as laboratory
from reidzoo.matrix import main
from reidzoo.models import Embedder, EmbedderOptions, save_embedder
from reidzoo.models.extraction import extract
from tests.cli.conftest import market  # noqa: F401  a fixture

TINY, EASY = "synthetic,preset=tiny,workers=0", "synthetic,preset=tiny,draw_seed=1,workers=0"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two networks whose images have different sizes."""
    folder = tmp_path_factory.mktemp("models")
    data = make_data("synthetic", ["--data.preset=tiny", "--data.workers=0"], Layer("test", {}))
    paths = []
    for seed, height in ((0, 32), (1, 48)):
        torch.manual_seed(seed)
        embedder = Embedder(EmbedderOptions("small", weights=None, width=4, stripes=2))
        data.height, data.width = height, height // 2
        loader = data.plain_loader(data.splits.train[:64], range(64))
        embedder.train()  # statistics of images
        extract(lambda image, net=embedder: {"global": net(image)}, loader, 64, torch.device("cpu"))
        path = folder / f"model{seed}.safetensors"
        card = {"height": height, "width": height // 2, "method": "hhcl", "data": "synthetic"}
        save_embedder(path, embedder.eval(), card | {"seed": seed})
        paths.append(str(path))
    return paths


def tree(folder):
    return json.loads((folder / "matrix.json").read_text())


def run(models, folder, *data):
    words = [*models, "--data", *data, "--output", str(folder), "--device", "cpu"]
    return main(words)


def test_cells_are_the_figures_of_evaluate(models, tmp_path, capsys):
    assert run(models, tmp_path / "m", TINY, EASY) == 0
    said = capsys.readouterr().out
    whole = tree(tmp_path / "m")
    assert [row["model"] for row in whole["rows"]] == models
    assert [row["seed"] for row in whole["rows"]] == [0, 1]
    assert whole["columns"] == [TINY, EASY]
    text = (tmp_path / "m" / "matrix.md").read_text()
    assert text in said
    for row in whole["rows"]:
        scores = tmp_path / "scores.json"
        words = ["--data", "synthetic", "--data.preset", "tiny", "--data.workers", "0"]
        assert evaluate([row["model"], *words, "--json", str(scores), "--device", "cpu"]) == 0
        cell = next(
            c for c in whole["cells"] if (c["digest"], c["column"]) == (row["digest"], TINY)
        )
        expected = json.loads(scores.read_text())
        assert {name: expected[name] for name in cell["scores"]} == cell["scores"]
        shown = f"{100 * expected['mAP']:.1f} / {100 * expected['cmc1']:.1f}"
        line = next(line for line in text.splitlines() if row["model"] in line)
        assert line.split(" | ")[3:5] == [
            "small, no cameras, unknown in sampler, clustering, loss",
            shown,
        ]
        assert cell["protocol"] == expected["protocol"]


def test_a_table_that_was_stopped_goes_on(models, tmp_path, monkeypatch):
    """The second run scores the cells that the first one had no time for, and no others."""
    scored = []
    real = laboratory.score

    def counted(path, model, column, rerank):
        if len(scored) == 3:
            raise KeyboardInterrupt
        scored.append(column.text)
        return real(path, model, column, rerank)

    monkeypatch.setattr(laboratory, "score", counted)
    assert run(models, tmp_path, TINY, EASY) == 130
    assert len(tree(tmp_path)["cells"]) == 3
    scored[:] = []
    assert run(models, tmp_path, TINY, EASY) == 0
    assert scored == [EASY]
    assert len(tree(tmp_path)["cells"]) == 4
    before = (tmp_path / "matrix.md").read_text()
    assert run(models, tmp_path, TINY, EASY) == 0
    assert scored == [EASY]
    assert (tmp_path / "matrix.md").read_text() == before
    # A smaller table forgets nothing.
    assert run(models[:1], tmp_path, TINY) == 0
    assert len(tree(tmp_path)["cells"]) == 4
    assert models[1] not in (tmp_path / "matrix.md").read_text()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (["market1501"], "--data market1501: --data.root is not given and data/market1501 is not"),
        ([TINY, "msmt17,root=/nowhere"], "msmt17,root=/nowhere: --data.root /nowhere: there is no"),
        (["markt1501"], "did you mean market1501?"),
        (["synthetic,preset"], "--data synthetic,preset: 'preset' is no OPTION=VALUE"),
        (["synthetic,presets=tiny"], "no such option; did you mean --data.preset?"),
        (["folder,root=CROPS,workers=0"], "it has no labelled query and gallery"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_scored(
    models,
    market,  # noqa: F811
    tmp_path,
    monkeypatch,
    capsys,
    data,
    message,
):
    monkeypatch.delenv("REIDZOO_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    data = [text.replace("CROPS", str(market / "query")) for text in data]
    assert run(models, tmp_path / "m", *data) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_somebody_elses_file_is_not_overwritten(models, tmp_path, capsys):
    (tmp_path / "matrix.json").write_text("[1, 2]")
    assert run(models, tmp_path, TINY) == 2
    assert "matrix.json is not a table of this command" in capsys.readouterr().err
    assert (tmp_path / "matrix.json").read_text() == "[1, 2]"
