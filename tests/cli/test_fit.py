"""The whole command, in this process."""

import csv
import json
import logging
import signal
import subprocess
import sys
import time

import pytest
import torch
import yaml

import reidzoo
from reidzoo.fit import main


def latest(tmp_path, pair="hhcl_market_layout"):
    return sorted((tmp_path / "runs" / pair).iterdir())[-1]


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def weights(folder, name="last"):
    content = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return content["state_dict"]


def test_a_run_leaves_everything_in_its_folder(tiny_hhcl, tmp_path, capsys):
    assert main(tiny_hhcl) == 0
    said = capsys.readouterr()
    folder = latest(tmp_path)
    names = {path.name for path in folder.iterdir()}
    assert {"config.yaml", "metrics.csv", "results.json", "pseudo_labels.csv"} <= names
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    assert [row["epoch"] for row in rows(folder)] == ["0", "1"]
    for word in ("hhcl: Hu, Zhu, He", "train 72", "4 identities x 4 images", "epoch 2/2"):
        assert word in said.out
    table = said.out[said.out.index("untrained") :]
    for word in ("last epoch", "best epoch, chosen on test", "clusters", "seconds", str(folder)):
        assert word in table
    assert said.err == ""


def test_a_checkpoint_says_what_it_is(tiny_hhcl, tmp_path):
    assert main([*tiny_hhcl, "--trainer.max_epochs", "1"]) == 0
    path = latest(tmp_path) / "checkpoints" / "last.ckpt"
    about = json.loads(torch.load(path, weights_only=True)["reidzoo"])
    assert (about["method"], about["data"]) == ("hhcl", "market_layout")
    assert (about["height"], about["width"], about["seed"]) == (48, 24, 1)
    assert about["network"]["width"] == 8
    assert about["config"]["method"]["temperature"] == 0.05


