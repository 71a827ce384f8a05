"""The retrieval scores as a torchmetrics metric, gathered over batches and processes."""

from typing import Any

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from reidzoo.metrics.retrieval import retrieval_scores


class ReIDRetrieval(Metric):
    """mAP, mINP and CMC 1/5/10 of all images seen, queries and gallery in any mixture.

    `update` keeps float32 features; `compute` returns `retrieval_scores` without `ap`. In several
    processes each adds its own images and `compute` sees all of them, joined in rank order.

    >>> import torch
    >>> metric = ReIDRetrieval()
    >>> features = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> identities, cameras = torch.tensor([7, 7, 8]), torch.tensor([0, 1, 1])
    >>> metric.update(features, identities, cameras, torch.tensor([True, False, False]))
    >>> metric.compute()["mAP"]
    1.0
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    features: list[Tensor]
    identities: list[Tensor]
    cameras: list[Tensor]
    is_query: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for state in ("features", "identities", "cameras", "is_query"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    def update(
        self, features: Tensor, identities: Tensor, cameras: Tensor, is_query: Tensor
    ) -> None:
        """Add images.

        Args:
            features: [B, D] of any float type.
            identities: [B] int64; negative ones are left out of the scores.
            cameras: [B] int64, -1 unknown.
            is_query: [B] bool.

        Raises:
            ValueError: lengths differ.
        """
        lengths = [len(rows) for rows in (features, identities, cameras, is_query)]
        if len(set(lengths)) > 1:
            raise ValueError(
                "features, identities, cameras and is_query must have one entry per image, "
                f"got {', '.join(map(str, lengths))}"
            )
        self.features.append(features.detach().float())
        self.identities.append(identities)
        self.cameras.append(cameras)
        self.is_query.append(is_query.bool())

    def compute(self) -> dict[str, float]:
        """Scores in 0..1: mAP, mINP, cmc1, cmc5, cmc10."""
        features, identities, cameras, is_query = (
            dim_zero_cat(state)
            for state in (self.features, self.identities, self.cameras, self.is_query)
        )
        scores = retrieval_scores(
            features[is_query],
            features[~is_query],
            identities[is_query],
            identities[~is_query],
            cameras[is_query],
            cameras[~is_query],
        )
        return {name: value for name, value in scores.items() if name != "ap"}  # type: ignore[misc]
