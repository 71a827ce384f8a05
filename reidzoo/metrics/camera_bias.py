"""How much of features and clusters is the camera: no identities are needed.

Source of the questions: Song, Park, Lee, "Exploring the Camera Bias of Person Re-identification"
(ICLR 2025). The gap between cameras itself is `reidzoo.clustering.camera_gap`.
"""

from typing import Any

import numpy as np
from torch import Tensor

from reidzoo.metrics.neighbourhood import Neighbourhood
from reidzoo.metrics.partition import partition_scores
from reidzoo.metrics.truth import UNKNOWN_CAMERA, as_integers


def single_camera_share(labels: Any, cameras: Any) -> float:
    """Share of clusters whose images all come from one camera; NaN without clusters.

    Args:
        labels: [N] integers, array or tensor; -1 rows (outliers) are left out.
        cameras: [N] integers; unknown (-1) counts as one more camera.

    >>> single_camera_share([0, 0, 1, 1, -1], [2, 2, 0, 1, 3])
    0.5
    """
    y, camera = as_integers("labels", labels), as_integers("cameras", cameras)
    pairs = np.unique(np.stack([y[y >= 0], camera[y >= 0]]), axis=1)
    counts = np.unique(pairs[0], return_counts=True)[1]
    return float((counts == 1).mean()) if len(counts) else float("nan")


def camera_nmi(labels: Any, cameras: Any) -> float:
    """Normalised mutual information of cluster and camera, 0..1: how well one tells the other.

    1 where every cluster is a camera. Not 0 for perfect clusters: a person is seen by some cameras
    more than by others, and small clusters agree with anything a little by chance. So compare it
    over epochs and with true identities in place of labels, not with 0.

    Args:
        labels: [N] integers, array or tensor; -1 rows (outliers) are left out.
        cameras: [N] integers, unknown (-1) left out.

    Returns:
        NaN where no clustered image has a known camera.

    >>> camera_nmi([0, 0, 1, 1], [5, 5, 7, 7]), camera_nmi([0, 0, 1, 1], [5, 7, 5, 7])
    (1.0, 0.0)
    """
    y, camera = as_integers("labels", labels), as_integers("cameras", cameras)
    known = camera != UNKNOWN_CAMERA
    if not known.any():
        return float("nan")
    return partition_scores(camera[known], y[known])["nmi"]


def other_camera_share(nearest: Neighbourhood, cameras: Tensor) -> float:
    """Share of the nearest images that another camera took; pairs of unknown camera are left out.

    By chance it is about 1 - sum_c p_c^2, p_c the share of camera c in all images.

    Args:
        nearest: of some images.
        cameras: [N] int64 of all images, -1 unknown.

    Returns:
        0..1, NaN where no pair has two known cameras.

    >>> import torch
    >>> indices = torch.tensor([[1, 2]])  # the two images nearest to image 0
    >>> nearest = Neighbourhood(torch.tensor([0]), torch.tensor([[0.9, 0.8]]), indices)
    >>> other_camera_share(nearest, torch.tensor([0, 0, 1]))
    0.5
    """
    own, others = cameras[nearest.rows][:, None], cameras[nearest.indices]  # [M, 1], [M, k]
    known = (own != UNKNOWN_CAMERA) & (others != UNKNOWN_CAMERA)
    return float((own != others)[known].float().mean())
