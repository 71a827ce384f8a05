"""reidzoo: unsupervised person re-identification on PyTorch Lightning."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

if TYPE_CHECKING:
    from reidzoo.models import load


def __getattr__(name: str) -> Any:
    """Import torch only when it is asked for, so that `--help` answers at once."""
    if name == "load":
        from reidzoo.models import load

        return load
    raise AttributeError(f"module 'reidzoo' has no attribute {name!r}")