def test_printed_settings_reproduce_the_run(tiny_hhcl, tmp_path, capsys):
    assert main([*tiny_hhcl, "--method.filters", "[MinSize]", "--print_config"]) == 0
    printed = capsys.readouterr().out
    path = tmp_path / "printed.yaml"
    path.write_text(printed)
    assert main(["--config", str(path), "--print_config"]) == 0
    assert capsys.readouterr().out == printed
    assert main([*tiny_hhcl, "--method.filters", "[MinSize]"]) == 0
    first = latest(tmp_path)
    assert main(["--config", str(path)]) == 0
    second = latest(tmp_path)
    assert first != second
    assert yaml.safe_load((second / "config.yaml").read_text()) == yaml.safe_load(printed)
    ours, theirs = weights(first), weights(second)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_help_of_a_pair_shows_options_and_published_values(capsys):
    assert main(["--method", "hhcl", "--data", "msmt17", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "set by experiments/hhcl/msmt17.yaml" in said
    assert "--method.clusterer.eps radius of DBSCAN" in said
    assert "[0.7]*" in said
    assert "--data.batches" in said
    assert "[300]*" in said
    assert "--trainer.max_epochs" in said
    assert "use_distributed_sampler" not in said


def test_auto_continues_where_the_run_stopped(tiny_hhcl, tmp_path, capsys):
    whole = [*tiny_hhcl, "--trainer.max_epochs", "4"]
    assert main(whole) == 0
    uninterrupted = latest(tmp_path)
    other = ["--output", str(tmp_path / "other")]
    assert main([*tiny_hhcl, *other]) == 0
    assert main([*whole, *other, "--resume", "auto"]) == 0
    folders = list((tmp_path / "other" / "hhcl_market_layout").iterdir())
    assert len(folders) == 1
    assert "after epoch 2" in capsys.readouterr().out
    ours, theirs = weights(uninterrupted), weights(folders[0])
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    timed = ("time/", "share/")
    for one, two in zip(rows(uninterrupted), rows(folders[0]), strict=True):
        one, two = ({k: v for k, v in row.items() if not k.startswith(timed)} for row in (one, two))
        assert one == two
    assert main([*whole, *other, "--resume", "auto"]) == 0  # nothing left to do
    assert "epoch 4/4" not in capsys.readouterr().out.split("after epoch 4")[1]


def test_init_takes_over_the_weights(tiny, tiny_hhcl, tmp_path, capsys):
    assert main([*tiny_hhcl, "--trainer.max_epochs", "1"]) == 0
    source = latest(tmp_path)
    command = ["--method", "cluster_contrast", *tiny, "--init", str(source)]
    frozen = ["--method.optimization.lr", "0", "--trainer.max_epochs", "1"]
    assert main([*command, *frozen]) == 0
    given, taken = weights(source), weights(latest(tmp_path, "cluster_contrast_market_layout"))
    names = [name for name in given if name.startswith("network.") and name.endswith("weight")]
    assert names
    assert all(torch.equal(given[name], taken[name]) for name in names)
    capsys.readouterr()
    assert main([*command, "--method.network.width", "4"]) == 2
    assert "of another shape (first: " in capsys.readouterr().err
    assert main([*command, "--method.network.embedding", "7"]) == 2
    assert "missing (first: " in capsys.readouterr().err


OWN = '''
from reidzoo.losses import smoothed_cross_entropy
from reidzoo.methods.cluster_contrast import ClusterContrast


class MyLoss(ClusterContrast):
    """Cluster Contrast with label smoothing."""

    def __init__(self, *, smoothing: float = 0.1, **base):
        super().__init__(momentum=0.2, **base)
        self.smoothing = smoothing

    def compute_loss(self, out, batch):
        logits = self.memory.logits(out["global"])
        return {"mine": smoothed_cross_entropy(logits, batch["label"], self.smoothing)}
'''


def test_own_class_by_dotted_name(tiny, tmp_path, monkeypatch, capsys):
    (tmp_path / "mine_for_test.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    mine = ["--method", "mine_for_test.MyLoss"]
    assert main([*mine, *tiny, "--method.smoothing", "0.2"]) == 0
    folder = latest(tmp_path, "mine_for_test.MyLoss_market_layout")
    assert float(rows(folder)[-1]["loss/mine"]) > 0
    capsys.readouterr()
    assert main([*mine, "--data", "market1501", "--print_config"]) == 0
    settings = yaml.safe_load(capsys.readouterr().out)
    assert settings["method"]["smoothing"] == 0.1
    assert settings["method"]["network"]["samples_per_bn"] == 64  # from cluster_contrast's file
    assert "momentum" not in settings["method"]
    assert main([*mine, "--method", "mine_for_test.Any"]) == 2


def test_a_class_of_the_wrong_kind(capsys):
    assert main(["--method", "reidzoo.data.sets.msmt17.MSMT17", "--data", "msmt17"]) == 2
    assert "must be a subclass of reidzoo.methods.base.Method" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--trainer.accelerator abacus", "--trainer: You selected an invalid accelerator"),
        ("--cluster.every 0", "--cluster.every 0: must be 1 or more"),
        ("--method.clusterer.eps 2", "eps"),
        ("--data.batch_size 10", "--data.batch_size 10: must be a multiple of 4"),
        ("--data.augment.flip 2", "--data.augment.flip 2"),
        ("--method.clusterer.eps 0.01", "--method.clusterer: JaccardDBSCAN("),
    ],
)
def test_mistakes_that_only_the_classes_can_see(tiny_hhcl, capsys, words, said):
    assert main([*tiny_hhcl, *words.split()]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_wandb_without_an_account(tiny_hhcl, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert main([*tiny_hhcl, "--trainer.max_epochs", "1", "--logger", "wandb"]) == 0
    folder = latest(tmp_path)
    said = capsys.readouterr()
    assert f"wandb sync {folder}/wandb" in said.out
    assert said.err == ""
    assert (folder / "wandb_id").read_text() in next((folder / "wandb").glob("offline-run-*")).name
    assert rows(folder)


def test_tensorboard_beside_csv(tiny_hhcl, tmp_path):
    assert main([*tiny_hhcl, "--trainer.max_epochs", "1", "--logger", "tensorboard"]) == 0
    assert list(latest(tmp_path).glob("events.out.*"))
    assert rows(latest(tmp_path))


def test_data_that_cannot_be_evaluated_have_no_best(tiny_hhcl, market, tmp_path, capsys):
    words = ["--data", "folder", "--data.root", str(market / "bounding_box_train")]
    assert main([*tiny_hhcl, *words]) == 0
    folder = latest(tmp_path, "hhcl_folder")
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["last.ckpt"]
    assert "mAP" not in capsys.readouterr().out.split("epoch 2/2")[0]


def start(words):
    command = [sys.executable, "-m", "reidzoo.fit", *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Shells ignore SIGINT in what they run in the background, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")],
)
def test_signals_end_a_run_cleanly(tiny_hhcl, tmp_path, number, code, said):
    process = start([*tiny_hhcl, "--trainer.max_epochs", "100000"])
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/*/checkpoints/last.ckpt")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert (process.returncode, error.count("\n")) == (code, 1)
    assert error.startswith(f"reidzoo: {said}")


@pytest.mark.slow
def test_two_processes_share_one_run(tiny_hhcl, tmp_path):
    process = start([*tiny_hhcl, "--trainer.devices", "2", "--trainer.strategy", "ddp"])
    out, error = process.communicate(timeout=300)
    assert (process.returncode, error) == (0, "")
    assert out.count("fidelity") == 1
    assert "on 2 processes" in out
    assert len(list((tmp_path / "runs" / "hhcl_market_layout").iterdir())) == 1


@pytest.fixture(autouse=True)
def _as_before():
    """The command mutes Lightning for its whole process; here other tests follow."""
    names = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")
    before = {name: logging.getLogger(name).level for name in names}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_a_compiled_run_continues_without_compiling_and_is_loaded(tiny_hhcl, tmp_path, capsys):
    words = [*tiny_hhcl, "--evaluate.every", "0", "--data.batches", "1"]
    assert main([*words, "--compile", "eager", "--trainer.max_epochs", "1"]) == 0
    assert main([*words, "--resume", "auto"]) == 0
    assert "continuing" in capsys.readouterr().out
    folder = latest(tmp_path)
    assert not [name for name in weights(folder) if "_orig_mod" in name]
    assert [row["epoch"] for row in rows(folder)] == ["0", "1"]
    image = torch.zeros(2, 3, 48, 24, dtype=torch.uint8)
    assert reidzoo.load(folder)(image).shape == (2, 64)
