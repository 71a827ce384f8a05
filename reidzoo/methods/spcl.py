"""SpCL: one memory row per image; reliable clusters grow, doubtful images stay on their own.

Ge et al., "Self-paced Contrastive Learning with Hybrid Memory", NeurIPS 2020 (arXiv 2006.02713),
without a labelled source. Features are extracted once; from then on the memory itself is what is
clustered. An image is contrasted with the mean row of every cluster and with the row of every
un-clustered image, so that nothing is thrown away. A cluster is kept only while it survives a
tighter and a looser clustering.

    L = mean_i -log softmax_l(f_i . mean_{j in l} m_j / temperature)[y_i]

Fidelity: exact to the released code (yxgeee/SpCL); un-clustered images are drawn in blocks of K.
"""

from typing import Any

import torch

from reidzoo.clustering import MinSize, as_graph_clusterer, labels_around, self_paced_labels
from reidzoo.losses import bounded_cross_entropy
from reidzoo.memory import HybridMemory
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels


class SpCL(Method):
    """Needs batch["index"]; keeps `memory` [N, D].

    Args:
        momentum: weight of the old memory row.
        temperature: divides the similarities.
        eps_gap: the tighter and the looser clustering have eps - eps_gap and eps + eps_gap.
    """

    paper = "Ge et al., Self-paced Contrastive Learning with Hybrid Memory, NeurIPS 2020"
    year = 2020
    fidelity = "exact to the released code"
    sampling = "every"
    extract_on = "start"

    def __init__(
        self,
        *,
        momentum: float = 0.2,
        temperature: float = 0.05,
        eps_gap: float = 0.02,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        as_graph_clusterer(self.clusterer)  # refuse early
        self.eps_gap = eps_gap
        self.memory = HybridMemory(0, self.num_features, momentum, temperature)

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Cluster the memory; what the scores do not trust is un-clustered (-1)."""
        rows = bank.features.get("global", self.memory.rows)
        offsets = -self.eps_gap, 0.0, self.eps_gap
        tight, given, loose = labels_around(self.clusterer, rows, bank.cameras, offsets)
        threshold = None if previous is None else float(previous.tables["threshold"])
        refined = self_paced_labels(given, tight, loose, threshold)
        trusted = torch.from_numpy(refined.labels).to(given) == given
        labels = MinSize(2)(given.where(trusted, -1))
        tables = {"threshold": torch.tensor(refined.threshold, dtype=torch.float64)}
        return PseudoLabels(self.filter_labels(labels, rows, bank.cameras), tables)

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Features become the memory once; new labels regroup it in every epoch."""
        if "global" in bank:
            self.memory.reset(bank["global"])
        self.memory.relabel(labels.labels)

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Cross-entropy over all clusters and all un-clustered images."""
        logits = self.memory.logits(out["global"])  # [B, L]
        target = self.memory.labels[batch["index"]]
        return {"hybrid": bounded_cross_entropy(logits, target)}

    def update(self, out: Batch, batch: Batch) -> None:
        """Each row follows its own image."""
        self.memory.update(out["global"], batch["index"])
