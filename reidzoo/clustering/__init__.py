"""Features to pseudo-labels: exact neighbours, a sparse Jaccard graph, clusterers, label filters.

Nothing here needs the rest of reidzoo, and nothing makes an N x N array.

>>> import numpy as np
>>> rows = np.eye(8, dtype=np.float32)[[0, 0, 0, 0, 1]]
>>> JaccardDBSCAN(k1=4, k2=1, eps=0.5, min_samples=2)(rows)
array([ 0,  0,  0,  0, -1])
"""

from reidzoo.clustering.agreement import cross_agreement
from reidzoo.clustering.camera_jaccard import CameraJaccardDBSCAN, camera_jaccard_graph
from reidzoo.clustering.cameras import camera_gap, camera_weights
from reidzoo.clustering.communities import Infomap
from reidzoo.clustering.contracts import Clusterer, GraphClusterer, LabelFilter, renumber
from reidzoo.clustering.dbscan import JaccardDBSCAN, dbscan
from reidzoo.clustering.filters import MinCameras, MinSize
from reidzoo.clustering.granularities import as_graph_clusterer, labels_around
from reidzoo.clustering.hdbscan import HDBSCAN
from reidzoo.clustering.jaccard import jaccard_graph
from reidzoo.clustering.neighbours import knn
from reidzoo.clustering.normalisation import normalise_rows
from reidzoo.clustering.partitions import Agglomerative, KMeans
from reidzoo.clustering.pivots import (
    density_scores,
    find_pivots,
    refine_by_pivots,
    similarity_links,
)
from reidzoo.clustering.priorities import choose_positives, pair_priorities
from reidzoo.clustering.quantiles import choose_eps, neighbour_distances, neighbour_quantiles
from reidzoo.clustering.reliability import SelfPaced, self_paced_labels, with_singletons

__all__ = [
    "HDBSCAN",
    "Agglomerative",
    "CameraJaccardDBSCAN",
    "Clusterer",
    "GraphClusterer",
    "Infomap",
    "JaccardDBSCAN",
    "KMeans",
    "LabelFilter",
    "MinCameras",
    "MinSize",
    "SelfPaced",
    "as_graph_clusterer",
    "camera_gap",
    "camera_jaccard_graph",
    "camera_weights",
    "choose_eps",
    "choose_positives",
    "cross_agreement",
    "dbscan",
    "density_scores",
    "find_pivots",
    "jaccard_graph",
    "knn",
    "labels_around",
    "neighbour_distances",
    "neighbour_quantiles",
    "normalise_rows",
    "pair_priorities",
    "refine_by_pivots",
    "renumber",
    "self_paced_labels",
    "similarity_links",
    "with_singletons",
]
