"""The memory of HHCL's paper: a few instances per cluster, of which the hardest one counts."""

import torch
from torch import Tensor

from reidzoo.memory.bank import MemoryBank
from reidzoo.memory.rows import arrival_order, label_slots


class HardInstanceMemory(MemoryBank):
    """K stored instances for each of C clusters; a cluster speaks through its hardest instance.

    `logits(x, y)`: for the own cluster the least similar instance, for every other cluster the
    most similar one. `update` overwrites slots 0, 1, ... of an identity by its features in batch
    order, without momentum; of more than K features the last K are kept.

    Args:
        num_features: D.
        num_instances: K.
        temperature: divides the similarities.

    Source: bupt-ai-cz/HHCL-ReID, mode `CMhybrid_v2`; rows are stored [K, C, D].
    """

    def __init__(
        self, num_features: int, num_instances: int = 16, temperature: float = 0.05
    ) -> None:
        super().__init__(num_features)
        self.rows = torch.zeros(num_instances, 0, num_features)
        self.num_instances, self.temperature = num_instances, temperature

    @torch.no_grad()
    def fill(self, features: Tensor, labels: Tensor, generator: torch.Generator) -> None:
        """Draw K members of each cluster with replacement from features [N, D], labels [N]."""
        counts = labels[labels >= 0].bincount()
        order = labels.sort(stable=True).indices[int((labels < 0).sum()) :]
        start = counts.cumsum(0) - counts
        draws = torch.rand(self.num_instances, len(counts), generator=generator).to(counts.device)
        member = (start + (draws * counts).long().clamp(max=counts - 1)).to(order.device)
        self.reset(features[order[member]])

    def logits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Hardest similarity to each cluster over temperature: [B, C] fp32, labels [B] int64."""
        similarity = torch.einsum("bd,kcd->kbc", features, self.rows) / self.temperature
        own = labels[:, None] == torch.arange(similarity.shape[2], device=labels.device)
        return torch.where(own, similarity.amin(0), similarity.amax(0))

    @torch.no_grad()
    def update(self, features: Tensor, labels: Tensor) -> None:
        """Overwrite slots in batch order; features [B, D] unit, labels [B] int64, all >= 0."""
        earlier, later = arrival_order(labels), arrival_order(labels.flip(0)).flip(0)
        excess = (earlier + later + 1 - self.num_instances).clamp_min(0)
        # What is not kept repeats the first kept image of its label: no shape depends on the data.
        place, slot = torch.maximum(earlier, excess), label_slots(labels)
        image = torch.empty_like(labels)
        image[slot + earlier] = torch.arange(len(labels), device=labels.device)
        self.rows[place - excess, labels] = features[image[slot + place]]
