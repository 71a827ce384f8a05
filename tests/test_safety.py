"""No file can run code, no command opens a connection, no person leaves the machine unasked."""

import ast
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import reidzoo
from reidzoo.cli.loggers import LoggerOptions
from reidzoo.errors import UserError
from reidzoo.fit import main
from reidzoo.gallery.files import load_gallery
from tests.cli.conftest import market, tiny, tiny_hhcl  # noqa: F401  fixtures
from tests.commands.conftest import embedder, trained  # noqa: F401

ROOT = Path(reidzoo.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FORBIDDEN = {
    "pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "dill.load", "shelve.open",
    "marshal.load", "marshal.loads", "yaml.load", "yaml.full_load", "yaml.unsafe_load", "eval",
    "exec", "os.system", "os.popen", "torch.hub.load", "torch.jit.load",
}  # fmt: skip
DEMANDED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}


def faults(source: str) -> list[str]:
    """What in a source might run code that a file brings along."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        options = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if name in FORBIDDEN or options.get("shell") == "True":
            found.append(f"line {node.lineno}: {name}")
        option, value = DEMANDED.get(name, (None, None))
        if option and options.get(option) != str(value):
            found.append(f"line {node.lineno}: {name} without {option}={value}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_read_that_could_run_code(path):
    assert not faults(path.read_text())


@pytest.mark.parametrize(
    "source",
    ["torch.load(p)", "torch.load(p, weights_only=False)", "np.load(p, allow_pickle=True)",
     "yaml.load(t)", "pickle.loads(b)", "subprocess.run(c, shell=True)"],
)  # fmt: skip
def test_the_rule_sees_what_it_forbids(source):
    assert faults(source)


class Bomb:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def bomb(tmp_path):
    """A checkpoint that would run code; afterwards nothing may have been run."""
    mark, path = tmp_path / "exploded", tmp_path / "bomb.ckpt"
    torch.save({"state_dict": {}, "reidzoo": Bomb(mark)}, path)
    np.save(tmp_path / "x.npy", np.array([Bomb(mark)]), allow_pickle=True)
    np.savez(tmp_path / "x.npz", paths=np.array([Bomb(mark)]), card=np.array("{}"))
    (tmp_path / "bomb.yaml").write_text(f"!!python/object/apply:os.mkdir ['{mark}']")
    yield path
    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark)))  # the bomb is a real one
    assert mark.exists()


@pytest.mark.parametrize("option", ["resume", "init", "method.network.weights"])
def test_a_checkpoint_that_would_run_code_is_refused(bomb, tiny_hhcl, option, capsys):  # noqa: F811
    assert main([*tiny_hhcl, f"--{option}", str(bomb)]) == 2
    assert f"--{option} {bomb}: refused" in capsys.readouterr().err


def test_other_files_that_would_run_code_are_refused(bomb, tiny_hhcl, capsys):  # noqa: F811
    with pytest.raises(UserError, match="refused"):
        reidzoo.load(bomb)
    with pytest.raises(UserError, match="not a gallery"):
        load_gallery(bomb.with_name("x.npz"))
    assert main([*tiny_hhcl, "--config", str(bomb.with_suffix(".yaml"))]) == 2
    assert "not valid YAML" in capsys.readouterr().err


OFFLINE = """
import socket, sys

connect = socket.socket.connect

def refuse(*call):
    raise AssertionError(f"a connection was asked for: {call}")

def connect_inside(self, address):  # loader processes talk through the file system
    return connect(self, address) if self.family == socket.AF_UNIX else refuse(address)

socket.socket.connect = connect_inside
socket.socket.connect_ex = socket.socket.sendto = refuse
socket.getaddrinfo = socket.create_connection = refuse

from reidzoo import embed, export, fit, report, search

for main, words in ((fit, sys.argv[1].split()), *(
    (command, line.split()) for command, line in (
        (embed, sys.argv[2]), (search, sys.argv[3]), (report, sys.argv[4]), (export, sys.argv[5])
    )
)):
    assert main.main(words) == 0, main
"""


@pytest.mark.slow
def test_no_command_opens_a_connection(tiny_hhcl, market, trained, tmp_path):  # noqa: F811
    query = next((market / "query").iterdir())
    lines = [
        " ".join([*tiny_hhcl, "--trainer.max_epochs", "1"]),
        f"{trained} {market / 'query'} -o {tmp_path}/g.npz --device cpu --workers 0",
        f"{tmp_path}/g.npz {query} -o {tmp_path}/found --device cpu",
        f"{tmp_path}/runs/hhcl_market_layout -o {tmp_path}/r.html",
        f"{trained} -o {tmp_path}/x.safetensors",
    ]
    asked = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *lines],
        cwd=tmp_path, env=asked, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_people_are_not_sent_anywhere_unless_asked():
    """What is sent then and otherwise is tested in tests/cli/test_wandb.py."""
    assert LoggerOptions().images is False
