import pytest

from reidzoo.cli.layers import experiments, published
from reidzoo.cli.names import methods
from reidzoo.errors import UserError
from reidzoo.laboratory.grid import read_grid


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
    assert set(grid.rows) == (set(methods()) - {"calr_intra"}) | {"supervised"}
    for row in set(grid.rows) - {"supervised"}:
        assert published(row, grid.data) is not None
