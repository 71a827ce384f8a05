"""DBSCAN on a sparse distance graph, with union-find: O(pairs), numbered as scikit-learn does."""

import logging
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reidzoo.clustering.contracts import Array, CamerasIn
from reidzoo.clustering.jaccard import TIE, check_options, jaccard_graph
from reidzoo.clustering.normalisation import Normalise, normalise_rows
from reidzoo.clustering.quantiles import choose_eps, neighbour_quantiles
from reidzoo.clustering.rows import like

Eps: TypeAlias = float | Literal["auto"]
MAX_DISTANCE = 0.7  # graphs reach at least this far, so that one serves several eps

log = logging.getLogger(__name__)


def dbscan(graph: csr_matrix, eps: float, min_samples: int = 4) -> NDArray[np.int64]:
    """Label the rows of a symmetric distance graph by DBSCAN.

    A pair counts as neighbours iff distance <= eps + 1e-6: Jaccard distances sit exactly on
    fractions such as 1/2, where rounding must not decide. A row counts as its own neighbour.
    Clusters are numbered by their lowest core row; a border row belongs to the lowest-numbered
    cluster that has a core row near it. Both are what scikit-learn's visiting order gives.

    Args:
        graph: symmetric CSR [N, N] of distances; a missing pair is farther than eps.
        eps: radius, at most the `max_distance` of the graph (where it knows it).
        min_samples: neighbours that make a row a core row, itself included.

    Returns:
        labels [N] int64, 0..C-1, -1 outlier.

    Raises:
        ValueError: eps beyond the graph or negative, or min_samples below 1.

    >>> near = csr_matrix(np.array([[0, 0.1, 0], [0.1, 0, 0], [0, 0, 0]]))
    >>> dbscan(near, 0.3, min_samples=2)
    array([ 0,  0, -1])
    """
    from reidzoo.clustering import components

    reach = getattr(graph, "max_distance", np.inf)
    if not 0 <= eps <= reach:
        raise ValueError(f"eps={eps}; allowed: 0 to the graph's max_distance={reach}")
    if min_samples < 1:
        raise ValueError(f"min_samples={min_samples}; allowed: 1 or more (the row itself counts)")
    rows = graph.tocsr()
    return components.label_rows(rows.indptr, rows.indices, rows.data, eps + TIE, min_samples)


def reach_of(eps: Eps) -> float:
    """Tell how far the graph of a clusterer must reach; refuse an eps that has no meaning.

    >>> reach_of("auto"), reach_of(0.8)
    (0.7, 0.8)
    """
    if eps == "auto":
        return MAX_DISTANCE
    if not 0 <= float(eps) < 1:
        raise ValueError(f"eps={eps}; allowed: 0 <= eps < 1 (distances end at 1), or auto")
    return max(eps, MAX_DISTANCE)


def settled_eps(eps: Eps, graph: csr_matrix, min_samples: int) -> float:
    """Turn "auto" into a number, and log why.

    >>> settled_eps(0.6, csr_matrix((1, 1)), 4)
    0.6
    """
    if not isinstance(eps, str):
        return eps
    chosen = choose_eps(graph, min_samples)
    quantiles = neighbour_quantiles(graph, max(1, min_samples - 1))
    log.info(
        "eps=%.3f: half way from the median distance to neighbour %d to 1, at most 0.7 (%s)",
        chosen, max(1, min_samples - 1),
        ", ".join(f"{level:.0%} of the images: {value:.3f}" for level, value in quantiles.items()),
    )  # fmt: skip
    return chosen


@dataclass(frozen=True)
class JaccardDBSCAN:
    """DBSCAN on the k-reciprocal Jaccard distance: the clusterer of SpCL, Cluster Contrast, HHCL.

    Args:
        k1: length of the neighbour lists, the image itself included.
        k2: images averaged in local query expansion, the image itself included; 1 switches it off.
        eps: radius of DBSCAN, below 1; "auto" chooses it from the distances to the nearest images
            (`choose_eps`) and logs them.
        min_samples: neighbours that make a core image, itself included.
        normalise: "none", or remove from the features of each camera their mean ("camera_mean"),
            or mean and standard deviation ("camera_meanstd"), before clustering.

    >>> rows = np.eye(8, dtype=np.float32)[[0, 0, 0, 0, 1]]
    >>> JaccardDBSCAN(k1=4, k2=1, min_samples=2)(rows)
    array([ 0,  0,  0,  0, -1])
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": ("normalise",)}

    k1: int = 30
    k2: int = 6
    eps: Eps = 0.6
    min_samples: int = 4
    normalise: Normalise = "none"

    def __post_init__(self) -> None:
        check_options(self.k1, self.k2, 0)
        reach_of(self.eps)

    def graph(self, features: Array, cameras: Array | None = None) -> csr_matrix:
        """Compute the graph once; it serves every eps up to 0.7 (or `self.eps`, if larger)."""
        rows = normalise_rows(features, cameras, self.normalise)
        return jaccard_graph(rows, self.k1, self.k2, reach_of(self.eps))

    def radius(self, graph: csr_matrix) -> float:
        """Tell the radius that this graph is labelled at."""
        return settled_eps(self.eps, graph, self.min_samples)

    def labels(self, graph: csr_matrix, eps: float | None = None) -> NDArray[np.int64]:
        """Label the graph at `eps`, or at the clusterer's own."""
        return dbscan(graph, self.radius(graph) if eps is None else eps, self.min_samples)

    def __call__(self, features: Array, cameras: Array | None = None) -> Array:
        """Cluster unit rows [N, D] (cameras [N], -1 unknown); labels [N] int64, -1 outlier."""
        return like(self.labels(self.graph(features, cameras)), features)
