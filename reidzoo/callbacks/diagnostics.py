"""What a refresh looks like in figures: the same names in every method and every run."""

from typing import cast

import torch
from torch import Tensor

from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.metrics import partition_scores

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SAMPLE = 1000  # images whose nearest neighbours are looked up for the quantiles


def describe_labels(
    labels: PseudoLabels, previous: PseudoLabels | None, bank: FeatureBank, data: ReIDDataModule
) -> dict[str, float]:
    """Counts, cameras, neighbour distances and, when identities are known, agreement with them.

    Returns:
        cluster/count, cluster/outlier_share, cluster/size_median, cluster/size_max,
        cluster/single_camera_share (cameras known), cluster/stability (ARI with the previous
        labels), cluster/neighbour_q05 ... q95 (distance 1 - cosine to the nearest other image),
        cluster/ari, cluster/nmi, ... (identities known; for diagnosis, never for training).
    """
    y = labels.labels
    sizes = y[y >= 0].bincount().float()
    report = {
        "cluster/count": float(labels.num_clusters),
        "cluster/outlier_share": float((y < 0).float().mean()),
    }
    if len(sizes):
        report["cluster/size_median"] = float(sizes.median())
        report["cluster/size_max"] = float(sizes.max())
    if data.num_cameras > 1 and len(sizes):
        report["cluster/single_camera_share"] = single_camera_share(y, bank.cameras)
    if previous is not None:
        both = (y >= 0) & (previous.labels >= 0)
        if both.any():
            agreement = partition_scores(previous.labels[both], y[both])
            report["cluster/stability"] = float(agreement["ari"])
    report |= {
        f"cluster/{name}": float(table) for name, table in labels.tables.items() if table.dim() == 0
    }
    if "global" in bank:
        report |= neighbour_quantiles(bank["global"])
    if data.has_identities and len(sizes):
        scores = cast("dict[str, float]", partition_scores(data.identities, y.cpu()))
        report |= {f"cluster/{name}": value for name, value in scores.items()}
    return report


def single_camera_share(labels: Tensor, cameras: Tensor) -> float:
    """Share of clusters whose images all come from one camera.

    >>> single_camera_share(torch.tensor([0, 0, 1, 1, -1]), torch.tensor([2, 2, 0, 1, 3]))
    0.5
    """
    kept = labels >= 0
    y, camera = labels[kept], cameras[kept] + 1  # unknown (-1) counts as one more camera
    seen = torch.zeros(int(y.max()) + 1, int(camera.max()) + 1, dtype=torch.bool, device=y.device)
    seen[y, camera] = True
    return float((seen.sum(1) == 1).float().mean())


def neighbour_quantiles(features: Tensor) -> dict[str, float]:
    """Quantiles of the distance (1 - cosine) to the nearest other image, over evenly spaced rows.

    Args:
        features: [N, D] unit rows, fp32.
    """
    N = len(features)
    if N < 2:
        return {}
    rows = torch.linspace(0, N - 1, min(N, SAMPLE), device=features.device).long()
    nearest = []
    for part in torch.split(rows, 256):
        similarity = features[part] @ features.T
        similarity[torch.arange(len(part), device=part.device), part] = -torch.inf
        nearest.append(similarity.amax(1))
    levels = torch.tensor(QUANTILES, device=features.device)
    values = (1 - torch.cat(nearest)).clamp_min(0).quantile(levels).tolist()
    return {
        f"cluster/neighbour_q{round(100 * level):02d}": value
        for level, value in zip(QUANTILES, values, strict=True)
    }
