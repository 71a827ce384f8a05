import json

from reidzoo.benchmarks.evaluation import bench_eval


def test_a_small_run_agrees_with_the_plain_ways_and_writes_both_files(tmp_path):
    report = bench_eval(
        queries=12, gallery=300, width=16, rounds=1, reference_queries=8, output=str(tmp_path)
    )
    assert {one.name for one in report.references} == {"sort, Python loop", "sort, scikit-learn"}
    assert all(one.worst_difference < 1e-6 for one in report.references)
    assert report.megabytes >= 0
    written = json.loads((tmp_path / "eval_12x300.json").read_text())
    assert (written["queries"], written["gallery"], written["reference_queries"]) == (12, 300, 8)
    table = (tmp_path / "eval_12x300.md").read_text()
    assert "python -m reidzoo.bench eval --queries 12 --gallery 300" in table
