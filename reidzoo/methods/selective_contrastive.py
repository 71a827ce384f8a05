"""Selective contrastive learning: no clustering, each image's nearest neighbours are its positives.

Pang, Guo, Zhang, "Unsupervised Person Re-Identification: Selective Contrastive Learning", TOMM 2022
(arXiv 2010.07608). Every image is a class. At each step the P images nearest to an anchor i, by a
distance of whole-image and part features with a penalty for its own camera, become positives beside
itself, the next ones negatives; the many easy images beyond play no part.

    dist(i, n) = g |x_i - X_n|^2 + (1-g) mean_s |l_is - L_ns|^2 + c [cam_i = cam_n]
    L(x) = mean_i sum_j w_j CE(x_i . M_S(i) / temperature, j),  w_0 = t, w_j = alpha (1-t) / P
    L = p L(parts) + (1-p) L(whole)

X and L follow each image's own features; the mixture M takes an image's features into the rows of
all its positives. In the first epochs an image is its only positive, and negatives are random.

Fidelity: exact to the released code (pangbo1997/Unsup_ReID) in distance, selection, loss and
memories. Here gradients are exact (the released backward moves M while it runs:
`official_inplace_update`), X and L start from evaluation-mode features, each anchor draws its own
start-up negatives and never itself, and retrieval uses the whole-image feature, without cameras.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor

from reidzoo.clustering.contracts import CamerasIn
from reidzoo.errors import UserError
from reidzoo.losses import selective_cross_entropy, with_gradient
from reidzoo.memory import MixtureMemory, NeighbourMemory
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models.batch_norm import use_ghost_batch_norm
from reidzoo.models.masks import keyed_uniform
from reidzoo.models.stripes import StripeHead

FOLLOW = 0.5  # weight of the old row in all memories


class SelectiveContrastive(Method):
    """Needs batch["index"] and batch["camera"]; keeps `search` (two banks) and `mixture`.

    Args:
        positives: P, neighbours taken as positives.
        negatives: neighbours after them taken as negatives; at most those that exist.
        startup_epochs: epochs in which an image is its only positive and negatives are random.
        whole_distance: share g of the whole-image distance.
        camera_penalty: added to the squared distance of two images of one camera (c).
        own_weight: weight t of the image itself among its positives.
        neighbour_weight: alpha, of the other positives together.
        parts_weight: share p of the part loss.
        temperature: divides the similarities.
        stripes: S, horizontal parts, of D/S features each.
        official_inplace_update: use the gradients of the released code, whose memory moves during
            the backward pass.
    """

    paper = "Pang et al., Unsupervised Person Re-Identification: Selective Contrastive, TOMM 2022"
    year = 2022
    fidelity = "exact to the released code, with exact gradients"
    cameras_in: ClassVar[CamerasIn] = {"loss": ("camera_penalty",)}
    sampling = "random"
    extract_on = "start"
    label_on = "start"
    uses_clusterer = False
    remember = ("global", "parts")

    def __init__(
        self,
        *,
        positives: int = 7,
        negatives: int = 500,
        startup_epochs: int = 3,
        whole_distance: float = 0.5,
        camera_penalty: float = 0.05,
        own_weight: float = 0.5,
        neighbour_weight: float = 1.75,
        parts_weight: float = 0.5,
        temperature: float = 0.1,
        stripes: int = 8,
        official_inplace_update: bool = False,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.head = StripeHead(self.network.backbone.num_features, stripes, self.num_features)
        if self.network_options.samples_per_bn:
            use_ghost_batch_norm(self.head, self.network_options.samples_per_bn)
        self.search = NeighbourMemory(self.num_features, whole_distance, FOLLOW)
        self.mixture = MixtureMemory(0, self.num_features, FOLLOW, temperature)
        self.positives, self.negatives, self.startup_epochs = positives, negatives, startup_epochs
        self.own_weight, self.neighbour_weight = own_weight, neighbour_weight
        self.camera_penalty, self.parts_weight = camera_penalty, parts_weight
        self.official_inplace_update = official_inplace_update

    def embed(self, image: Tensor) -> Batch:
        """Whole-image rows [B, D] and part rows [B, S, d]."""
        maps = self.network.map(image)
        return {"global": self.network.head(maps), "parts": self.head(maps)}

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Every image is its own class."""
        N = len(bank)
        if self.positives + 2 > N:
            raise UserError(
                f"--method.positives {self.positives}: needs {self.positives + 2} training images, "
                f"the data has {N}; take fewer positives"
            )
        return PseudoLabels(torch.arange(N), {"cameras": bank.cameras})

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """The search starts from the features, the mixture from zero."""
        self.search.reset(bank["global"], bank["parts"])
        self.mixture.reset(torch.zeros_like(bank["global"]))

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Both branches against the same rows of the mixture."""
        chosen, P = self.choose(out, batch)
        weights = out["global"].new_full((P + 1,), self.own_weight)
        weights[1:].fill_(self.neighbour_weight * (1 - self.own_weight) / max(P, 1))
        branches = [out["parts"].flatten(1), out["global"]]  # each [B, D]
        losses = [
            selective_cross_entropy(self.mixture.logits(x).gather(1, chosen), weights)
            for x in branches
        ]
        if self.official_inplace_update:
            gradients = self.mixture.gradients_in_place(branches, chosen, weights)
            losses = list(map(with_gradient, losses, branches, gradients))
        parts, whole = losses
        return {"parts": self.parts_weight * parts, "whole": (1 - self.parts_weight) * whole}

    def choose(self, out: Batch, batch: Batch) -> tuple[Tensor, int]:
        """Rows that each image meets [B, M], by distance: itself, P positives, negatives; and P."""
        N, index, cameras = len(self.search), batch["index"], batch["camera"]
        if self.current_epoch < self.startup_epochs:
            P, distance = 0, keyed_uniform(index, self.global_step, N).T
        else:
            assert self.labels is not None
            P, distance = self.positives, self.search.distance(out["global"], out["parts"])
            same = (cameras >= 0)[:, None] & (cameras[:, None] == self.labels.tables["cameras"])
            distance = distance + self.camera_penalty * same
        distance = distance.scatter(1, index[:, None], -torch.inf)
        count = min(1 + self.positives + self.negatives, N)
        return distance.topk(count, largest=False).indices, P

    def update(self, out: Batch, batch: Batch) -> None:
        """An image moves its own rows of the search and its positives' rows of the mixture."""
        chosen, P = self.choose(out, batch)
        self.mixture.absorb([out["parts"].flatten(1), out["global"]], chosen[:, : P + 1])
        self.search.update(out["global"], out["parts"], batch["index"])
