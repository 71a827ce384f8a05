"""The README cannot rot: its commands are run, its code is executed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from reidzoo import fit as fit_command
from reidzoo.data.sets.synthetic import Synthetic
from reidzoo.laboratory.kept_runs import read_kept

README = Path(__file__).parents[1] / "README.md"
QUICK = ["--data.preset", "tiny", "--data.batches", "3", "--data.workers", "0"]
QUICK += ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = "".join(blocks("bash")).replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    return [words for words in found if words[:2] == ["python", "-m"]]


FIT = [words[3:] for words in commands() if words[2] == "reidzoo.fit"]


def own_loss() -> str:
    return next(block for block in blocks("python") if block.startswith("# mine.py"))


def test_finds_the_commands():
    assert len(FIT) >= 8
    assert {words[2] for words in commands()} >= {"reidzoo.fit"}


@pytest.mark.parametrize("words", FIT, ids=" ".join)
def test_options_are_understood(words, tmp_path, monkeypatch, capsys):
    """Every command parses; folders of real data are stood in for by an empty one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine.py").write_text(own_loss())
    (tmp_path / "experiments").symlink_to(README.parent / "experiments")
    words = [str(tmp_path) if word.startswith(("/data/", "crops/")) else word for word in words]
    if "--init" in words:  # what it names is made by the test below
        words[words.index("--init") + 1] = str(tmp_path)
    assert fit_command.main(words if "--help" in words else [*words, "--print_config"]) == 0
    assert capsys.readouterr().out


def run(words: list[str], folder: Path) -> str:
    program = sys.executable if words[0] == "python" else words[0]
    done = subprocess.run(
        [program, *words[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_own_loss_trains_without_registration(tmp_path):
    source = own_loss()
    assert len(source.strip().splitlines()) <= 15
    (tmp_path / "mine.py").write_text(source)
    words = next(words for words in commands() if "mine.MyLoss" in words)
    output = run([*words, *QUICK], tmp_path)
    assert "mine.MyLoss" in output
    assert list(tmp_path.glob("runs/*/*/results.json"))


@pytest.mark.slow
def test_two_losses_are_compared_by_one_block(tmp_path):
    """The block as it stands, with a tiny budget; the environment is there already."""
    block = next(block for block in blocks("bash") if "losses.yaml" in block)
    install, _, script = block.strip().partition("\n")
    assert install == "make install"
    script = re.sub(r"^common: .*$", f"common: {shlex.join(QUICK)}", script, flags=re.MULTILINE)
    script = script.replace(".venv/bin/python", sys.executable)
    output = run(["bash", "-ec", f"{script} --jobs 2"], tmp_path)
    rows = {line.split(" | ")[0].strip("| "): line for line in output.splitlines()}
    assert rows["cluster_contrast"].startswith("| cluster_contrast | 3 | ")
    assert re.search(r"(different|not distinguishable): [+-]", rows["hhcl"])
    assert "**Protocol** of the trained rows: data synthetic" in output


@pytest.mark.slow
def test_warm_start_is_handed_on(tmp_path):
    warm = next(words for words in commands() if "warm" in words)
    start = next(words for words in commands() if "--init" in words)
    run([*warm, *QUICK, "--data.batch_size", "32"], tmp_path)
    assert "last epoch" in run([*start, *QUICK], tmp_path)


def test_parts_work_alone():
    block = next(block for block in blocks("python") if "JaccardDBSCAN(k1" in block)
    rows = F.normalize(torch.randn(60, 16), dim=1)
    identities, cameras = torch.arange(60) % 6, torch.arange(60) // 6 % 3
    names = {
        "features": rows,
        "query": rows[:20],
        "gallery": rows[20:],
        "query_ids": identities[:20],
        "gallery_ids": identities[20:],
        "query_cams": cameras[:20],
        "gallery_cams": cameras[20:],
    }
    exec(block, names)
    assert len(names["labels"]) == 60
    assert 0 <= names["scores"]["mAP"] <= 1


@pytest.mark.slow
def test_everything_after_training(tmp_path):
    """Evaluate, embed, search, export, report: in the order of the README."""
    run(
        [*["python", "-m", "reidzoo.fit", "--method", "hhcl", "--data", "synthetic"], *QUICK],
        tmp_path,
    )
    crops = tmp_path / "crops"
    crops.mkdir()
    people = Synthetic(preset="tiny").read().gallery
    for record in people[:30]:
        shutil.copy(record.path, crops)
    shutil.copy(people[0].path, crops / "somebody.jpg")
    training = {"reidzoo.fit", "reidzoo.zoo", "reidzoo.bench", "reidzoo.compare"}
    after = [words for words in commands() if words[2] not in training]
    assert len(after) >= 5
    for words in after:
        assert run(words, tmp_path).strip()
    made = {path.name for path in tmp_path.iterdir()}
    assert {"gallery.npz", "search.png", "search.html", "model.onnx"} <= made


def test_results_of_the_demo_are_the_committed_ones():
    text = README.read_text()
    runs = read_kept(README.parent / "experiments" / "results" / "synthetic_standard.jsonl")
    for seed in (0, 1, 2):
        (cell,) = (cell for cell in runs if cell.startswith(f"hhcl/seed_{seed}_"))
        for when in ("untrained", "last"):
            assert f"{100 * runs[cell].results[when]['mAP']:.1f}" in text


def job_script() -> str:
    return next(block for block in blocks("bash") if block.startswith("#!/bin/bash"))


@pytest.mark.parametrize(("code", "requeued"), [(0, ""), (1, ""), (143, "requeue 77\n")])
def test_job_script_requeues_what_was_terminated(tmp_path, code, requeued):
    """SLURM is stood in for by two small programs."""
    (tmp_path / "job").write_text(job_script())
    programs = {"srun": f'echo "$@" > arguments; exit {code}', "scontrol": 'echo "$@" > said'}
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    variables = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "77"}
    done = subprocess.run(["bash", "job"], cwd=tmp_path, env=variables, check=False)
    assert done.returncode == code
    said = tmp_path / "said"
    assert (said.read_text() if said.exists() else "") == requeued
    words = shlex.split((tmp_path / "arguments").read_text())
    own = words[words.index("reidzoo.fit") + 1 :]
    own[own.index("--data.root") + 1] = str(tmp_path)
    assert fit_command.main([*own, "--print_config"]) == 0


@pytest.mark.slow
def test_torchrun_command_trains_in_two_processes(tmp_path):
    line = next(line for block in blocks("bash") for line in block.splitlines() if line[:2] == "to")
    words = [word.replace("4", "2") for word in shlex.split(line)[1:]]
    root = words.index("--data.root")
    words[root : root + 2] = []
    words[words.index("--data") + 1] = "synthetic"
    command = [sys.executable, "-m", "torch.distributed.run", *words, *QUICK]
    command += ["--evaluate.untrained", "false"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "on 2 processes" in done.stdout
    assert len(list(tmp_path.glob("runs/*/*/results.json"))) == 1
