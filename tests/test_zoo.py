import json
from pathlib import Path

import pytest
import yaml

from reidzoo import zoo
from reidzoo.cli import zoo_table
from reidzoo.cli.layers import experiments
from reidzoo.cli.names import data_sets, methods

ROOT = Path(__file__).parents[1]


def test_published_results_say_what_they_are():
    tree = yaml.safe_load((experiments() / "published.yaml").read_text())
    assert set(tree) <= set(methods())
    for sets in tree.values():
        assert set(sets) <= set(data_sets())
        for entry in sets.values():
            assert set(entry) == {"mAP", "R1", "edition", "source"}
            assert 0 < entry["mAP"] < entry["R1"] < 100
            assert len(entry["edition"]) > 5
            assert len(entry["source"]) > 10


def test_every_method_has_one_row(capsys):
    assert zoo.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    table = lines[1 : lines.index("")]
    assert {line.split()[0] for line in table} == set(methods())
    assert len(table) == len(methods())


def test_readme_holds_the_table_of_today():
    readme = (ROOT / "README.md").read_text()
    assert zoo_table.fill(readme) == readme, "run: python -m reidzoo.zoo --fill README.md"


def test_fill_changes_only_what_is_between_the_markers(tmp_path):
    document = tmp_path / "x.md"
    document.write_text(f"# head\n{zoo_table.BEGIN}\nold\n{zoo_table.END}\ntail\n")
    assert zoo.main(["--fill", str(document)]) == 0
    once = document.read_text()
    assert once.startswith(f"# head\n{zoo_table.BEGIN}\n| method |")
    assert once.endswith(f"{zoo_table.END}\ntail\n")
    assert zoo_table.fill(once) == once


def test_document_without_markers_is_refused(tmp_path, capsys):
    document = tmp_path / "x.md"
    document.write_text("nothing")
    assert zoo.main(["--fill", str(document)]) == 2
    assert "needs the lines <!-- zoo:begin -->" in capsys.readouterr().err
    assert document.read_text() == "nothing"


def test_our_results_are_means_over_seeds_in_per_cent(tmp_path):
    folder = tmp_path / "hhcl"
    folder.mkdir()
    runs = [{"last": {"mAP": value, "cmc1": 0.9}} for value in (0.5, 0.7)]
    (folder / "synthetic.results.json").write_text(json.dumps({"command": "do", "runs": runs}))
    (result,) = zoo_table.measured(tmp_path)
    assert (result.method, result.data, str(result)) == ("hhcl", "synthetic", "60.0 / 90.0")
    assert result.origin == "2 seeds, `do`"


@pytest.mark.parametrize("path", sorted(experiments().glob("*/*.results.json")), ids=str)
def test_committed_results_name_their_command(path):
    tree = json.loads(path.read_text())
    assert tree["command"].startswith("python -m reidzoo.fit ")
    assert all(run["last"]["mAP"] > run["untrained"]["mAP"] for run in tree["runs"])
