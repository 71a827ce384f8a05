"""The silhouette of clusters in the feature space: compact and apart, or not; no truth needed."""

import torch
from torch import Tensor


def cosine_silhouette(features: Tensor, labels: Tensor, rows: Tensor | None = None) -> float:
    """Mean silhouette coefficient in the distance 1 - cosine, exact without N x N distances.

    (b - a) / max(a, b), with a the mean distance to the rest of the own cluster and b that to the
    nearest other one; 0 for a cluster of one. A mean distance to a cluster is one inner product
    with the sum of its rows, so M images cost O(N D + M C D).

    It says how well features and labels fit each other. Training pulls features towards their
    labels, so it rises also where the labels are wrong.

    Args:
        features: unit rows [N, D], fp32.
        labels: [N] int64 in 0..C-1, -1 outlier.
        rows: [M] int64, images over which the mean is taken; outliers do not count; None: all.

    Returns:
        -1 to 1; NaN with fewer than two clusters, or without a clustered image among `rows`.

    Source: Rousseeuw, 1987.

    >>> features = torch.eye(2)[[0, 0, 1, 1]]
    >>> cosine_silhouette(features, torch.tensor([0, 0, 1, 1]))
    1.0
    """
    C = int(labels.max()) + 1
    inside = labels >= 0
    chosen = inside.nonzero().flatten() if rows is None else rows[inside[rows]]
    if C < 2 or not len(chosen):
        return float("nan")
    sizes = labels[inside].bincount(minlength=C)
    sums = features.new_zeros(C, features.shape[1])
    sums.index_add_(0, labels[inside], features[inside])
    y = labels[chosen]
    likeness = features[chosen] @ sums.T  # [M, C] summed similarities
    own = likeness.gather(1, y[:, None])[:, 0] - features[chosen].square().sum(1)
    a = (1 - own / (sizes[y] - 1).clamp_min(1)).clamp_min(0)  # rounding may go below
    others = (1 - likeness / sizes.clamp_min(1)).clamp_min(0).masked_fill(sizes == 0, torch.inf)
    b = others.scatter(1, y[:, None], torch.inf).amin(1)
    tiny = torch.finfo(features.dtype).tiny
    widths = (b - a) / torch.maximum(a, b).clamp_min(tiny)
    return float(widths.where(sizes[y] > 1, 0).mean())
