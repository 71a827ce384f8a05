"""Features to pseudo-labels: exact neighbours, a sparse Jaccard graph, clusterers, label filters.

Nothing here needs the rest of reidzoo, and nothing makes an N x N array.

>>> import numpy as np
>>> rows = np.eye(8, dtype=np.float32)[[0, 0, 0, 0, 1]]
>>> JaccardDBSCAN(k1=4, k2=1, eps=0.5, min_samples=2)(rows)
array([ 0,  0,  0,  0, -1])
"""

from reidzoo.clustering.contracts import Clusterer, LabelFilter, renumber
from reidzoo.clustering.dbscan import JaccardDBSCAN, dbscan
from reidzoo.clustering.filters import MinCameras, MinSize
from reidzoo.clustering.jaccard import jaccard_graph
from reidzoo.clustering.neighbours import knn
from reidzoo.clustering.normalisation import normalise_rows

__all__ = [
    "Clusterer",
    "JaccardDBSCAN",
    "LabelFilter",
    "MinCameras",
    "MinSize",
    "dbscan",
    "jaccard_graph",
    "knn",
    "normalise_rows",
    "renumber",
]
