"""PPLR: parts refine the labels of the whole image, as far as both have the same neighbours.

Cho, Kim, Hong, Yoon, "Part-based Pseudo Label Refinement for Unsupervised Person
Re-identification", CVPR 2022 (arXiv 2203.14675). A global and S stripe branches each classify the
clusters of the global features. Where a stripe's neighbours are those of the whole image (agreement
a_s), its prediction corrects the label of the whole, and the label holds for the stripe; where they
are not, the stripe should rather predict nothing. There is no teacher.

    L = CE(z, b onehot(y) + (1-b) sum_s softmax(a)_s softmax(z_s))
        + mean_s [ a_s CE(z_s, y) + (1-a_s) KL(uniform || z_s) ] + ln(1 + e^(d_p - d_n))
        + camera_weight [ l_inter(f) + mean_s l_inter(f_s) ]

Before `agreement_from` stripes have ordinary label smoothing. Classifiers start anew from the
centroids of each clustering, the triplet sees rows before L2, retrieval uses the global row alone.
The last line, off by default, is the paper's version with cameras: l_inter as in losses/proxies.py,
positive are the label's proxies of other cameras, which stay as they are during an epoch.

Fidelity: exact to the released code (yoonkicho/PPLR), both versions.
"""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reidzoo import distributed
from reidzoo.clustering import cross_agreement
from reidzoo.clustering.contracts import CamerasIn
from reidzoo.losses import (
    agreement_smoothed_cross_entropy,
    part_guided_cross_entropy,
    proxy_contrast,
    soft_triplet,
)
from reidzoo.memory import ProxyMemory, cluster_means
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import CentroidClassifier, StripeNecks

SMOOTHING = 0.1  # of the stripes' labels, before their agreement counts


class PPLR(Method):
    """Needs batch["label"] and batch["index"]; keeps `classifiers` and, with cameras, `proxies`.

    Args:
        parts: S, horizontal stripes.
        neighbours: length of the lists whose agreement counts.
        label_weight: b, of the pseudo-label in the refined one.
        agreement_from: epoch from which agreement decides for the stripes.
        camera_weight: of the contrast across cameras, which needs cameras; published: 0.5.
        temperature: divides its similarities.
        hardest: proxies of other clusters that it meets, the most similar ones.
        max_clusters: rows of the classifiers.
    """

    paper = "Cho et al., Part-based Pseudo Label Refinement, CVPR 2022"
    year = 2022
    fidelity = "exact to the released code"
    cameras_in: ClassVar[CamerasIn] = {"loss": ("camera_weight",)}
    remember = ()

    def __init__(
        self,
        *,
        parts: int = 3,
        neighbours: int = 20,
        label_weight: float = 0.5,
        agreement_from: int = 5,
        camera_weight: float = 0.0,
        temperature: float = 0.07,
        hardest: int = 50,
        max_clusters: int = 3000,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        channels = self.network.backbone.num_features
        self.parts = StripeNecks(channels, parts, self.network_options.samples_per_bn)
        lengths = [self.num_features] + parts * [channels]  # of the branches, the global one first
        self.classifiers: Any = nn.ModuleList(CentroidClassifier(D, max_clusters) for D in lengths)
        self.proxies: Any = nn.ModuleList(ProxyMemory(D, temperature=temperature) for D in lengths)
        self.needs = frozenset({"cameras"} if camera_weight else ())
        self.neighbours, self.label_weight, self.hardest = neighbours, label_weight, hardest
        self.agreement_from, self.camera_weight = agreement_from, camera_weight

    def branches(self, image: Tensor) -> list[Tensor]:
        """Rows [B, D] of the global branch and of each stripe, not yet unit."""
        maps = self.network.map(image)
        return [self.network.neck(self.network.pool(maps)), *self.parts(maps).unbind(1)]

    def embed(self, image: Tensor) -> Batch:
        """Unit rows of the image [B, D] and of its stripes [B, S, C]."""
        whole, *parts = (F.normalize(rows, dim=1) for rows in self.branches(image))
        return {"global": whole, "parts": torch.stack(parts, dim=1)}

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Clusters of the global rows; how each stripe agrees with them."""
        agreement = cross_agreement(bank["global"], bank["parts"], self.neighbours)
        labels = self.cluster(bank["global"], bank.cameras)
        return PseudoLabels(labels, {"agreement": agreement, "mean_agreement": agreement.mean()})

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Classifiers start as centroids, proxies as the parts into which cameras divide them."""
        for branch, rows in enumerate([bank["global"], *bank["parts"].unbind(1)]):
            means = cluster_means(rows, labels.labels, labels.num_clusters)
            self.classifiers[branch].reset(means)
            if self.camera_weight:
                self.proxies[branch].fill(rows, labels.labels, bank.cameras)

    def forward_batch(self, batch: Batch) -> Batch:
        """Rows before L2, `whole` [B, D] and `parts` [B, S, d]; `logits` [B, 1 + S, C] of all."""
        assert self.labels is not None
        rows, C = self.branches(batch["image"]), self.labels.num_clusters
        logits = [layer(x, C) for layer, x in zip(self.classifiers, rows, strict=True)]
        parts = torch.stack(rows[1:], dim=1)
        return {"whole": rows[0], "parts": parts, "logits": torch.stack(logits, dim=1)}

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Both refinements, the triplet, and the contrast across cameras."""
        assert self.labels is not None
        y, agreement = batch["label"], self.labels.tables["agreement"][batch["index"]]  # [B, S]
        whole, parts = out["logits"][:, 0], out["logits"][:, 1:]
        own = y[:, None].expand_as(agreement)
        if self.current_epoch < self.agreement_from:
            part_loss = F.cross_entropy(parts.mT, own, label_smoothing=SMOOTHING)
        else:
            part_loss = agreement_smoothed_cross_entropy(parts, own, agreement)
        everyone = distributed.gather_with_gradient(out["whole"])
        terms = {
            "whole": part_guided_cross_entropy(whole, parts, y, agreement, self.label_weight),
            "parts": part_loss,
            "triplet": soft_triplet(out["whole"], everyone, y[:, None] == distributed.gather(y)),
        }
        if self.camera_weight:
            terms["camera"] = self.camera_weight * self.contrast_cameras(out, batch)
        return terms

    def contrast_cameras(self, out: Batch, batch: Batch) -> Tensor:
        """Draw each branch to its cluster's proxies of other cameras; the stripes' mean."""
        losses = []
        for proxies, x in zip(self.proxies, [out["whole"], *out["parts"].unbind(1)], strict=True):
            same = batch["label"][:, None] == proxies.labels  # [B, R]
            elsewhere = batch["camera"][:, None] != proxies.cameras
            logits = proxies.logits(F.normalize(x, dim=1))
            losses.append(proxy_contrast(logits, same & elsewhere, same, self.hardest).mean())
        return losses[0] + torch.stack(losses[1:]).mean()
