"""The memory of camera-aware proxies: a row for each camera that sees a cluster."""

import torch
from torch import Tensor

from reidzoo.memory.bank import ClusterMemory
from reidzoo.memory.rows import cluster_means


class ProxyMemory(ClusterMemory):
    """One unit row per (camera, label), in this order; `labels` [R] and `cameras` [R] tell whose.

    `logits` and `update` are those of a cluster memory, with proxies in place of clusters. Images
    of unknown camera (-1) make proxies of their own.

    Args:
        num_features: D.
        momentum: weight of the old row.
        temperature: divides the similarities.

    Source: Terminator8758/CAP-master, which keeps one bank per camera; yoonkicho/PPLR.

    >>> memory = ProxyMemory(2)
    >>> memory.fill(torch.eye(2)[[0, 1, 1]], torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]))
    >>> memory.cameras, memory.labels
    (tensor([0, 1, 1]), tensor([0, 0, 1]))
    >>> memory.find(torch.tensor([1]), torch.tensor([1]))
    tensor([2])
    """

    labels: Tensor
    cameras: Tensor

    def __init__(self, num_features: int, momentum: float = 0.2, temperature: float = 0.07) -> None:
        super().__init__(num_features, momentum, temperature, update="mean")
        self.register_buffer("labels", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("cameras", torch.zeros(0, dtype=torch.int64))

    @torch.no_grad()
    def fill(self, features: Tensor, labels: Tensor, cameras: Tensor) -> None:
        """Start anew from unit means.

        Args:
            features: [N, D] unit rows, fp32.
            labels: [N] int64, -1 outlier.
            cameras: [N] int64, -1 unknown.
        """
        kept = labels >= 0
        pairs = torch.stack([cameras[kept], labels[kept]])
        pairs, proxy = torch.unique(pairs, dim=1, return_inverse=True)
        self.cameras, self.labels = pairs.to(self.rows.device)
        self.reset(cluster_means(features[kept], proxy, len(self.labels)))

    def find(self, labels: Tensor, cameras: Tensor) -> Tensor:
        """Number [B] of the proxy of each image, whose label and camera must be among them."""
        same = (labels[:, None] == self.labels) & (cameras[:, None] == self.cameras)  # [B, R]
        return same.int().argmax(1)
