"""Small JPEG images inside a page: as text, of bounded size, each file encoded once."""

import base64
import io
from collections.abc import Iterable

from PIL import Image, ImageOps

FORMS = ((160, 82), (128, 78), (96, 72), (64, 65))  # height in pixels, JPEG quality
LEAST = 1500  # bytes of a thumbnail that still shows something


class Thumbnails:
    """Thumbnails that together stay within a budget.

    Args:
        paths: every image of the page; one that is shown twice is there twice, and counts twice.
        budget: bytes of all thumbnails as text.
    """

    def __init__(self, paths: Iterable[str], budget: int) -> None:
        places = list(paths)
        self._share = budget * 3 // 4 // max(1, len(places))  # base64 makes 4 bytes of 3
        self._uris: dict[str, str | None] = dict.fromkeys(places, "")

    def __getitem__(self, path: str) -> str | None:
        """A data URI, or None when the file cannot be read."""
        if self._uris[path] == "":
            data = encode(path, self._share)
            text = base64.b64encode(data or b"").decode()
            self._uris[path] = f"data:image/jpeg;base64,{text}" if data else None
        return self._uris[path]


def encode(path: str, budget: int) -> bytes | None:
    """An image file as a JPEG of at most `budget` bytes where possible; None if unreadable."""
    try:
        with Image.open(path) as file:
            file.draft("RGB", (320, 320))  # JPEG decodes at a fraction of its size
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    data = b""
    for height, quality in FORMS:
        picture.thumbnail((2 * height, height), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if len(data) <= budget:
            break
    return data
