"""Gallery files: paths, cameras and unit rows of many images, and which network made them.

Two forms with the same content, neither of which can hold code: `.npz` has the arrays `paths` [N]
text, `cameras` [N] int64, `features` [N, D] float32 and `card`, a JSON text; `.parquet` has the
columns `path`, `camera`, `features`, and the card in its metadata.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reidzoo.errors import UserError
from reidzoo.files import written_whole

SUFFIXES = (".npz", ".parquet")
ROWS = 8192  # written to parquet at a time
CARD = b"reidzoo"


@dataclass(frozen=True)
class Gallery:
    """Images that can be searched.

    Args:
        paths: of the image files, absolute, [N].
        cameras: [N] int64, -1 unknown.
        features: [N, D] float32 unit rows; may be mapped from a file.
        card: which network made them: "model" (its file), "digest" (SHA-256 of that file),
            "threshold" (similarity under which there is no match, or None), ...
    """

    paths: Sequence[str]
    cameras: NDArray[np.int64]
    features: NDArray[np.float32]
    card: Mapping[str, Any]

    def __len__(self) -> int:
        return len(self.paths)

    def __post_init__(self) -> None:
        N = len(self.paths)
        if self.cameras.shape != (N,) or self.features.ndim != 2 or len(self.features) != N:
            raise ValueError(
                f"{N} paths, cameras {self.cameras.shape}, features {self.features.shape}: a "
                "gallery has one of each per image"
            )

    @property
    def threshold(self) -> float | None:
        """Similarity from which on an answer is a match; None when it was never calibrated."""
        value = self.card.get("threshold")
        return None if value is None else float(value)


def save_gallery(path: str | Path, gallery: Gallery) -> None:
    """Write a gallery; the file appears whole or not at all, and features are never copied whole.

    Raises:
        UserError: another suffix, or pyarrow is needed and missing.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "gallery.npz"
    >>> save_gallery(path, Gallery(["a.jpg"], np.zeros(1, int), np.ones((1, 1), "f4"), {}))
    >>> load_gallery(path).paths
    ['a.jpg']
    """
    path = Path(path)
    card = json.dumps(dict(gallery.card))
    if path.suffix == ".parquet":
        _save_parquet(path, gallery, card)
    elif path.suffix == ".npz":
        with written_whole(path) as temporary:
            np.savez(
                temporary,
                paths=np.array(gallery.paths, dtype=np.str_),
                cameras=gallery.cameras,
                features=gallery.features,
                card=np.array(card),
            )
    else:
        raise UserError(f"{path}: a gallery is saved as {' or '.join(SUFFIXES)}")


def load_gallery(path: str | Path) -> Gallery:
    """Read a gallery of either form; a file cannot run code.

    Raises:
        UserError: in one line, why the file cannot be used.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such file; python -m reidzoo.embed makes one")
    if path.suffix not in SUFFIXES:
        raise UserError(f"{path}: a gallery is a {' or '.join(SUFFIXES)} file")
    try:
        gallery = _load_parquet(path) if path.suffix == ".parquet" else _load_npz(path)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{path}: not a gallery of reidzoo, or damaged ({reason})") from error
    return gallery


def fingerprint(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal: rows of two networks cannot be compared."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load_npz(path: Path) -> Gallery:
    with np.load(path, allow_pickle=False) as file:
        card = json.loads(str(file["card"]))
        paths = file["paths"].tolist()
        return Gallery(paths, file["cameras"], file["features"].astype("f4", copy=False), card)


def _save_parquet(path: Path, gallery: Gallery, card: str) -> None:
    arrow, parquet = _pyarrow()
    length = gallery.features.shape[1]
    schema = arrow.schema(
        [
            ("path", arrow.string()),
            ("camera", arrow.int64()),
            ("features", arrow.list_(arrow.float32(), length)),
        ],
        metadata={CARD: card},
    )
    with written_whole(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for first in range(0, len(gallery), ROWS):
            part = slice(first, first + ROWS)
            flat = arrow.array(np.ravel(gallery.features[part]))
            columns = [
                arrow.array(list(gallery.paths[part]), arrow.string()),
                arrow.array(gallery.cameras[part]),
                arrow.FixedSizeListArray.from_arrays(flat, length),
            ]
            writer.write_batch(arrow.record_batch(columns, schema=schema))


def _load_parquet(path: Path) -> Gallery:
    _, parquet = _pyarrow()
    table = parquet.read_table(path)
    features = table["features"].combine_chunks()
    return Gallery(
        table["path"].to_pylist(),
        table["camera"].to_numpy(),
        features.flatten().to_numpy().reshape(len(table), -1),
        json.loads(table.schema.metadata[CARD]),
    )


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            '.parquet needs pyarrow: pip install "reidzoo[parquet]", or choose .npz'
        ) from error
    return pyarrow, pyarrow.parquet
