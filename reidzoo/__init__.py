"""reidzoo: unsupervised person re-identification on PyTorch Lightning."""

import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

# Pillow's limit, for OpenCV too, which reads it when it is imported: a small file must not fill the
# memory by claiming to be a gigapixel image.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2 * 89_478_485))

if TYPE_CHECKING:
    from reidzoo.models import load


def __getattr__(name: str) -> Any:
    """Import torch only when it is asked for, so that `--help` answers at once."""
    if name == "load":
        from reidzoo.models import load

        return load
    raise AttributeError(f"module 'reidzoo' has no attribute {name!r}")
