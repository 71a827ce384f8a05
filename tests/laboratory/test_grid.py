from dataclasses import replace

import pytest

from reidzoo.cli.layers import experiments, published
from reidzoo.cli.names import methods
from reidzoo.compare import main
from reidzoo.errors import UserError
from reidzoo.laboratory.agreement import check_agreement
from reidzoo.laboratory.grid import read_grid
from reidzoo.laboratory.planning import plan


@pytest.fixture
def grid(tmp_path):
    def read(text):
        path = tmp_path / "small.yaml"
        path.write_text(text)
        return read_grid(path)

    return read


def test_all_rows_come_with_the_first_seed_before_the_second(grid):
    found = grid("seeds: [3, 5]\nrows: {a: --method hhcl, b: [--method, spcl]}\n")
    assert [(cell.row, cell.seed) for cell in found.cells()] == [
        ("a", 3), ("b", 3), ("a", 5), ("b", 5)
    ]  # fmt: skip
    assert found.baseline == "a"
    assert found.cell("b", 5).options == ("--data", "synthetic", "--method", "spcl", "--seed", "5")


def test_words_are_those_a_shell_would_see(grid):
    found = grid(
        "common: --trainer.max_epochs 2\n"
        "rows:\n  a: >-\n    --method.filters '[{name: MinCameras}]'\n"
        "  b: [--cluster.oracle, true]\n"
    )
    assert found.common == ("--trainer.max_epochs", "2")
    assert found.rows["a"] == (*found.common, "--method.filters", "[{name: MinCameras}]")
    assert found.rows["b"] == (*found.common, "--cluster.oracle", "true")


def test_other_options_lie_in_another_folder(grid):
    text = "common: --trainer.max_epochs {}\nrows: {{the row: --method hhcl}}\n"
    one, other = (grid(text.format(n)).cell("the row", 0).folder for n in (2, 3))
    assert one != other
    assert one.startswith("the_row/seed_0_")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "expected data, seeds"),
        ("rows: {a: --method hhcl}\nseed: [1]", "seed: no such key; .*did you mean seeds"),
        ("seeds: [0]", "rows: expected names"),
        ("rows: {a: --method hhcl}\nseeds: 3", "seeds: expected a list"),
        ("rows: {a: --method hhcl}\nseeds: [1, 1]", "names one twice"),
        ("rows: {a: 3}", "a: expected options as one text or a list"),
        ("rows: {a: --method hhcl --seed 4}", "a: --seed: .*use seeds"),
        ("rows: {a: --method hhcl --resume=auto}", "--resume=auto: .*--output"),
        ("rows: {hhcl: --method hhcl}\nbaseline: hhlc", "did you mean hhcl"),
        ("rows: {a: --x, b: --y}\npairs: [[a, c]]", "pairs: c: no such row"),
        ("rows: {a: --x, b: --y}\npairs: [a, b]", "pairs: expected lists of two"),
        ("rows: {a: --x, b: --y}\npairs: [[a, a]]", "pairs: expected lists of two"),
        ("rows: {a: [", "cannot be read"),
    ],
)
def test_mistakes_are_one_line(grid, text, said):
    with pytest.raises(UserError, match=said) as caught:
        grid(text)
    assert "\n" not in str(caught.value)
    assert "small.yaml" in str(caught.value)


def test_standard_grid_has_every_method_that_labels_the_whole_set():
    grid = read_grid(experiments() / "grids" / "synthetic_standard.yaml")
    own = {row for row, words in grid.rows.items() if "--cluster.oracle" not in words}
    plain = {row for row in own if row in methods()}
    assert plain == set(methods()) - {"calr_intra"}
    assert len(own) < len(grid.rows)  # a supervised bound is a row, too
    for row in plain:
        assert published(row, grid.data) is not None


GRIDS = sorted((experiments() / "grids").glob("*.yaml"))


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_shipped_grids_are_accepted_and_hold_one_protocol(path):
    grid = read_grid(path)
    assert grid.about
    if path.stem.startswith("eps_"):  # rows differ in one number: two of them tell
        assert len(grid.rows) >= 5
        grid = replace(grid, rows={row: grid.rows[row] for row in (grid.baseline, "eps auto")})
    planned = plan(grid)
    assert planned.keys() == grid.rows.keys()
    check_agreement({row: [stamp] for row, stamp in planned.items()}, grid.may_differ, grid.name)


def test_every_method_with_settings_for_the_people_has_its_ablation():
    names = {path.stem for path in GRIDS}
    for method in set(methods()) - {"instance", "calr_intra"}:
        settings = published(method, "synthetic")
        if settings is not None:
            assert f"ablation_{method}" in names
            if "eps" in settings.tree["method"].get("clusterer", {}):
                assert f"eps_{method}" in names


def test_fields_that_may_differ_are_fields(grid):
    rows = "rows: {a: --method hhcl, b: --method hhcl --trainer.max_epochs 2}\n"
    assert grid(f"{rows}may_differ: [epochs]").may_differ == ("epochs",)
    with pytest.raises(UserError, match=r"small.yaml: may_differ: epoch: .*did you mean epochs"):
        grid(f"{rows}may_differ: [epoch]")


def test_a_grid_that_mixes_protocols_is_refused_before_it_is_trained(tmp_path, capsys):
    path = tmp_path / "mixed.yaml"
    path.write_text(
        "common: --data.preset tiny --data.workers 0\n"
        "rows: {a: --method hhcl, b: --method hhcl --data.height 80 --trainer.max_epochs 3}\n"
    )
    assert main([str(path), "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "reidzoo: mixed: the rows differ in image_size (64 x 32: a; 80 x 32: b); epochs (16: a; "
        "3: b): make a grid for each, or say in this one may_differ: [image_size, epochs]\n"
    )
    assert not list(tmp_path.rglob("log.txt"))
