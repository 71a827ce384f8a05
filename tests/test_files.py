"""Nothing is written in place: whole files or none, and the disk's refusals in one line."""

import ast
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import reidzoo
from reidzoo.errors import UserError
from reidzoo.files import remove_partial, write_text, written_whole

ROOT = Path(reidzoo.__file__).parent
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
WRITING = {"write_text", "write_bytes", "savez", "save_file", "imwrite", "open_memmap", "savefig"}
IN_PLACE = {  # file -> why it may write without `written_whole`
    "benchmarks/input.py": "photographs in a temporary folder",
    "benchmarks/people.py": "photographs in a temporary folder",
    "benchmarks/labels.py": "arrays in a temporary folder",
    "benchmarks/machine.py": "a switch of the kernel, not a file",
    "data/cache.py": "a folder that is moved into place when it is whole",
    "data/pixel_cache.py": "in such a folder",
    "data/synthetic/drawing.py": "in such a folder",
    "gallery/parts.py": "rows are appended; state.json says how many of them count",
    "laboratory/runs.py": "what a run says, as it says it",
    "visual/curves.py": "into memory",
}


def name_of(call: ast.Call) -> tuple[str, str]:
    """What is called, and on which plain name: np.save -> (save, np); open -> (open, "")."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr, getattr(call.func.value, "id", "?")
    return getattr(call.func, "id", ""), ""


def writes(call: ast.Call) -> bool:
    name, owner = name_of(call)
    if name == "open":
        modes = call.args[1:2] if owner == "" else call.args[:1]
        modes += [word.value for word in call.keywords if word.arg == "mode"]
        return any(
            isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+") for mode in modes
        )
    return (name in WRITING and owner != "") or (name == "save" and owner in {"np", "torch"})


def bare_writes(tree: ast.AST, guarded: bool = False) -> list[int]:
    """Lines that write a file outside every `with written_whole(...)`."""
    found = [tree.lineno] if isinstance(tree, ast.Call) and writes(tree) and not guarded else []
    if isinstance(tree, ast.With):
        calls = [item.context_expr for item in tree.items]
        guarded |= any(
            isinstance(call, ast.Call) and name_of(call)[0] == "written_whole" for call in calls
        )
    for child in ast.iter_child_nodes(tree):
        found += bare_writes(child, guarded)
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_are_written_whole(path):
    lines = bare_writes(ast.parse((ROOT / path).read_text()))
    assert bool(lines) == (path.as_posix() in IN_PLACE), f"{path}: lines {lines}"


def test_the_rule_sees_what_it_forbids():
    bare = ["p.write_text('')", "open('f', 'w')", "p.open(mode='ab')", "np.save(p, x)"]
    for line in bare:
        assert bare_writes(ast.parse(line)) == [1], line
        assert not bare_writes(ast.parse(f"with written_whole(p) as p:\n    {line}"))
    assert not bare_writes(ast.parse("p.open()\nopen('wax')\nself.save(x)\nwrite_text(p, '')"))


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "note.txt"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half" * 100_000 + "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    kept = [tmp_path / "a.partial-01234567.txt", tmp_path / ".partial", tmp_path / ".a.txt"]
    for path in kept:
        path.touch()
    left = tmp_path / "checkpoints" / "last.ckpt"
    writing = written_whole(left)
    writing.__enter__().touch()
    (partial,) = left.parent.iterdir()
    assert partial.suffix == ".ckpt"
    remove_partial(tmp_path)
    assert not partial.exists()
    assert all(path.exists() for path in kept)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte, where the system lets us make one."""
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no right to mount: {done.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_full_and_a_read_only_disk_are_said_in_one_line(small_disk):
    path = small_disk / "file.npy"
    write_text(path, "old")
    big = np.zeros(10**6)
    with pytest.raises(UserError, match=r"cannot write .*file\.npy \(No space left"):
        write_text(path, "x" * 2_000_000)
    with (
        pytest.raises(UserError, match=r"cannot write .*file\.npy \(No space left"),
        written_whole(path) as temporary,
    ):
        np.save(temporary, big)
    with (
        pytest.raises(UserError, match=r"cannot write .*file\.npy \(No space left"),
        written_whole(path) as temporary,
        temporary.open("wb") as file,
    ):
        torch.save({"big": torch.from_numpy(big)}, file)
    assert [path.name for path in small_disk.iterdir()] == ["file.npy"]
    assert path.read_text() == "old"
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UserError, match=r"cannot write .*file\.npy \(Read-only file system\)"):
        write_text(path, "new")
