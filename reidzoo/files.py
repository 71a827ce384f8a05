"""Files that are whole or absent: written, flushed, renamed; and paths that name them anywhere."""

import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath
from typing import Any

from reidzoo.errors import UserError

STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
FULL = 4096  # bytes: with less space left, what failed to write failed for want of space
PARTIAL = re.compile(r"\..*\.partial-[0-9a-f]{8}(\.\w+)?")


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; on success it takes the place of `path`.

    The temporary file keeps the suffix of `path`, since some writers look at it. When the block
    fails, `path` is as before and the temporary file is gone; when the process is killed the
    temporary file stays (`remove_partial`). After a success the file outlives a power cut.

    Raises:
        UserError: the disk is full or cannot be written to.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with written_whole(target) as temporary:
    ...     _ = temporary.write_text("done")
    >>> target.read_text()
    'done'
    """
    target = Path(path)
    mark = f"partial-{uuid.uuid4().hex[:8]}"
    temporary = target.with_name(f".{target.stem}.{mark}{target.suffix}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(target)
        _flush(target.parent)  # the new name, too
    except Exception as error:
        reason = _storage_problem(error, temporary)
        if reason is None:
            raise
        raise UserError(f"cannot write {target} ({reason}); what was there is unharmed") from error
    finally:
        with suppress(OSError):  # on a read-only disk there is none
            temporary.unlink()


def write_text(path: str | Path, text: str) -> None:
    """A whole text file or none, in UTF-8."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove_partial(folder: Path) -> None:
    """Remove what a killed process has left of `written_whole`, in a folder and below."""
    for path in folder.rglob(".*"):
        if PARTIAL.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _storage_problem(error: BaseException, temporary: Path) -> str | None:
    """Why the disk refused, in words; some writers (torch, numpy) hide or drop the error number."""
    link: BaseException | None = error
    while link is not None:
        named = getattr(link, "filename", None) in (None, temporary, str(temporary))
        if isinstance(link, OSError) and link.errno in STORAGE and named:
            return os.strerror(link.errno)
        link = link.__cause__ or link.__context__
    writing = isinstance(error, OSError | RuntimeError) and temporary.parent.is_dir()
    full = writing and shutil.disk_usage(temporary.parent).free < FULL
    return os.strerror(errno.ENOSPC) if full else None


def below_common_folder(paths: Iterable[str]) -> tuple[str, ...]:
    """Paths as seen from the deepest folder that holds all of them: the same on every machine.

    >>> below_common_folder(["/data/train/a/1.jpg", "/data/train/b/1.jpg"])
    ('a/1.jpg', 'b/1.jpg')
    """
    pure = [PurePath(path) for path in paths]
    if not pure:
        return ()
    root = os.path.commonpath([path.parent for path in pure])
    return tuple(path.relative_to(root).as_posix() for path in pure)


def find_checkpoint(path: str | Path, what: str) -> Path:
    """The file that a path stands for: itself, or the last checkpoint of a run folder.

    Args:
        path: a file, a run folder, or a folder of runs, of which the newest counts.
        what: how an error message begins.

    Raises:
        UserError: nothing is there.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return path
    runs = sorted((child for child in path.iterdir() if child.is_dir()), reverse=True)
    for folder in (path / "checkpoints", path, *(run / "checkpoints" for run in runs)):
        for name in ("last.ckpt", "best.ckpt"):
            if (folder / name).is_file():
                return folder / name
    raise UserError(f"{what}: no checkpoints/last.ckpt in this folder; give a run folder or a file")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a run folder, empty if there is none.

    Raises:
        UserError: the file is there, but broken.

    >>> read_json(Path("/nowhere/results.json"))
    {}
    """
    if not path.is_file():
        return {}
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error})") from error
    return found
