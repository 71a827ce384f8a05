"""What goes between features and pseudo-labels: two protocols and one helper."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = TypeVar("Array", NDArray[Any], Tensor)
AnyArray: TypeAlias = NDArray[Any] | Tensor

# What a method, clusterer or filter declares as `cameras_in`: the part that reads cameras
# ("clustering", "loss") -> the options that switch it on, none if it always does.
CamerasIn: TypeAlias = Mapping[str, tuple[str, ...]]


@runtime_checkable
class Clusterer(Protocol):
    """Features to labels: `labels = clusterer(features, cameras)`, deterministic and stateless."""

    def __call__(self, features: Array, cameras: Array | None = None) -> Array:
        """Cluster unit rows [N, D] (cameras [N], -1 unknown); labels [N] int64, -1 outlier."""
        ...


@runtime_checkable
class GraphClusterer(Clusterer, Protocol):
    """A clusterer that makes one graph serve several radii; a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def eps(self) -> float | Literal["auto"]:
        """Radius of `__call__`."""
        ...

    def radius(self, graph: Any) -> float:
        """Tell the radius that this graph is labelled at: `eps`, or what "auto" makes of it."""
        ...

    def graph(self, features: Any, cameras: Any = None) -> Any:
        """Compute what all radii share, from unit rows [N, D]."""
        ...

    def labels(self, graph: Any, eps: float | None = None) -> NDArray[np.int64]:
        """Label the graph [N] at radius `eps`, -1 outlier."""
        ...


@runtime_checkable
class LabelFilter(Protocol):
    """Labels to fewer labels: turns doubtful rows into outliers and numbers the rest 0..C-1."""

    def __call__(
        self, labels: Array, features: Array | None = None, cameras: Array | None = None
    ) -> Array:
        """Filter labels [N] int64 (-1 outlier); same kind of array out."""
        ...


def renumber(labels: Array) -> Array:
    """Number clusters 0..C-1 in the order of their old numbers; -1 stays -1.

    >>> renumber(np.array([7, -1, 3, 7]))
    array([ 1, -1,  0,  1])
    """
    if isinstance(labels, Tensor):
        return torch.from_numpy(renumber(labels.cpu().numpy())).to(labels.device)
    kept = labels >= 0
    result = np.full(labels.shape, -1, dtype=np.int64)
    result[kept] = np.unique(labels[kept], return_inverse=True)[1]
    return result
