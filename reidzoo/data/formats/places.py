"""Where a data set lies: the folder given or its single matching child, and the images in it."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from reidzoo.errors import UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
ROOT_OPTION = "--data.root"


def default_root(name: str) -> Path:
    """Folder read when `--data.root` is not given: `$REIDZOO_DATA/<name>`, else `data/<name>`.

    >>> default_root("market1501").name
    'market1501'
    """
    return Path(os.environ.get("REIDZOO_DATA") or "data") / name


def open_root(root: str | None, name: str) -> Path:
    """Return the folder that exists for this data set, or explain in one line that none does."""
    folder = Path(root).expanduser() if root else default_root(name)
    if folder.is_dir():
        return folder.absolute()
    if root:
        problem = "it is not a folder" if folder.exists() else "there is no such folder"
        raise UserError(f"{ROOT_OPTION} {root}: {problem}; give the folder that holds {name}")
    raise UserError(
        f"{ROOT_OPTION} is not given and {folder} is not a folder: give {ROOT_OPTION} DIR, "
        f"or set REIDZOO_DATA to the folder that contains {name}/"
    )


def locate(root: str | None, name: str, matches: Callable[[Path], bool], looked_for: str) -> Path:
    """Find the folder with the right layout: the one given, else its single matching child.

    Args:
        root: value of `--data.root`; None means `default_root(name)`.
        name: the data set's name on the command line.
        matches: tells by its content whether a folder has the layout.
        looked_for: the layout in words, for the error.

    Raises:
        UserError: no such folder, no match, or several children that match.
    """
    folder = open_root(root, name)
    if matches(folder):
        return folder
    children = sorted(Path(entry) for entry in os.scandir(folder) if entry.is_dir())
    found = [child for child in children if matches(child)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(child.name for child in found)
        raise UserError(f"{ROOT_OPTION} {folder} holds several data sets ({names}): name one")
    raise UserError(
        f"{ROOT_OPTION} {folder} does not look like {name}: looked for {looked_for} there "
        f"and one folder below, found {contents(folder)}"
    )


def contents(folder: Path, limit: int = 5) -> str:
    """Name the first few entries of a folder, for an error message."""
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in folder.iterdir())
    if not names:
        return "an empty folder"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def has_folders(folder: Path, names: tuple[str, ...]) -> bool:
    """Tell whether a folder has all these sub-folders."""
    return all((folder / name).is_dir() for name in names)


def is_image(name: str) -> bool:
    """Tell by its name whether a file is an image; hidden files (such as `._a.jpg`) are not.

    >>> is_image("0001_c1.JPG"), is_image("._a.jpg"), is_image("Thumbs.db")
    (True, False, False)
    """
    return not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES


def images_in(folder: Path) -> list[str]:
    """Sorted names of the images that lie directly in a folder; none is an error."""
    names = sorted(path.name for path in folder.iterdir() if is_image(path.name))
    if not names:
        raise UserError(
            f"{ROOT_OPTION}: {folder} has no images ({', '.join(sorted(IMAGE_SUFFIXES))}); "
            f"it holds {contents(folder)}"
        )
    return names


def images_under(folder: Path) -> list[str]:
    """Sorted relative paths (with `/`) of all images in a folder and below.

    Symbolic links are followed, hidden files and folders skipped; a folder that links reach twice
    is read once, so that a link to a parent ends.
    """
    return sorted(_walk(folder, set()))


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[str]:
    for parent, folders, files in os.walk(folder, followlinks=True):
        status = Path(parent).stat()
        key = (status.st_dev, status.st_ino)
        if key in seen:
            folders.clear()
            continue
        seen.add(key)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(parent).relative_to(folder)
        yield from ((relative / name).as_posix() for name in files if is_image(name))


def inside(folder: Path, listed: str, source: str) -> str:
    """Return a listed path relative to `folder` (with `/`); one that leads outside is refused.

    Args:
        folder: the folder that the path must stay in.
        listed: what a list or table says, relative to `folder` or absolute.
        source: where it was read, for the error: an option, a file, a line.

    >>> inside(Path("/data"), "a/../b.jpg", "list.txt line 1")
    'b.jpg'
    >>> inside(Path("/data"), "../b.jpg", "list.txt line 1")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    reidzoo.errors.UserError: list.txt line 1: the path '../b.jpg' leads outside of /data; to...
    """
    # Not resolve(): it follows links, and links inside the folder are the user's own choice.
    base = Path(os.path.normpath(folder.absolute()))
    target = Path(os.path.normpath(base / listed.replace("\\", "/")))
    if "\0" in listed or target == base or not target.is_relative_to(base):
        raise UserError(
            f"{source}: the path {listed!r} leads outside of {folder}; to allow it, give a "
            f"{ROOT_OPTION} that holds both"
        )
    return target.relative_to(base).as_posix()


def natural(token: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts `c2` before `c10`.

    >>> sorted(["c10", "hall", "c2"], key=natural)
    ['c2', 'c10', 'hall']
    """
    parts = re.findall(r"\d+|\D+", token)
    return tuple((0, int(part), part) if part.isdigit() else (1, 0, part) for part in parts)
