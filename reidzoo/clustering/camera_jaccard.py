"""CA-Jaccard: neighbours are taken inside the image's camera and across cameras, then compared.

Chen, Fan, Chen, Zhu, "CA-Jaccard: Camera-aware Jaccard Distance for Person Re-identification" (CVPR
2024), equal to the released code (`specs/ca_jaccard.md`, 1), whose two complete N x N orders become
two short exact neighbour lists.
"""

import logging
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor

from reidzoo.clustering.contracts import AnyArray, Array, CamerasIn
from reidzoo.clustering.dbscan import Eps, JaccardDBSCAN, dbscan, reach_of, settled_eps
from reidzoo.clustering.jaccard import SparseRows, averaged, check_options, near_graph
from reidzoo.clustering.neighbours import nearest
from reidzoo.clustering.normalisation import Normalise, normalise_rows
from reidzoo.clustering.rows import checked_rows, integers, like

log = logging.getLogger(__name__)


class Lists(NamedTuple):
    """Neighbour lists: ranks [N, k] int32 and similarities [N, k] float32."""

    ranks: NDArray[np.int32]
    similarities: NDArray[np.float32]


def camera_jaccard_graph(
    features: AnyArray,
    cameras: AnyArray,
    k1_intra: int = 5,
    k1_inter: int = 20,
    k2_intra: int = 2,
    k2_inter: int = 4,
    max_distance: float = 0.7,
) -> csr_matrix:
    """Compute every camera-aware Jaccard distance that is at most `max_distance`.

    Args:
        features: unit rows [N, D].
        cameras: [N] integers, all known.
        k1_intra: neighbours within the camera, the image itself not counted.
        k1_inter: neighbours across cameras; one more is taken, as in the released code.
        k2_intra: rows of the own camera in query expansion, the image itself included.
        k2_inter: rows of other cameras in query expansion.
        max_distance: what to keep, in [0, 1).

    Returns:
        symmetric CSR [N, N], as `jaccard_graph` returns it.

    Raises:
        ValueError: an option outside its range, unknown cameras, or bad features.

    >>> rows = np.eye(8, dtype=np.float32)[[0, 0, 1, 1]]
    >>> camera_jaccard_graph(rows, np.array([0, 1, 0, 1]), 1, 1, 1, 1).nnz
    4
    """
    check_options(min(k1_intra, k1_inter), min(k2_intra, k2_inter), max_distance)
    rows = checked_rows(features)
    numbers = known_cameras(cameras, len(rows))
    intra, inter = camera_lists(
        rows, numbers, max(k1_intra + 1, k2_intra), max(k1_inter + 1, k2_inter)
    )
    weights = _mutual_weights(intra, inter, k1_intra + 1, k1_inter + 1)
    groups = np.concatenate([intra.ranks[:, :k2_intra], inter.ranks[:, :k2_inter]], axis=1)
    return near_graph(averaged(weights, groups), max_distance)


def known_cameras(cameras: AnyArray | None, N: int) -> NDArray[np.int64]:
    """Take cameras [N]; refuse unknown ones.

    >>> known_cameras(np.array([1, 0]), 2)
    array([1, 0])
    """
    if cameras is None:
        raise ValueError("CA-Jaccard needs cameras [N]; give them or use JaccardDBSCAN")
    numbers = integers(cameras, "cameras", N)
    if (unknown := int((numbers < 0).sum())) > 0:
        raise ValueError(f"{unknown} of {N} cameras are unknown (-1); use JaccardDBSCAN instead")
    return numbers


def camera_lists(
    rows: Tensor, cameras: NDArray[np.int64], width_intra: int, width_inter: int
) -> tuple[Lists, Lists]:
    """Order the own camera first (the image itself leads), and the other cameras first.

    A list that its first block cannot fill goes on with the nearest of the other block.
    """
    N = len(rows)
    widths = min(width_intra, N), min(width_inter, N)
    lists = [Lists(np.empty((N, w), np.int32), np.empty((N, w), np.float32)) for w in widths]
    for camera in np.unique(cameras):
        own = torch.from_numpy(np.flatnonzero(cameras == camera)).to(rows.device)
        others = torch.from_numpy(np.flatnonzero(cameras != camera)).to(rows.device)
        for blocks, found, width in zip(((own, others), (others, own)), lists, widths, strict=True):
            ranks, similarities = _in_turn(rows, own, blocks, width)
            members = own.cpu().numpy()
            found.ranks[members] = ranks.cpu().numpy()
            found.similarities[members] = similarities.cpu().numpy()
    return lists[0], lists[1]


def _in_turn(
    rows: Tensor, own: Tensor, blocks: tuple[Tensor, Tensor], width: int
) -> tuple[Tensor, Tensor]:
    """List the nearest of the first block, then of the second, up to `width` in all."""
    ranks: list[Tensor] = []
    similarities: list[Tensor] = []
    for block in blocks:
        k = min(width - sum(part.shape[1] for part in ranks), len(block))
        if k > 0:
            itself = torch.arange(len(own), device=own.device) if block is own else None
            indices, scores = nearest(rows[own], rows[block], k, itself)
            ranks.append(block[indices])
            similarities.append(scores)
    return torch.cat(ranks, 1), torch.cat(similarities, 1)


