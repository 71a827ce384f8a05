"""What travels between the callback and a method: the features of an epoch, and their labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class FeatureBank:
    """Features of every training image, in index order, the same on every rank.

    Args:
        features: name -> rows, fp32: "global" [N, D], optionally "parts" [N, S, D], ...
        cameras: [N] int64, 0-based, -1 unknown.
        paths: of the images, below their common folder.
    """

    features: Mapping[str, Tensor]
    cameras: Tensor
    paths: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Tensor:
        return self.features[name]

    def __contains__(self, name: str) -> bool:
        return name in self.features

    def __len__(self) -> int:
        return len(self.cameras)


@dataclass(frozen=True)
class PseudoLabels:
    """One set of pseudo-labels: the unit that is broadcast, check-pointed and logged.

    Args:
        labels: [N] int64 in 0..C-1, -1 outlier.
        tables: named tensors per image or per cluster (weights, scores, proxies); a single number
            (a threshold, a share) is also logged, as cluster/<name>.
        version: how many refreshes came before this one.
    """

    labels: Tensor
    tables: Mapping[str, Tensor] = field(default_factory=dict)
    version: int = 0
    num_clusters: int = field(init=False)  # C; found once, since asking the device makes it wait

    def __post_init__(self) -> None:
        if self.labels.dtype != torch.int64 or self.labels.dim() != 1:
            raise ValueError(
                f"pseudo-labels must be int64 [N], got {self.labels.dtype} "
                f"{tuple(self.labels.shape)}; use labels.long()"
            )
        largest = int(self.labels.max()) if len(self.labels) else -1
        object.__setattr__(self, "num_clusters", largest + 1)

    def to(self, device: torch.device | str) -> "PseudoLabels":
        """The same labels on another device."""
        tables = {name: table.to(device) for name, table in self.tables.items()}
        return PseudoLabels(self.labels.to(device), tables, self.version)

    def state_dict(self) -> dict[str, Any]:
        """Tensors and ints only, as Lightning's safe loading demands."""
        return {"labels": self.labels, "tables": dict(self.tables), "version": self.version}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> "PseudoLabels":
        """Undo `state_dict`."""
        return cls(state["labels"], dict(state["tables"]), int(state["version"]))
