"""What comes in and goes out: arrays or tensors, checked once, as fp32 rows."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reidzoo.clustering.contracts import Array

UNIT_TOLERANCE = 0.01  # bfloat16 rows of norm 1 are off by up to 0.4 %


def checked_rows(features: NDArray[Any] | Tensor) -> Tensor:
    """Take features [N, D] of any float type as contiguous fp32 rows, on their device.

    Raises:
        ValueError: not [N, D] with N, D >= 1, or rows that are not finite or not of norm 1 (the
            message names them).

    >>> checked_rows(np.eye(2, dtype=np.float16)).dtype
    torch.float32
    """
    given = features if isinstance(features, Tensor) else _from_numpy(features)
    if given.dim() != 2 or 0 in given.shape:
        raise ValueError(
            f"features must be [N, D] with N, D >= 1, got {list(given.shape)}; one row per image"
        )
    if not given.is_floating_point():
        raise ValueError(f"features must be floats, got {given.dtype}; use features.float()")
    rows = given.detach().to(torch.float32).contiguous()
    norms = torch.linalg.vector_norm(rows, dim=1)
    refuse(~norms.isfinite(), "hold NaN or infinity; drop them or mend what made them")
    refuse((norms - 1).abs() > UNIT_TOLERANCE, "do not have norm 1; L2-normalise them first")
    return rows


def like(result: NDArray[Any] | Tensor, given: Array) -> Array:
    """Return `result` as the kind of array that was given, and on its device.

    >>> like(np.arange(2), torch.zeros(1))
    tensor([0, 1])
    """
    if isinstance(given, Tensor):
        return torch.as_tensor(result, device=given.device)
    return np.asarray(result.cpu() if isinstance(result, Tensor) else result)


def as_numpy(values: NDArray[Any] | Tensor) -> NDArray[Any]:
    """See an array or a tensor of any device as a numpy array.

    >>> as_numpy(torch.arange(2))
    array([0, 1])
    """
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def integers(values: NDArray[Any] | Tensor, name: str, length: int | None = None) -> NDArray[Any]:
    """Take one integer per image (labels, cameras) as int64 [N].

    Raises:
        ValueError: not a vector of integers, or not of the length asked for.

    >>> integers([3, 1], "labels")
    array([3, 1])
    """
    result = as_numpy(values)
    if result.ndim != 1 or result.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers [N], got {result.dtype} {list(result.shape)}")
    if length is not None and len(result) != length:
        raise ValueError(f"{name} has {len(result)} entries for {length} images; give one for each")
    return result.astype(np.int64, copy=False)


def _from_numpy(features: NDArray[Any]) -> Tensor:
    array = np.require(features, requirements=["C", "W"])  # torch warns about read-only memory
    if array.dtype.kind == "f" and array.dtype not in (np.float16, np.float32, np.float64):
        array = array.astype(np.float64)  # long double, which torch does not know
    return torch.from_numpy(array)


def refuse(wrong: Tensor, complaint: str) -> None:
    """Raise a ValueError that names the rows [N] that are wrong, if any is.

    >>> refuse(torch.tensor([False, True]), "are odd")
    Traceback (most recent call last):
    ValueError: features: 1 rows are odd (rows 1)
    """
    if bool(wrong.any()):
        numbers = wrong.nonzero().flatten().tolist()
        named = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
        raise ValueError(f"features: {len(numbers)} rows {complaint} (rows {named})")
