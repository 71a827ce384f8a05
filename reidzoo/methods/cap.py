"""CAP: clusters are divided by camera into proxies; contrast within a camera, later across all.

Wang, Lai, Huang, Gong, Hua, "Camera-aware Proxies for Unsupervised Person Re-Identification", AAAI
2021 (arXiv 2012.10674). Images of one person differ most between cameras, so a row of the memory
stands for a cluster as one camera sees it. Proxies of the image's camera keep people apart where
appearance is consistent; from `inter_from` on, proxies of its cluster in all cameras pull together.

    L = sum over cameras of mean_i [ -ln softmax over the camera's proxies (f_i . p / t)[own]
        + w l_inter(i) ],   l_inter: see losses/proxies.py, all proxies of the label positive

The sum over the cameras in a batch makes the loss grow with their number. A batch holds
data.num_instances images of each of its proxies; `--data.camera_aware false` draws whole clusters.

Fidelity: exact to the released code (Terminator8758/CAP-master); only the length of an epoch is
fixed, one pass over all images, where it followed the number of clustered ones.
"""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F

from reidzoo import distributed
from reidzoo.clustering import Clusterer, JaccardDBSCAN
from reidzoo.clustering.contracts import CamerasIn
from reidzoo.losses import proxy_contrast
from reidzoo.memory import ProxyMemory
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels


class CAP(Method):
    """Needs cameras, batch["label"] and batch["camera"]; keeps `proxies` [R, D].

    Args:
        momentum: weight of the old row.
        temperature: divides the similarities.
        inter_weight: w, of the loss across cameras.
        inter_from: epoch from which it counts.
        hardest: proxies of other clusters that it meets, the most similar ones.
        clusterer: as for every method; here k1 20 and eps 0.5.
    """

    paper = "Wang et al., Camera-aware Proxies for Unsupervised Person Re-Identification, AAAI 2021"
    year = 2021
    fidelity = "exact to the released code"
    needs = frozenset({"cameras"})
    cameras_in: ClassVar[CamerasIn] = {"loss": ()}
    sampling = "proxies"

    def __init__(
        self,
        *,
        momentum: float = 0.2,
        temperature: float = 0.07,
        inter_weight: float = 0.5,
        inter_from: int = 5,
        hardest: int = 50,
        clusterer: Clusterer = JaccardDBSCAN(k1=20, k2=6, eps=0.5, min_samples=4),
        **base: Any,
    ) -> None:
        super().__init__(clusterer=clusterer, **base)
        self.proxies = ProxyMemory(self.num_features, momentum, temperature)
        self.inter_weight, self.inter_from, self.hardest = inter_weight, inter_from, hardest

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Every proxy starts as the unit mean of its images."""
        self.proxies.fill(bank["global"], labels.labels, bank.cameras)

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Within the cameras, and across them."""
        y, camera = batch["label"], batch["camera"]
        logits = self.proxies.logits(out["global"])  # [B, R]
        elsewhere = camera[:, None] != self.proxies.cameras
        same = y[:, None] == self.proxies.labels
        own = self.proxies.find(y, camera)
        intra = F.cross_entropy(logits.masked_fill(elsewhere, -torch.inf), own, reduction="none")
        inter = proxy_contrast(logits, same, same, self.hardest)
        weight = self.inter_weight if self.current_epoch >= self.inter_from else 0.0
        return {
            "intra": distributed.sum_of_means(intra, camera),
            "inter": weight * distributed.sum_of_means(inter, camera),
        }

    def update(self, out: Batch, batch: Batch) -> None:
        """The proxy of each image's cluster and camera follows it."""
        self.proxies.update(out["global"], self.proxies.find(batch["label"], batch["camera"]))
