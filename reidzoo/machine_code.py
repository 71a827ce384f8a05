"""Compiled kernels on the disk, with a checksum: damaged or mixed-up files are compiled again.

numba keeps machine code beside the source as pickles without one. After a power cut it stops with
an EOFError until somebody deletes them; a flipped byte is run; and of two processes that compile
two signatures at once, the second overwrites the index of the first, so that one signature is
answered with the code of the other.
"""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from numba.core import caching

LENGTH = 32  # bytes of a digest, at the end of a file: pickle reads what comes before
Kernel = TypeVar("Kernel")
Files: Any = caching.IndexDataCacheFile  # has no types


class CheckedFiles(Files):  # type: ignore[misc]
    """numba's index and its files of machine code, of which only whole ones count."""

    _key: Any = None  # the signature under way; numba compiles under a lock

    def save(self, key: Any, data: Any) -> None:
        """Keep machine code with the digest of itself and of the signature it is for."""
        self._key = key
        super().save(key, data)

    def load(self, key: Any) -> Any:
        """The machine code, or None, upon which numba compiles and saves it."""
        self._key = key
        return super().load(key)

    def _load_index(self) -> Any:
        return super()._load_index() if self._intact(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        path = self._data_path(name)
        if not self._intact(path):
            raise OSError(f"{path} is damaged")  # as if it was not there
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        with super()._open_for_write(filepath) as file:
            whole = io.BytesIO()
            yield whole
            file.write(whole.getvalue() + self._digest(filepath, whole.getvalue()))

    def _intact(self, path: str) -> bool:
        try:
            content = Path(path).read_bytes()
        except OSError:
            return False
        return self._digest(path, content[:-LENGTH]) == content[-LENGTH:]

    def _digest(self, path: str, content: bytes) -> bytes:
        key = "" if path == self._index_path else repr(self._key)
        return hashlib.sha256(key.encode() + content).digest()


def check_files(kernel: Kernel) -> Kernel:
    """Let a kernel of `numba.njit(cache=True)` trust only whole files; returns it."""
    cache: Any = kernel._cache  # type: ignore[attr-defined]
    checked: Any = CheckedFiles.__new__(CheckedFiles)
    checked.__dict__.update(vars(cache._cache_file))
    cache._cache_file = checked
    return kernel
