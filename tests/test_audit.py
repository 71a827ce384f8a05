"""`make audit` fails on what is known, and says so where nothing can be known."""

import importlib.util
import json
import subprocess
from datetime import date
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / ".ci" / "audit.py"
SPEC = importlib.util.spec_from_file_location("audit", FILE)
assert SPEC is not None
audit = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(audit)

BAD = {"id": "PYSEC-1", "fix_versions": ["2.0"]}


@pytest.fixture
def answers(monkeypatch):
    """Stand in for the index and for pip-audit."""

    def use(stdout, stderr=""):
        said = []

        def run(command, **options):
            said.append(command)
            return subprocess.CompletedProcess(command, 1, stdout, stderr)

        monkeypatch.setattr(audit, "serves_advisories", lambda: True)
        monkeypatch.setattr(audit.subprocess, "run", run)
        return said

    return use


def report(*vulns):
    return json.dumps({"dependencies": [{"name": "x", "version": "1.0", "vulns": list(vulns)}]})


def test_a_known_vulnerability_fails(answers, capsys):
    answers(report(BAD))
    assert audit.main() == 1
    assert "x 1.0: PYSEC-1, fixed in 2.0" in capsys.readouterr().out


def test_nothing_known_passes(answers):
    answers(report())
    assert audit.main() == 0


def test_exceptions_are_handed_on_until_their_day(answers, tmp_path, monkeypatch):
    said = answers(report())
    path = tmp_path / "exceptions.txt"
    path.write_text("# comment\nOLD 2020-01-01 was harmless\nNEW 9999-01-01 not reachable here\n")
    monkeypatch.setattr(audit, "EXCEPTIONS", path)
    audit.main()
    assert said[0][-2:] == ["--ignore-vuln", "NEW"]
    assert "OLD" not in said[0]
    path.write_text("BARE 9999-01-01\n")
    with pytest.raises(ValueError):
        audit.exceptions(path, date(2026, 1, 1))


def test_the_committed_exceptions_have_date_and_reason():
    audit.exceptions(audit.EXCEPTIONS, date.today())


def test_without_advisories_there_is_a_warning(answers, monkeypatch, capsys):
    answers("", "ConnectionError: no route")
    assert audit.main() == 0
    assert "WARNING, nothing was audited: ConnectionError: no route" in capsys.readouterr().err
    monkeypatch.setattr(audit, "serves_advisories", lambda: False)
    assert audit.main() == 0
    assert "gives no advisories" in capsys.readouterr().err
