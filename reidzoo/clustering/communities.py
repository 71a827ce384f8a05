"""Infomap on the links of near neighbours: clusters are where a random walk stays."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reidzoo.clustering.contracts import Array, CamerasIn, renumber
from reidzoo.clustering.filters import MinSize
from reidzoo.clustering.neighbours import knn
from reidzoo.clustering.normalisation import Normalise, normalise_rows
from reidzoo.clustering.pivots import similarity_links
from reidzoo.clustering.rows import like


@dataclass(frozen=True)
class Infomap:
    """Two-level directed Infomap (Rosvall, Bergstrom, 2008) on similar neighbours, as in CALR.

    Needs the extra: pip install "reidzoo[infomap]".

    Args:
        k1: neighbours per image, the image itself included.
        min_similarity: of the inner products that make a link.
        min_size: smaller clusters, and images without links, are outliers.
        seed: of the random walks.
        normalise: camera normalisation of the features before clustering.

    >>> Infomap(k1=3, min_size=3)(np.eye(4, dtype=np.float32)[[0, 0, 0, 1, 1, 1, 2]])
    array([ 0,  0,  0,  1,  1,  1, -1])
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": ("normalise",)}

    k1: int = 15
    min_similarity: float = 0.5
    min_size: int = 5
    seed: int = 1
    normalise: Normalise = "none"

    def __post_init__(self) -> None:
        """Refuse before anything is computed where the extra is missing."""
        if find_spec("infomap") is None:
            raise ValueError(
                'the Infomap clusterer needs its extra: pip install "reidzoo[infomap]", '
                "or use JaccardDBSCAN"
            )

    def __call__(self, features: Array, cameras: Array | None = None) -> Array:
        """Cluster unit rows [N, D] (cameras [N], -1 unknown); labels [N] int64, -1 outlier."""
        rows = normalise_rows(features, cameras, self.normalise)
        links = similarity_links(knn(rows, min(self.k1, len(rows))), self.min_similarity)
        return like(self.labels(links), features)

    def labels(self, links: csr_matrix) -> NDArray[np.int64]:
        """Label the nodes of directed links [N, N] weighted by similarity."""
        import infomap

        labels = np.full(links.shape[0], -1, dtype=np.int64)
        if links.nnz == 0:
            return labels
        network = infomap.Infomap(silent=True, two_level=True, directed=True, seed=self.seed)
        pairs = links.tocoo()
        ends = (pairs.row.tolist(), pairs.col.tolist())
        network.add_links(zip(*ends, pairs.data.tolist(), strict=True))
        with TemporaryDirectory() as folder:
            # by way of a file: infomap's and faiss's iterators are one class to SWIG, and with
            # faiss loaded first, reading the modules directly ends the process
            path = Path(folder, "modules.clu")
            network.run().write_clu(str(path))
            nodes, modules = np.loadtxt(path, np.int64, usecols=(0, 1), ndmin=2).T
        labels[nodes] = modules
        return MinSize(self.min_size)(renumber(labels))
