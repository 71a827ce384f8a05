"""Files that are whole or absent: written, flushed, renamed; and paths that name them anywhere."""

import json
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

from reidzoo.errors import UserError


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; on success it takes the place of `path`.

    The temporary file keeps the suffix of `path`, since some writers look at it. When the block
    fails, `path` is as before and the temporary file is gone.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with written_whole(target) as temporary:
    ...     _ = temporary.write_text("done")
    >>> target.read_text()
    'done'
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem}-{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


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
