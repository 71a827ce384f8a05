"""The memory of SpCL: one row per image, seen through the mean row of each label."""

from typing import Any

import torch
from torch import Tensor

from reidzoo.memory.bank import InstanceMemory
from reidzoo.memory.rows import label_sums


class HybridMemory(InstanceMemory):
    """One unit row per training image; a label speaks through the plain mean of its rows.

    The proxy of a cluster is the average of its members, not normalised again; that of an
    un-clustered image is its own row. Rows persist from epoch to epoch, labels are renewed.

    Args:
        size: number of images N.
        num_features: D.
        momentum: weight of the old row.
        temperature: divides the similarities.

    Source: yxgeee/SpCL (hybrid memory).

    >>> memory = HybridMemory(3, 2, temperature=1.0)
    >>> memory.reset(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    >>> memory.relabel(torch.tensor([0, 0, -1]))
    >>> memory.logits(torch.tensor([[1.0, 0.0]]))
    tensor([[ 0.5000, -1.0000]])
    """

    labels: Tensor
    counts: Tensor  # [L] members of each label: its length must be known without asking the device

    def __init__(
        self, size: int, num_features: int, momentum: float = 0.2, temperature: float = 0.05
    ) -> None:
        super().__init__(size, num_features, momentum, temperature)
        self.register_buffer("labels", torch.arange(size))
        self.register_buffer("counts", torch.ones(size).long(), persistent=False)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self.counts = self.labels.bincount()

    @torch.no_grad()
    def relabel(self, labels: Tensor) -> None:
        """Take new labels [N] int64; each outlier (-1) becomes a label of its own, after the rest.

        A label may be without members: its logit is -inf.
        """
        outlier = labels < 0
        own = labels.max().clamp_min(-1) + outlier.cumsum(0)
        self.labels = torch.where(outlier, own, labels).to(self.rows.device)
        self.counts = self.labels.bincount()

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Similarities of unit rows [B, D] to every proxy, over temperature: [B, L] fp32."""
        sums = label_sums(self.rows, self.labels, len(self.counts))
        logits = features @ sums.div_(self.counts.clamp_min(1)[:, None]).T / self.temperature
        return logits.masked_fill(self.counts == 0, -torch.inf)
