"""Known vulnerabilities among the installed packages: `make audit`.

pip-audit compares what is installed with the advisories of the package index. What it finds fails
the check, except what `audit_exceptions.txt` lists: one line each, `ID UNTIL REASON`, UNTIL a date
(YYYY-MM-DD) after which the exception no longer holds. Where the index serves no advisories (a
mirror, no network) nothing is known: a warning says so, and the check passes.
"""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import date
from importlib.metadata import version
from pathlib import Path

EXCEPTIONS = Path(__file__).with_name("audit_exceptions.txt")
PROBE = "https://pypi.org/pypi/pip/{}/json"


def main() -> int:
    """Returns 1 if a vulnerability is known that no exception covers."""
    if not serves_advisories():
        return warn(f"{PROBE.format(version('pip'))} gives no advisories")
    ignored = [
        word for name in exceptions(EXCEPTIONS, date.today()) for word in ("--ignore-vuln", name)
    ]
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format", "json"]
    done = subprocess.run(
        [*command, "--progress-spinner", "off", *ignored],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return warn(" ".join(done.stderr.split()[-30:]) or "pip-audit said nothing")
    found = [(p["name"], p["version"], v) for p in packages for v in p.get("vulns", ())]
    for name, number, v in found:
        fixed = ", ".join(v["fix_versions"]) or "no version yet"
        print(f"audit: {name} {number}: {v['id']}, fixed in {fixed}")
    print(f"audit: {len(found)} known vulnerabilities in {len(packages)} packages")
    return int(bool(found))


def serves_advisories() -> bool:
    """Whether the index answers for one package that is certainly installed."""
    try:
        with urllib.request.urlopen(PROBE.format(version("pip")), timeout=10) as answer:
            return "vulnerabilities" in json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def exceptions(path: Path, today: date) -> list[str]:
    """Identifiers of the exceptions that still hold; each needs a date and a reason."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, until, _reason = line.split(maxsplit=2)  # all three, or it is no exception
        if date.fromisoformat(until) >= today:
            kept.append(name)
    return kept


def warn(why: str) -> int:
    """Say that nothing is known."""
    print(f"audit: WARNING, nothing was audited: {why}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