def _mutual_weights(intra: Lists, inter: Lists, k_intra: int, k_inter: int) -> SparseRows:
    """Weigh the neighbours that are mutual in either list; the weights of a row sum to 1."""
    from reidzoo.clustering import kernels
    from reidzoo.clustering.compiled import over_rows, starts_of

    marks = []
    for found, k in ((intra, k_intra), (inter, k_inter)):
        ranks = np.ascontiguousarray(found.ranks[:, :k])
        mutual = np.zeros(ranks.shape, dtype=np.uint8)
        over_rows(kernels.mark_mutual, len(ranks), ranks, 0, mutual)
        marks.append(mutual > 0)
    ranks = np.concatenate([intra.ranks[:, :k_intra], inter.ranks[:, :k_inter]], axis=1)
    scores = np.concatenate(
        [intra.similarities[:, :k_intra], inter.similarities[:, :k_inter]], axis=1
    )
    first = np.where(marks[0], intra.ranks[:, :k_intra], -1)
    again = (inter.ranks[:, :k_inter, None] == first[:, None, :]).any(axis=2)
    taken = np.concatenate([marks[0], marks[1] & ~again], axis=1)
    weights = np.where(taken, np.exp(2 * scores - 2), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    return SparseRows(starts_of(taken.sum(axis=1)), ranks[taken], weights[taken])


@dataclass(frozen=True)
class CameraJaccardDBSCAN:
    """DBSCAN on the camera-aware Jaccard distance; needs cameras.

    With a single camera it warns and uses the ordinary distance (`JaccardDBSCAN`).

    Args:
        k1_intra: neighbours within the camera.
        k1_inter: neighbours across cameras.
        k2_intra: rows of the own camera in query expansion.
        k2_inter: rows of other cameras in query expansion.
        warmup_k2: what both k2 are in the first epoch, see `at`; None: what they always are.
        eps: radius of DBSCAN, below 1, or "auto" (published: 0.4 for Market-1501, 0.6 for MSMT17
            and VeRi-776).
        min_samples: neighbours that make a core image, itself included.
        normalise: camera normalisation of the features before clustering.

    >>> rows = np.eye(8, dtype=np.float32)[[0, 0, 1, 1]]
    >>> CameraJaccardDBSCAN(1, 1, 1, 1, min_samples=2)(rows, np.array([0, 1, 0, 1]))
    array([0, 0, 1, 1])
    """

    cameras_in: ClassVar[CamerasIn] = {"clustering": ()}

    k1_intra: int = 5
    k1_inter: int = 20
    k2_intra: int = 2
    k2_inter: int = 4
    warmup_k2: int | None = 3
    eps: Eps = 0.6
    min_samples: int = 4
    normalise: Normalise = "none"

    def __post_init__(self) -> None:
        check_options(
            min(self.k1_intra, self.k1_inter), min(self.k2_intra, self.k2_inter), reach_of(self.eps)
        )

    def at(self, epoch: int) -> "CameraJaccardDBSCAN":
        """Give the clusterer of an epoch: in epoch 0 both k2 are `warmup_k2`."""
        if epoch > 0 or self.warmup_k2 is None:
            return self
        return replace(self, k2_intra=self.warmup_k2, k2_inter=self.warmup_k2)

    def graph(self, features: Array, cameras: Array | None = None) -> csr_matrix:
        """Compute the graph once; it serves every eps up to 0.7 (or `self.eps`, if larger)."""
        rows = normalise_rows(features, cameras, self.normalise)
        numbers = known_cameras(cameras, len(rows))
        if len(np.unique(numbers)) == 1:
            log.warning("all images are of one camera: the ordinary Jaccard distance is used")
            return JaccardDBSCAN(eps=self.eps).graph(rows)
        return camera_jaccard_graph(
            rows, numbers, self.k1_intra, self.k1_inter, self.k2_intra, self.k2_inter,
            reach_of(self.eps),
        )  # fmt: skip

    def radius(self, graph: csr_matrix) -> float:
        """Tell the radius that this graph is labelled at."""
        return settled_eps(self.eps, graph, self.min_samples)

    def labels(self, graph: csr_matrix, eps: float | None = None) -> NDArray[np.int64]:
        """Label the graph at `eps`, or at the clusterer's own."""
        return dbscan(graph, self.radius(graph) if eps is None else eps, self.min_samples)

    def __call__(self, features: Array, cameras: Array | None = None) -> Array:
        """Cluster unit rows [N, D] by cameras [N]; labels [N] int64, -1 outlier."""
        return like(self.labels(self.graph(features, cameras)), features)
