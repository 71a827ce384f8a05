import json
import re
from pathlib import Path

import pytest
import yaml

from reidzoo import zoo
from reidzoo.cli import zoo_table
from reidzoo.cli.layers import experiments
from reidzoo.cli.names import data_sets, methods
from reidzoo.cli.request import understand
from reidzoo.cli.session import prepare
from reidzoo.laboratory.protocol import LABELS, ORIGINS, SELECTIONS, SPLITS, Protocol
from reidzoo.laboratory.stamps import stamp

ROOT = Path(__file__).parents[1]


def test_published_results_say_what_they_are():
    tree = yaml.safe_load((experiments() / "published.yaml").read_text())
    assert set(tree) <= set(methods())
    for sets in tree.values():
        assert set(sets) <= set(data_sets())
        for entry in sets.values():
            assert set(entry) == {"mAP", "R1", "edition", "source", "stamp"}
            assert 0 < entry["mAP"] < entry["R1"] < 100
            assert len(entry["edition"]) > 5
            assert len(entry["source"]) > 10


def published():
    tree = yaml.safe_load((experiments() / "published.yaml").read_text())
    for method, sets in tree.items():
        for data, entry in sets.items():
            yield pytest.param(method, data, entry["stamp"], id=f"{method}-{data}")


KINDS = {
    "selection": SELECTIONS, "split": SPLITS, "eps_from": ORIGINS, "weights": ("imagenet",),
    "reranking": (True, False), "flip_test": (True, False), "labels": LABELS,
}  # fmt: skip


@pytest.mark.parametrize(("method", "data", "tree"), list(published()))
def test_stamps_of_published_results_have_known_fields_and_values(method, data, tree):
    stamp = Protocol.from_tree(tree, f"{method}, {data}")
    for field, value in stamp.flat().items():
        if value is None:
            continue
        kind = (True, False) if field.startswith("cameras.") else KINDS.get(field)
        if kind:
            assert value in kind, field
        elif field in ("samples_per_bn", "batch", "epochs", "test_evaluations"):
            assert type(value) is int
            assert value > 0
        elif field == "image_size":
            assert re.fullmatch(r"\d+ x \d+", value)
        else:
            assert field in ("batches", "backbone"), field
    assert "method" not in tree  # the entry's own place says it
    assert "data" not in tree


@pytest.mark.parametrize(("method", "data", "tree"), list(published()))
def test_published_stamps_are_those_of_our_settings(method, data, tree):
    """Where a source settles a field, the published settings follow it."""
    session = prepare(understand(["--method", method, "--data", data]))
    ours, theirs = stamp(session.tree(), {}, {}, {}).flat(), dict(tree)
    cameras = theirs.pop("cameras", {})
    settled = {"backbone", "weights", "image_size", "samples_per_bn", "batch", "split"}
    for field in settled & set(theirs):
        assert ours[field] == theirs[field], field
    for part in {"clustering", "loss"} & set(cameras):
        assert ours[f"cameras.{part}"] == cameras[part], part


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
    values = {"mAP": [0.5, 0.7], "R1": [0.9, 0.9]}
    plain = {"name": "a", "options": ["--method", "hhcl"], "seeds": [0, 2], "values": values}
    other = plain | {"name": "b", "options": ["--method", "hhcl", "--cluster.oracle", "true"]}
    untrained = plain | {"name": "untrained", "options": []}
    (tmp_path / "results").mkdir()
    record = tmp_path / "results" / "synthetic_hard.json"
    record.write_text(json.dumps({"command": "do", "rows": [untrained, plain, other]}))
    (result,) = zoo_table.measured(tmp_path)
    assert (result.method, result.data) == ("hhcl", "synthetic_hard")
    assert str(result) == "60.0 ± 14.1 / 90.0 ± 0.0"
    assert result.origin == "seeds 0, 2: `do`"


def test_both_presets_have_results_of_every_method_that_trains_by_itself():
    found = {(result.data, result.method) for result in zoo_table.measured()}
    trained = set(methods()) - {"calr_intra"}  # the first stage of another one
    assert found == {(grid, method) for grid in zoo_table.OURS for method in trained}
