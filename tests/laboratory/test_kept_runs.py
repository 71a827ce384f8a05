import numpy as np
import pytest

from reidzoo.errors import UserError
from reidzoo.laboratory.grid import Cell
from reidzoo.laboratory.kept_runs import read_kept, write_kept
from reidzoo.laboratory.protocol import Cameras, Protocol
from reidzoo.laboratory.runs import Finished, Run

RUN = Run(
    {"epochs": 2, "last": {"mAP": 1 / 3}},
    np.array([1 / 3, np.nan, 0.1]),
    Protocol(cameras=Cameras(sampler=True), versions={"torch": "2"}, batch=64),
)


def test_a_run_is_kept_to_the_last_digit(tmp_path):
    path = tmp_path / "grid.jsonl"
    write_kept(path, {"b/seed_0_x": RUN, "a/seed_0_y": Run({}, None)})
    assert [line[:20] for line in path.read_text().splitlines()] == [
        '{"cell": "a/seed_0_y',
        '{"cell": "b/seed_0_x',
    ]
    found = read_kept(path)
    assert found["a/seed_0_y"] == Run({}, None)
    assert (found["b/seed_0_x"].results, found["b/seed_0_x"].protocol) == (
        RUN.results,
        RUN.protocol,
    )
    np.testing.assert_array_equal(found["b/seed_0_x"].precisions, RUN.precisions)
    assert "NaN" not in path.read_text()  # which JSON does not know


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"cell": "a", "results": 3}', '{"cell": "a", "results": {}}']
)
def test_a_broken_line_is_named(tmp_path, line):
    path = tmp_path / "grid.jsonl"
    write_kept(path, {"a": RUN})
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=r"grid\.jsonl line 2: no finished run"):
        read_kept(path)


def test_a_kept_run_counts_as_finished_only_for_the_same_options(tmp_path):
    cell, other = Cell("a", 0, ("--method", "hhcl")), Cell("a", 0, ("--method", "spcl"))
    finished = Finished(tmp_path, {cell.folder: RUN})
    assert finished.find(cell) is RUN
    assert finished.find(other) is None
