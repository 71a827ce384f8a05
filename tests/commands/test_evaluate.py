import json

import pytest
import torch

from reidzoo.cli.evaluation import camera_table
from reidzoo.data.sets.market_layout import MarketLayout
from reidzoo.evaluate import main
from reidzoo.gallery.scoring import score_splits
from reidzoo.images import ImageFiles


@pytest.fixture
def scored(trained, tmp_path, capsys):
    def run(*words):
        file = tmp_path / "scores.json"
        assert main([str(trained), "--device", "cpu", "--json", str(file), *words]) == 0
        return json.loads(file.read_text()), capsys.readouterr().out

    return run


def test_scores_are_those_of_the_model_on_the_test_images(scored, market, embedder):
    scores, screen = scored("--data", "market_layout", "--data.root", str(market))
    data = MarketLayout(root=str(market))
    data.setup()

    def rows(records):
        files = ImageFiles([record.path for record in records], 48, 24)
        images = torch.stack([torch.from_numpy(image.copy()).permute(2, 0, 1) for image in files])
        return embedder(images).detach()

    expected = score_splits(rows(data.splits.query), rows(data.splits.gallery), data.splits)
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert scores["images"] == {"query": 18, "gallery": 54}
    assert f"{100 * expected['mAP']:.1f}" in screen
    assert f"{expected['threshold']:.3f}" in screen


def test_without_data_it_is_the_data_of_the_run(scored, market):
    assert scored()[0] == scored("--data", "market_layout", "--data.root", str(market))[0]


def test_every_figure_is_there(scored):
    scores, screen = scored()
    figures = {"mAP", "mINP", "cmc1", "cmc5", "cmc10", "tpr1e-2", "tpr1e-3", "tpr1e-4", "eer"}
    assert figures | {"eer_threshold", "threshold", "camera_pairs"} <= set(scores)
    pairs = {(pair["query"], pair["gallery"]) for pair in scores["camera_pairs"]}
    assert pairs == {(a, b) for a in range(3) for b in range(3) if a != b}
    matrix = screen.split("(column)")[1].split("\n")
    assert matrix[2].split()[:3] == ["camera", "0", "-"]
    assert matrix[2].split()[3] == f"{100 * scores['camera_pairs'][0]['mAP']:.1f}"


def test_reranking_ranks_and_leaves_pairs_of_images_alone(scored):
    plain, reranked = scored()[0], scored("--rerank")[0]
    assert reranked["reranked"]
    assert reranked["camera_pairs"] != plain["camera_pairs"]
    assert reranked["eer"] == plain["eer"]


def test_other_data_are_brought_to_the_size_of_the_model(scored, market):
    words = ("--data", "folder", "--data.labelled", ".", "--data.workers", "0")
    scores, _ = scored(*words, "--data.root", str(market / "bounding_box_test"))
    assert scores["trained_on"] == "market_layout"
    assert scores["data"] == "folder"


def test_many_cameras_become_a_list_of_the_worst():
    pairs = [
        {"query": a, "gallery": b, "queries": 9, "mAP": (a * 20 + b) / 400, "cmc1": 0.5}
        for a in range(20)
        for b in range(20)
        if a != b
    ]
    heading, table = camera_table(pairs)
    assert heading.startswith("the worst of 380 pairs")
    assert table.row_count == 10
    assert list(table.columns[1].cells)[:2] == ["1", "2"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["RUN", "--data", "markt1501"], "did you mean market1501?"),
        (["RUN", "--data", "market_layout", "--data.root", "/nowhere"], "--data.root /nowhere"),
        (["RUN", "--data.heigth", "64"], "did you mean --data.height?"),
        (["RUN", "--data.height", "tall"], "--data.height: expected an integer, got 'tall'"),
        (["RUN", "--reranck"], "--reranck: no such option"),
        (["RUN", "--device", "abacus"], "--device abacus: not usable here"),
        (["RUN", "--json", "scores.txt"], "the name must end with .json"),
        (["RUN", "--data", "folder", "--data.root", "MARKET/query"], "no labelled query"),
        ([], "the following arguments are required: RUN"),
    ],
)
def test_a_mistake_is_one_line(trained, market, capsys, words, message):
    words = [word.replace("RUN", str(trained)).replace("MARKET", str(market)) for word in words]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("reidzoo: ")
    assert error.count("\n") == 1
