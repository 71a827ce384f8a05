"""The stamp as `fit` records it and as `evaluate` writes it."""

import json

import pytest
import torch

from reidzoo import evaluate as evaluate_command
from reidzoo.fit import main
from reidzoo.laboratory.protocol import Protocol
from reidzoo.laboratory.stamps import read_protocol


@pytest.fixture
def run(tiny_hhcl, tmp_path):
    assert main([*tiny_hhcl, "--seed", "5", "--method.clusterer.normalise", "camera_mean"]) == 0
    return next((tmp_path / "runs").glob("*/*"))


def test_results_carry_their_protocol_and_evaluations_their_own(run, tmp_path, capsys):
    results = json.loads((run / "results.json").read_text())
    found = Protocol.from_tree(results["protocol"], "results")
    assert found == read_protocol(run)
    assert (found.method, found.data, found.seed) == ("hhcl", "market_layout", 5)
    assert (found.cameras.sampler, found.cameras.clustering, found.cameras.loss) == (1, 1, 0)
    assert (found.selection, found.test_evaluations) == ("last", results["evaluations"])
    assert (found.image_size, found.samples_per_bn) == ("48 x 24", 16)
    assert (found.batch, found.batches, found.epochs) == (16, 3, 2)
    assert found.eps_from == "command line"
    assert found.versions["torch"] == torch.__version__.partition("+")[0]
    assert results["evaluations"] == 3  # untrained, and after each epoch

    file = tmp_path / "scores.json"
    for path, selection, rerank in (
        (run, "last", []),
        (run / "checkpoints" / "best.ckpt", "best on test", ["--rerank"]),
    ):
        assert evaluate_command.main([str(path), "--json", str(file), *rerank]) == 0
        stamp = Protocol.from_tree(json.loads(file.read_text())["protocol"], "scores")
        assert (stamp.selection, stamp.reranking) == (selection, bool(rerank))
        assert stamp.test_evaluations == 1
        assert stamp.tested_on.startswith("market_layout")
        assert (stamp.method, stamp.epochs, stamp.seed) == ("hhcl", 2, 5)

    moved = tmp_path / "alone.ckpt"
    moved.write_bytes((run / "checkpoints" / "last.ckpt").read_bytes())
    assert evaluate_command.main([str(moved), "--json", str(file)]) == 0
    stamp = Protocol.from_tree(json.loads(file.read_text())["protocol"], "scores")
    assert (stamp.method, stamp.batch, stamp.selection) == ("hhcl", 16, None)  # nobody knows
