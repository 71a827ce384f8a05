"""The command itself, on a grid of two rows that takes seconds."""

import json
import signal
import subprocess
import sys
import time

import pytest

from reidzoo.compare import main

COMMON = {
    "data.preset": "tiny",
    "data.height": 48,
    "data.width": 24,
    "data.batch_size": 16,
    "data.batches": 4,
    "data.workers": 0,
    "method.network.width": 8,
    "trainer.accelerator": "cpu",
    "trainer.max_epochs": 5,
    "evaluate.every": 0,
}


@pytest.fixture
def grid(tmp_path):
    words = " ".join(f"--{name} {value}" for name, value in COMMON.items())
    path = tmp_path / "tiny.yaml"
    path.write_text(
        f"data: synthetic\nseeds: [0]\ncommon: {words}\nrows:\n"
        "  plain: --method cluster_contrast\n"
        "  supervised: --method cluster_contrast --cluster.oracle true\n"
    )
    return path


def figures(output):
    """Everything in the JSON that depends neither on the clock nor on a commit meanwhile."""
    tree = json.loads((output / "tiny" / "tiny.json").read_text())
    for row in tree["rows"]:
        row["values"].pop("seconds", None)
        row["protocol"] = {k: v for k, v in row["protocol"].items() if not k.startswith("git")}
    return tree


@pytest.mark.slow
def test_a_grid_that_was_killed_ends_with_the_same_table(grid, tmp_path, capsys):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main([str(grid), "--output", str(whole), "--jobs", "2"]) == 0

    command = [sys.executable, "-m", "reidzoo.compare", str(grid), "--output", str(killed)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not list(killed.rglob("last.ckpt")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert said.decode() == "reidzoo: terminated; the same command goes on from here\n"

    assert main([*command[3:]]) == 0
    assert "continuing" in next(killed.rglob("plain/*/log.txt")).read_text()
    assert figures(killed) == figures(whole)
    assert len(list(killed.rglob("config.yaml"))) == 2  # continued, not begun anew

    rows = {row["name"]: row for row in figures(whole)["rows"]}
    assert rows["supervised"]["protocol"]["labels"] == "true identities"
    assert rows["supervised"]["values"]["ARI"] == [1.0]
    assert rows["plain"]["values"]["ARI"][0] < 1
    assert rows["plain"]["protocol"]["labels"] == "its own"
    assert rows["supervised"]["against"]["sources"] == "queries"

    capsys.readouterr()
    assert main([*command[3:]]) == 0
    assert "2 runs, 2 of them finished before" in capsys.readouterr().out

    record, elsewhere = tmp_path / "record", tmp_path / "elsewhere"
    assert main([str(grid), "--output", str(whole), "--table", "--record", str(record)]) == 0
    capsys.readouterr()
    assert main([str(grid), "--output", str(elsewhere), "--record", str(record)]) == 0
    assert "2 runs, 2 of them finished before" in capsys.readouterr().out
    assert figures(elsewhere) == figures(whole)


def test_a_failing_row_does_not_stop_the_others(tmp_path, capsys):
    path = tmp_path / "bad.yaml"
    path.write_text("common: --data.preset tiny\nrows: {one: --method hhlc, two: --method hlcc}\n")
    assert main([str(path), "--output", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert "one, seed 0: failed" in said.out
    assert "did you mean hhcl" in said.out
    assert "**Incomplete**" in said.out
    assert said.err.startswith("reidzoo: 2 runs failed (one, seed 0; two, seed 0)")


def test_only_the_table_starts_nothing(grid, tmp_path, capsys):
    assert main([str(grid), "--output", str(tmp_path), "--table"]) == 0
    assert "| plain | 0 of 1 |" in capsys.readouterr().out
    assert not list(tmp_path.rglob("log.txt"))


def test_a_grid_that_is_not_there_is_one_line(capsys):
    assert main(["nowhere.yaml"]) == 2
    assert capsys.readouterr().err == "reidzoo: nowhere.yaml: no such file or folder\n"
