"""The benchmark runs, compares with the plain way and writes its report; speed is not asserted."""

import json
from pathlib import Path

import torch

from reidzoo.benchmarks.input import PLAIN, bench_input, make_plain_pipeline, write_photographs


def test_report_has_every_way_and_is_written(tmp_path):
    threads = torch.get_num_threads()
    report = bench_input(images=3, rounds=2, height=64, width=32, output=str(tmp_path / "out"))
    assert torch.get_num_threads() == threads
    assert [timing.name for timing in report.timings][:2] == [PLAIN, "reidzoo"]
    assert report.timings[0].times_plain == 1
    written = json.loads((tmp_path / "out" / "input.json").read_text())
    assert [timing["name"] for timing in written["timings"]] == [
        timing.name for timing in report.timings
    ]
    table = (tmp_path / "out" / "input.md").read_text()
    assert table == report.to_markdown()
    for timing in report.timings:
        assert f"| {timing.name} | {timing.microseconds_per_image:.0f} |" in table


def test_photographs_weigh_what_those_of_market_do(tmp_path):
    paths = write_photographs(tmp_path, 8)
    sizes = [Path(path).stat().st_size for path in paths]
    assert all(2000 < size < 5000 for size in sizes)
    assert make_plain_pipeline(64, 32)(paths[0]).shape == (3, 64, 32)
