"""The memory of Cluster Contrast and its relatives: unit rows moved by momentum."""

from typing import Any, ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo.memory.rows import arrival_order, label_slots, label_sums, move_in_turn

Update = Literal["mean", "hardest", "batch_mean"]


class MemoryBank(nn.Module):
    """A persistent buffer `rows` [C, D] fp32 that takes the size of what is loaded into it.

    The number of clusters changes from epoch to epoch, and a buffer of another size makes
    Lightning refuse to resume; hence the resize on load.
    """

    rows: Tensor
    begins_at_zero: ClassVar[bool] = False  # rows of zeros are a fault elsewhere

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(0, num_features))

    def __len__(self) -> int:
        return len(self.rows)

    def _apply(self, *arguments: Any, **options: Any) -> Any:
        """Move with the module, but stay fp32 when it is converted to bf16-true or 64-true."""
        super()._apply(*arguments, **options)  # type: ignore[no-untyped-call]
        self.rows = self.rows.float()
        return self

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name, buffer in list(self.named_buffers(recurse=False)):
            if prefix + name in state:
                setattr(self, name, buffer.new_zeros(state[prefix + name].shape))
        super()._load_from_state_dict(state, prefix, *rest)

    @torch.no_grad()
    def reset(self, rows: Tensor) -> None:
        """Start anew from unit rows [C, D]; they are copied as fp32."""
        self.rows = rows.detach().to(self.rows.device, torch.float32, copy=True)


class ClusterMemory(MemoryBank):
    """One unit row per cluster, moved after each step by the features of the batch.

    Update rules (old row c, momentum m, features f of one identity in the batch):
        mean: c <- L2(m c + (1-m) f) for each f in batch order (Cluster Contrast's default);
        hardest: one such step with the f least similar to c, the first on ties;
        batch_mean: one such step with the mean of the f.

    Args:
        num_features: D.
        momentum: weight m of the old row; 0.1 is a fast memory.
        temperature: divides the similarities.
        update: one of the rules above.

    Source: alibaba/cluster-contrast-reid (mean, hardest), bupt-ai-cz/HHCL-ReID (batch_mean).

    >>> memory = ClusterMemory(2, momentum=0.5, temperature=1.0)
    >>> memory.reset(torch.eye(2))
    >>> memory.update(torch.tensor([[0.0, 1.0]]), torch.tensor([0]))
    >>> memory.rows
    tensor([[0.7071, 0.7071],
            [0.0000, 1.0000]])
    """

    def __init__(
        self,
        num_features: int,
        momentum: float = 0.1,
        temperature: float = 0.05,
        update: Update = "mean",
    ) -> None:
        super().__init__(num_features)
        if update not in get_args(Update):
            raise ValueError(f"update={update!r}: allowed are {', '.join(get_args(Update))}")
        self.momentum, self.temperature, self.rule = momentum, temperature, update

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Similarities of unit rows [B, D] to every memory row, over temperature: [B, C] fp32.

        `labels` [B] make no difference here; some memories answer by the own cluster.
        """
        return features @ self.rows.T / self.temperature

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Move the rows in place; features [B, D] unit, labels [B] int64, < 0 moves nothing."""
        if self.rule == "hardest":
            labels = self._hardest(features, labels)
        elif self.rule == "batch_mean":
            features, labels = self._batch_mean(features, labels)
        move_in_turn(self.rows, features, labels, self.momentum)

    def _hardest(self, features: Tensor, labels: Tensor) -> Tensor:
        """Labels [B] of which only the least similar image of each keeps its own."""
        similarity = (features * self.rows[labels.clamp_min(0)]).sum(1)
        order = similarity.sort(stable=True).indices  # least similar first, batch order on ties
        kept = torch.empty_like(labels)
        kept[order] = labels[order].where(arrival_order(labels[order]) == 0, -1)
        return kept

    @staticmethod
    def _batch_mean(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """One mean per label in [B, D], and the labels [B], -1 where there is none."""
        slot = label_slots(labels)
        counts = torch.zeros_like(labels).index_add_(0, slot, torch.ones_like(labels))
        kept = torch.full_like(labels, -1)
        kept[slot] = labels
        return label_sums(features, slot, len(labels)).div_(counts.clamp_min(1)[:, None]), kept


class InstanceMemory(ClusterMemory):
    """One unit row per training image, moved in batch order: `v <- L2(m v + (1-m) f)`.

    Args:
        size: number of images N.
        num_features: D.
        momentum: weight m of the old row.
        temperature: divides the similarities.

    Source: yxgeee/SpCL (the memory below its hybrid proxies).
    """

    def __init__(
        self, size: int, num_features: int, momentum: float = 0.2, temperature: float = 0.05
    ) -> None:
        super().__init__(num_features, momentum, temperature, update="mean")
        self.reset(torch.zeros(size, num_features))

    def similarity(self, features: Tensor) -> Tensor:
        """Cosine similarities of unit rows [B, D] to every image: [B, N] fp32."""
        return F.linear(features, self.rows)
