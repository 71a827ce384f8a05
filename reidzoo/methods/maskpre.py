"""MaskPre: two views of an image each lose a block of the map, and one predicts the other.

"MaskPre", Pattern Recognition 126, 2022 (108568). Both views belong to the image's cluster; from
one the student predicts what a slow teacher sees in the other, which holds what the first lost.

    L = 1/2 [NCE(z_1, y) + NCE(z_2, y)] + lambda L_mask
    L_mask = 1/2 [2 - 2 cos(g(z_1), t_2) + 2 - 2 cos(g(z_2), t_1)]

`target=region` reads "mask prediction" by the letter: predict the teacher's map where it was lost.

Fidelity: reconstruction from the abstract and highlights; there is no released code. The student
counts and is saved, since a lagging teacher did worse in the trial; its mAP is logged beside.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from reidzoo import distributed
from reidzoo.memory import ClusterMemory, cluster_means
from reidzoo.methods.base import Batch, Method
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import Predictor, RegionPredictor, Teacher, ramped_momentum
from reidzoo.models.batch_norm import use_ghost_batch_norm
from reidzoo.models.masks import paired_blocks


class MaskPre(Method):
    """Needs batch["label"] and batch["index"]; keeps `memory` [C, D] and `teacher`.

    Args:
        prediction_weight: lambda, of the mask-prediction loss.
        target: view (the teacher's row of the other view) or region (its map where it was lost).
        blocks: height of a lost block over that of the map, at first and after `growth_epochs`.
        growth_epochs: epochs in which blocks grow; half of the training.
        block_width: width of a block over that of the map; 0.5 for vehicles.
        momentum: weight of the old memory row.
        temperature: divides the similarities.
        teacher_momentum: of the moving average, reached after 1 / (1 - it) steps.
        cluster_model: whose features are clustered.
    """

    paper = "MaskPre, Pattern Recognition 126, 2022 (108568)"
    year = 2022
    fidelity = "reconstruction from the abstract"

    begun: Tensor

    def __init__(
        self,
        *,
        prediction_weight: float = 0.5,
        target: Literal["view", "region"] = "view",
        blocks: tuple[float, float] = (0.1, 0.33),
        growth_epochs: int = 25,
        block_width: float = 1.0,
        momentum: float = 0.1,
        temperature: float = 0.05,
        teacher_momentum: float = 0.999,
        cluster_model: Literal["student", "teacher"] = "student",
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.memory = ClusterMemory(self.num_features, momentum, temperature)
        self.teacher = Teacher(self.network)
        self.register_buffer("begun", torch.tensor(False))  # also known after a resume
        self.predictor: Predictor | RegionPredictor = Predictor(self.num_features)
        if target == "region":
            self.predictor = RegionPredictor(self.network.backbone.num_features)
        if group := self.network_options.samples_per_bn:  # these see two rows of each image
            use_ghost_batch_norm(self.network.neck, 2 * group)
            use_ghost_batch_norm(self.predictor, 2 * group)
        self.prediction_weight, self.teacher_momentum = prediction_weight, teacher_momentum
        self.blocks, self.growth_epochs, self.block_width = blocks, growth_epochs, block_width
        self.clustered = "global" if cluster_model == "student" else "teacher"

    def embed(self, image: Tensor) -> Batch:
        """Rows [B, D] of whole maps; the teacher's too if they are clustered."""
        rows = {"global": self.network(image)}
        if self.clustered == "teacher":  # before the first clusters it is the student
            rows["teacher"] = self.teacher(image) if self.begun else rows["global"]
        return rows

    def judge(self, image: Tensor) -> Batch:
        """The student's rows and the teacher's."""
        return {"global": self.network(image), "teacher": self.teacher(image)}

    def pseudo_label(
        self, bank: FeatureBank, previous: PseudoLabels | None, epoch: int
    ) -> PseudoLabels:
        """Clusters of the model that was chosen for it."""
        return PseudoLabels(self.cluster(bank[self.clustered], bank.cameras))

    def refresh(self, labels: PseudoLabels, bank: FeatureBank) -> None:
        """Every cluster starts as its mean, the teacher as the student."""
        self.memory.reset(cluster_means(bank[self.clustered], labels.labels, labels.num_clusters))
        if not self.begun:
            self.teacher.update(self.network, momentum=0)
            self.begun.fill_(True)

    def forward_batch(self, batch: Batch) -> Batch:
        """Two masked views of each image, its rows one after the other: a a' b b' ..."""
        maps = self.network.map(batch["image"]).repeat_interleave(2, 0)  # [2B, C, h, w]
        teacher: Any = self.teacher.network
        taught = teacher.map(batch["image"]).repeat_interleave(2, 0)
        size, (first, last) = (maps.shape[2], maps.shape[3]), self.blocks
        height = first + (last - first) * min(1.0, self.current_epoch / self.growth_epochs)
        keep = paired_blocks(batch["index"], self.global_step, size, height, self.block_width)
        views, answers = self.network.head(maps, keep), teacher.head(taught, keep)  # [2B, D]
        out = {"global": F.normalize(views[::2] + views[1::2], dim=1), "views": views}
        return out | self.predictor.ask(maps, views, taught, answers, keep)

    def compute_loss(self, out: Batch, batch: Batch) -> Batch:
        """Both views belong to the cluster; what was lost is predicted."""
        logits = self.memory.logits(out["views"])  # [2B, C]
        error = 2 - 2 * F.cosine_similarity(out["predicted"], out["target"], dim=-1)
        mask = distributed.weighted_mean(error.flatten(), out["asked"].flatten())
        cluster = F.cross_entropy(logits, batch["label"].repeat_interleave(2))
        return {"cluster": cluster, "mask": self.prediction_weight * mask}

    def update(self, out: Batch, batch: Batch) -> None:
        """A row follows the mean of the two views, once per image."""
        self.memory.update(out["global"], batch["label"])

    def optimizer_step(self, *step: Any, **options: Any) -> None:
        """The teacher follows, alike on every rank."""
        number = self.global_step
        super().optimizer_step(*step, **options)
        self.teacher.update(self.network, ramped_momentum(number, self.teacher_momentum))
        distributed.broadcast_buffers(self.teacher)  # batch norm saw another part on each rank
