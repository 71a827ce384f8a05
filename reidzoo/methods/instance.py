"""Instance discrimination: every image is its own class; a warm start without labels or clusters.

Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations" (SimCLR), ICML
2020. Two augmented views of an image must find each other among all images of the batch. Whoever
has no pretrained weights trains this for a few epochs and passes the run to `--init`.

    L = mean_a -log [ exp(f_a . f_a' / temperature) / sum_{b != a} exp(f_a . f_b / temperature) ]

Fidelity: the published loss, without a projection head (the embedding itself is what is needed).
"""

from typing import Any

import torch

from reidzoo import distributed
from reidzoo.losses import instance_discrimination
from reidzoo.methods.base import Batch, Method


class Instance(Method):
    """Needs two views per image; no labels, no memory.

    Args:
        temperature: divides the similarities.
    """

    paper = "Chen et al., A Simple Framework for Contrastive Learning, ICML 2020"
    year = 2020
    fidelity = "the published loss, without a projection head"
    views = 2
    sampling = "random"
    extract_on = "never"
    label_on = "never"
    uses_clusterer = False
    remember = ()

    def __init__(self, *, temperature: float = 0.1, **base: Any) -> None:
        super().__init__(**base)
        self.temperature = temperature

    def forward_batch(self, batch: Batch) -> Batch:
        """Both views in one pass, image by image, so that a batch-norm group holds whole pairs."""
        return self.embed(batch["image"].flatten(0, 1))  # [B, 2, ...] -> rows a a' b b' ...

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Negatives come from the whole global batch."""
        anchors = out["global"]  # [2B, D]
        candidates = distributed.gather_with_gradient(anchors)  # [2BW, D]
        own = torch.arange(len(anchors), device=anchors.device)
        own = own + distributed.rank() * len(anchors)
        loss = instance_discrimination(anchors, candidates, own, own ^ 1, self.temperature)
        return {"instance": loss}
