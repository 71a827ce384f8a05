"""What a refresh looks like in figures: the same names in every method and every run."""

import math
from typing import cast

import torch
from torch import Tensor

from reidzoo.clustering import camera_gap
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.metrics import (
    Neighbourhood,
    camera_nmi,
    cosine_silhouette,
    evenly_spaced,
    identity_errors,
    nearest_others,
    other_camera_share,
    partition_scores,
    single_camera_share,
)

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SAMPLE = 500  # images whose neighbours and silhouettes are looked at, among all images
NEAREST = 20  # neighbours whose cameras are looked at


def describe_labels(
    labels: PseudoLabels, previous: PseudoLabels | None, bank: FeatureBank, data: ReIDDataModule
) -> dict[str, float]:
    """Figures of a refresh; what cannot be told (no cameras, no identities, ...) is left out.

    Returns:
        cluster/count, cluster/outlier_share, cluster/size_median, cluster/size_max; cluster/<name>
        for every single number among the tables of the labels;
        cluster/stability: agreement (ARI) with the previous labels on what both cluster;
        cluster/single_camera_share, cluster/camera_nmi (cameras known);
        cluster/neighbour_q05 ... q95: distance 1 - cosine to the nearest other image;
        cluster/silhouette: of the labels in the features;
        cluster/camera_gap (difference of mean squared distances), cluster/other_camera_share (of
        the 20 nearest; cameras known);
        cluster/ari, nmi, ..., split_errors, merge_errors, lost_identities (identities known; for
        diagnosis, never for training).
    """
    report = describe_sizes(labels)
    if previous is not None:
        report["stability"] = stability(previous.labels, labels.labels)
    if data.num_cameras > 1:
        report["single_camera_share"] = single_camera_share(labels.labels, bank.cameras)
        report["camera_nmi"] = camera_nmi(labels.labels, bank.cameras)
    if "global" in bank:
        report |= describe_features(bank["global"], labels.labels, bank.cameras)
    if data.has_identities:
        y = labels.labels.cpu()
        report |= cast("dict[str, float]", partition_scores(data.identities, y))
        report |= cast("dict[str, float]", identity_errors(data.identities, y))
    return {f"cluster/{name}": value for name, value in report.items() if not math.isnan(value)}


def describe_sizes(labels: PseudoLabels) -> dict[str, float]:
    """How many clusters, how large, how much is left out, and the labels' own single numbers."""
    y = labels.labels
    report = {"count": float(labels.num_clusters), "outlier_share": float((y < 0).float().mean())}
    sizes = y[y >= 0].bincount().float()
    if len(sizes):
        report |= {"size_median": float(sizes.median()), "size_max": float(sizes.max())}
    return report | {
        name: float(table) for name, table in labels.tables.items() if table.dim() == 0
    }


def stability(previous: Tensor, labels: Tensor) -> float:
    """Agreement (ARI) of two sets of labels [N] on the images that both have in a cluster.

    >>> stability(torch.tensor([0, 0, 1, 1, -1]), torch.tensor([1, 1, 0, 0, 0]))
    1.0
    """
    both = (previous >= 0) & (labels >= 0)
    if not both.any():
        return math.nan
    return float(partition_scores(previous[both], labels[both])["ari"])


def describe_features(features: Tensor, labels: Tensor, cameras: Tensor) -> dict[str, float]:
    """What unit rows [N, D] say about cameras [N] and labels [N], from a sample of the rows."""
    if len(features) < 2 or not features.isfinite().all():  # the previous labels may have stayed
        return {}
    rows = evenly_spaced(len(features), SAMPLE).to(features.device)
    nearest = nearest_others(features, rows, NEAREST)
    report = neighbour_quantiles(nearest)
    report["silhouette"] = cosine_silhouette(features, labels, rows)
    gap = camera_gap(features, cameras)
    if not math.isnan(gap):  # two cameras or more are known
        report["camera_gap"] = gap
        report["other_camera_share"] = other_camera_share(nearest, cameras)
    return report


def neighbour_quantiles(nearest: Neighbourhood) -> dict[str, float]:
    """Quantiles of the distance 1 - cosine to the nearest other image."""
    distances = (1 - nearest.similarities[:, 0]).clamp_min(0)
    values = distances.quantile(torch.tensor(QUANTILES, device=distances.device)).tolist()
    return {
        f"neighbour_q{round(100 * level):02d}": value
        for level, value in zip(QUANTILES, values, strict=True)
    }
