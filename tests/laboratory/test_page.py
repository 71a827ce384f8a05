"""The page of recorded grids: what is committed is what the command writes."""

import json

import pytest

from reidzoo.cli.layers import experiments
from reidzoo.compare import main
from reidzoo.laboratory.page import page, section, verdicts


def test_committed_page_is_what_the_command_writes():
    written = (experiments() / "RESULTS.md").read_text(encoding="utf-8")
    assert written == page(experiments()), "run: python -m reidzoo.compare --results experiments"


def test_every_recorded_grid_is_on_the_page_with_its_command_and_picture():
    written = page(experiments())
    records = sorted((experiments() / "results").glob("*.json"))
    assert records
    for path in records:
        tree = json.loads(path.read_text())
        assert f"## {tree['grid']}: {tree['data']}\n" in written
        assert tree["command"] in written
        assert f"(results/{path.stem}.png)" in written
        assert path.with_suffix(".png").is_file()
        for row in tree["rows"]:
            assert f"\n| {row['name']}" in section(tree)
            assert set(row["protocol"]) >= {"cameras.sampler", "selection", "epochs", "git"} or (
                "git.commit" in row["protocol"]
            )


@pytest.fixture
def tree():
    path = experiments() / "results" / "synthetic_standard.json"
    return json.loads(path.read_text())


def test_the_command_writes_the_page(tmp_path, tree, capsys):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "mine.json").write_text(json.dumps(tree | {"grid": "mine"}))
    assert main(["--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"page {tmp_path / 'RESULTS.md'}\n"
    assert "\n## mine: synthetic\n" in (tmp_path / "RESULTS.md").read_text()


def test_a_command_without_a_grid_says_so(capsys):
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("reidzoo: GRID.yaml is missing; ")


def test_words_are_those_of_the_intervals():
    rows = [
        {"name": name, "against": {"value": 0, "low": low, "high": high}}
        for name, low, high in (("up", 0.1, 0.2), ("even", -0.1, 0.1), ("down", -0.2, -0.1))
    ]
    rows.append({"name": "plain", "against": None})
    assert verdicts({"baseline": "plain", "rows": rows}) == [
        "better than plain: up",
        "not distinguishable from plain: even",
        "worse than plain: down",
    ]
