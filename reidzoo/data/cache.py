"""Folders that the program makes once: built aside, stamped, and moved into place."""

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from reidzoo.errors import UserError

STAMP = "stamp.json"
ABANDONED = 24 * 3600  # seconds in which a folder that is being built must have changed
logger = logging.getLogger(__name__)


def cache_root() -> Path:
    """Folder for everything that can be made again: `$REIDZOO_CACHE`, else `~/.cache/reidzoo`."""
    return Path(os.environ.get("REIDZOO_CACHE") or "~/.cache/reidzoo").expanduser()


def build_once(
    folder: Path, what: Mapping[str, str | int | float], build: Callable[[Path], None]
) -> Path:
    """Return `folder`, after building it if it is not there, made of something else, or damaged.

    The work is done in a temporary folder beside it, which is then renamed: a reader never sees
    half a folder, and of several processes that build at once the first one to finish wins.

    Args:
        folder: where the result shall lie.
        what: everything that the result depends on; it is written into the stamp.
        build: writes the files into the (empty) folder that it is given.

    Raises:
        UserError: the place cannot be written to.
    """
    if intact(folder, what):
        return folder
    if folder.exists():
        logger.warning("%s is incomplete, damaged or outdated: it is made again", folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(folder)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as aside:
            fresh = Path(aside, "new")
            fresh.mkdir()
            build(fresh)
            stamp = {"made of": dict(what), "digest": digest(fresh)}
            Path(fresh, STAMP).write_text(json.dumps(stamp, indent=2, sort_keys=True) + "\n")
            _publish(fresh, folder, Path(aside, "old"), what)
    except OSError as error:
        raise UserError(
            f"cannot write to {folder.parent} ({error.strerror or error}): set REIDZOO_CACHE to "
            "a folder with space that you may write to"
        ) from None
    return folder


def _publish(fresh: Path, folder: Path, trash: Path, what: Mapping[str, str | int | float]) -> None:
    for _ in range(10):
        try:
            fresh.rename(folder)  # fails where a folder with files lies already
        except OSError:
            if intact(folder, what):
                return  # another process was faster
            with contextlib.suppress(FileNotFoundError):  # another process took it away
                folder.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)
        else:
            return
    raise OSError(None, f"{folder} cannot be replaced")


def remove_abandoned(folder: Path) -> None:
    """Remove what processes left that were killed while they built this folder."""
    for aside in folder.parent.glob(f".{folder.name}-*"):
        with contextlib.suppress(OSError):
            changed = max(path.stat().st_mtime for path in (aside, *aside.rglob("*")))
            if time.time() - changed > ABANDONED:
                shutil.rmtree(aside, ignore_errors=True)


def intact(folder: Path, what: Mapping[str, str | int | float]) -> bool:
    """Tell whether a folder was made of `what` and still has every byte that was written then."""
    try:
        stamp = json.loads(Path(folder, STAMP).read_text())
        return bool(stamp == {"made of": dict(what), "digest": digest(folder)})
    except (OSError, ValueError):
        return False


def digest(folder: Path) -> str:
    """Hash names and contents of all files in a folder and below, except the stamp."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name != STAMP:
            total.update(path.relative_to(folder).as_posix().encode() + b"\0")
            with path.open("rb") as file:  # in chunks: decoded images are gigabytes
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
