"""Files of machine code that are cut, changed or somebody else's are not run."""

import numba
import numpy as np
import pytest

from reidzoo.clustering.compiled import compiled


def double(values):
    return values * 2


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Make the kernel as a new process would."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return lambda: compiled(double)


def damage(path, way):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flip": content, "cut": content[:50], "empty": b""}[way])


def hits(kernel, value=3.0):
    assert kernel(value) == 2 * value
    return sum(kernel.stats.cache_hits.values())


def test_whole_files_are_used(kernel, tmp_path):
    assert hits(kernel()) == 0
    assert hits(kernel()) == 1
    assert not list(tmp_path.rglob("*.tmp.*"))


@pytest.mark.parametrize("way", ["flip", "cut", "empty"])
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_damaged_files_are_made_again(kernel, tmp_path, kind, way):
    hits(kernel())
    (path,) = tmp_path.rglob(f"*.{kind}")
    damage(path, way)
    assert hits(kernel()) == 0
    assert hits(kernel()) == 1


def test_code_of_another_signature_is_not_run(kernel, tmp_path):
    """What two processes leave that compile different signatures at once."""
    hits(kernel())
    (index,) = tmp_path.rglob("*.nbi")
    (code,) = tmp_path.rglob("*.nbc")
    of_floats = index.read_bytes()
    index.unlink()
    assert kernel()(np.int64(3)) == 6  # overwrites the file that the index of floats names
    index.write_bytes(of_floats)
    assert hits(kernel()) == 0
    assert code.exists()
