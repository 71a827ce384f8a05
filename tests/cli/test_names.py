import subprocess
import sys

import pytest

from reidzoo.cli import names
from reidzoo.errors import UserError


def test_files_are_methods_when_they_define_one():
    found = names.methods()
    assert {"cluster_contrast", "hhcl", "instance"} <= found.keys()
    assert not {"base", "state", "optimization"} & found.keys()
    assert found["hhcl"].summary.startswith("HHCL: ")


def test_every_name_loads_the_class_it_says():
    from reidzoo.data.datamodule import ReIDDataModule
    from reidzoo.methods.base import Method

    assert all(issubclass(entry.load(), Method) for entry in names.methods().values())
    assert all(issubclass(entry.load(), ReIDDataModule) for entry in names.data_sets().values())


def test_a_method_may_descend_from_a_method_of_another_file(tmp_path, monkeypatch):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "first.py").write_text('"""First."""\nclass A(pl.Method): ...\n')
    (tmp_path / "zoo" / "second.py").write_text(
        '"""Second: child."""\nclass Helper: ...\nclass B(A): ...\nclass Other: ...\n'
    )
    (tmp_path / "zoo" / "neither.py").write_text("class C(Module): ...\n")
    monkeypatch.setattr(names, "PACKAGE", tmp_path)
    found = names.scan("zoo", "Method")
    assert {name: entry.class_name for name, entry in found.items()} == {
        "first": "A",
        "second": "B",
    }
    assert found["second"].summary == "Second: child"


def test_own_class_takes_the_settings_of_its_nearest_ancestor():
    from reidzoo.methods.hhcl import HHCL

    class Child(HHCL):
        pass

    assert names.published_name(Child, names.methods()) == "hhcl"
    assert names.published_name(int, names.methods()) is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("hhcll", "did you mean hhcl?"),
        ("no_such_file.Loss", "run from the folder that holds no_such_file.py"),
        ("reidzoo.methods.hhcl.HCHL", "did you mean HHCL?"),
        ("reidzoo.methods.base.Batch", "not a class"),
    ],
)
def test_wrong_names(name, said):
    def resolve():
        names.check("method", name, names.methods())
        return names.load("method", name, names.methods())

    with pytest.raises(UserError, match=r"^--method") as error:
        resolve()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_help_needs_no_slow_import():
    code = (
        "import sys; from reidzoo.fit import main; main(['--help']);"
        "print({'torch', 'numpy', 'pytorch_lightning'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *shown, imported = done.stdout.splitlines()
    assert imported == "set()"
    for name in (*names.methods(), *names.data_sets(), "--resume", "--config"):
        assert any(line.strip().startswith(name) for line in shown), name
