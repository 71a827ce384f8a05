"""One graph, several radii: how the clusters look when they are made tighter and looser."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from reidzoo.clustering.contracts import Clusterer, GraphClusterer
from reidzoo.clustering.dbscan import reach_of


def as_graph_clusterer(clusterer: Clusterer) -> GraphClusterer:
    """The clusterer, known to make one graph serve several radii; ValueError if it cannot."""
    if not isinstance(clusterer, GraphClusterer):
        raise ValueError(
            f"clusterer {type(clusterer).__name__} has no radius to vary, and clusters at several "
            "radii are needed; take JaccardDBSCAN or CameraJaccardDBSCAN"
        )
    return clusterer


def labels_around(
    clusterer: Clusterer, features: Tensor, cameras: Tensor | None, offsets: Sequence[float]
) -> Tensor:
    """Cluster at several radii around the clusterer's own; the graph is computed once.

    Args:
        clusterer: a `GraphClusterer`.
        features: unit rows [N, D].
        cameras: [N] int64, -1 unknown.
        offsets: what is added to `eps`, one number per granularity.

    Returns:
        labels [T, N] int64, -1 outlier, on the device of the features.

    Raises:
        ValueError: a clusterer without a radius.

    >>> from reidzoo.clustering import JaccardDBSCAN
    >>> rows = torch.eye(8)[[0, 0, 0, 0, 1]]
    >>> labels_around(JaccardDBSCAN(k1=4, k2=1, min_samples=2), rows, None, (-0.02, 0.02))
    tensor([[ 0,  0,  0,  0, -1],
            [ 0,  0,  0,  0, -1]])
    """
    model = as_graph_clusterer(clusterer)
    widest = reach_of(model.eps) + max(offsets)
    graph = replace(model, eps=widest).graph(features, cameras)
    radii = [model.radius(graph) + offset for offset in offsets]
    labels = [torch.from_numpy(model.labels(graph, eps)) for eps in radii]
    return torch.stack(labels).to(features.device)
