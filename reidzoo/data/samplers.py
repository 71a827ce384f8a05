"""Which images are drawn in an epoch, in which order: a pure function of what it is given.

A plan is one table of image indices [batches, B] for the whole world; each rank takes the same
columns of every row. Columns come in blocks of K images of one identity, so a rank (and a ghost
batch norm group) sees whole identities. Rules follow pipeline.md 0.6.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Sampler

Key = tuple[int, int, int]  # (seed, epoch, position in the global plan)
Draw = tuple[int, Key]
Sampling = Literal["pk", "random", "pk+outliers", "every", "proxies"]
Indices = NDArray[np.int64]

OUTLIER = -1
OUTLIER_BLOCKS = 4  # with "pk+outliers" every fourth block of K images holds outliers


@dataclass(frozen=True)
class PlanShape:
    """The size of one epoch, fixed for a whole fit.

    Args:
        batches: batches per epoch.
        batch_size: B, over all ranks.
        num_instances: K, images per identity.
    """

    batches: int
    batch_size: int
    num_instances: int = 1

    @property
    def blocks(self) -> int:
        """Blocks of K images in one batch."""
        return self.batch_size // self.num_instances


class PlanSampler(Sampler[Draw]):
    """Yields (index, key) by a plan that `set_plan` makes at the start of every epoch.

    Args:
        shape: batches, batch size and K.
        num_images: N.
        sampling: "pk" draws K images of each of P clusters; "pk+outliers" puts K distinct outliers
            in every fourth block; "every" passes over all clusters, by K images, and all outliers,
            by one; "proxies" draws K images of each of P proxies, a cluster's images of one camera;
            "random" draws all images in shuffled passes, without labels.
        cameras: [N] int64, -1 unknown; None switches camera-aware drawing off.
        seed: of the fit.
        rank: this process; it yields its contiguous part of each batch.
        world_size: number of processes.
    """

    def __init__(
        self,
        shape: PlanShape,
        num_images: int,
        sampling: Sampling = "pk",
        cameras: Tensor | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.shape = shape
        self.num_images = num_images
        self.sampling = sampling
        self.cameras = None if cameras is None else cameras.numpy()
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.plan: Indices | None = None
        if sampling == "random":
            self.set_plan(None, 0)

    def set_plan(self, labels: Tensor | None, epoch: int) -> None:
        """Plan one epoch from pseudo-labels [N] int64, -1 outlier ("random" needs none).

        Raises:
            ValueError: labels of another length, or fewer than two clusters to draw from.
        """
        rng = np.random.default_rng((self.seed, epoch))
        if self.sampling == "random":
            plan = deal(self.num_images, self.shape.batches, self.shape.batch_size, rng)
        else:
            plan = self._plan_clusters(labels, rng)
        self.plan = plan
        self.epoch = epoch

    def _plan_clusters(self, labels: Tensor | None, rng: np.random.Generator) -> Indices:
        if labels is None or len(labels) != self.num_images:
            got = "none" if labels is None else str(len(labels))
            raise ValueError(f"set_plan needs {self.num_images} labels, one per image; got {got}")
        array = labels.cpu().numpy()
        if self.sampling == "pk+outliers":
            return plan_identities_and_outliers(array, self.cameras, self.shape, rng)
        if self.sampling == "every":
            return plan_every_label(array, self.cameras, self.shape, rng)
        if self.sampling == "proxies" and self.cameras is not None:
            return plan_identities(split_by_camera(array, self.cameras), None, self.shape, rng)
        return plan_identities(array, self.cameras, self.shape, rng)

    def __len__(self) -> int:
        return self.shape.batches * self.shape.batch_size // self.world_size

    def __iter__(self) -> Iterator[Draw]:
        if self.plan is None:
            raise RuntimeError("PlanSampler: call set_plan(labels, epoch) before drawing")
        part = self.shape.batch_size // self.world_size
        mine = slice(self.rank * part, (self.rank + 1) * part)
        positions = np.arange(self.plan.size).reshape(self.plan.shape)[:, mine].ravel()
        seed, epoch = self.seed, self.epoch
        for index, position in zip(
            self.plan[:, mine].ravel().tolist(), positions.tolist(), strict=True
        ):
            yield index, (seed, epoch, position)


def deal(count: int, hands: int, size: int, rng: np.random.Generator) -> Indices:
    """Deal 0..count-1 into `hands` rows of `size`, shuffled pass after pass: [hands, size].

    A row never holds a number twice if `size <= count`: a pass that does not fill its last row
    ends there (the reference drops that batch too). Otherwise each row is made of whole shuffled
    passes, the last one cut.

    >>> deal(6, 2, 3, np.random.default_rng(0)).ravel().tolist()
    [3, 2, 5, 4, 0, 1]
    """
    if size <= count:
        per_pass = count // size
        passes, length = -(-hands // per_pass), per_pass * size
    else:
        passes, length = hands * -(-size // count), count
    shuffled = rng.permuted(np.tile(np.arange(count), (passes, 1)), axis=1)[:, :length]
    rows = shuffled.reshape(-1, size) if size <= count else shuffled.reshape(hands, -1)
    return rows[:hands, :size]


def plan_identities(
    labels: Indices, cameras: Indices | None, shape: PlanShape, rng: np.random.Generator
) -> Indices:
    """Plan batches of P clusters x K images: indices [batches, B]; outliers are never drawn.

    With fewer than P clusters, clusters repeat with fresh draws.

    Args:
        labels: [N], -1 outlier.
        cameras: [N], or None to ignore cameras.
        shape: batches, B and K.
        rng: the only source of chance.

    Raises:
        ValueError: fewer than two clusters.
    """
    clusters = _Clusters(labels, cameras)
    dealt = deal(len(clusters), shape.batches, shape.blocks, rng)
    return clusters.draw(dealt.ravel(), shape.num_instances, rng).reshape(shape.batches, -1)


def plan_identities_and_outliers(
    labels: Indices, cameras: Indices | None, shape: PlanShape, rng: np.random.Generator
) -> Indices:
    """As `plan_identities`, with outliers in every fourth block of a batch: a quarter of it.

    A batch's outliers are distinct (complicated_images.md). Few outliers fill few blocks, all of
    them are in every batch then, and some appear twice to fill the last block.
    """
    outliers = np.flatnonzero(labels == OUTLIER)
    plan = plan_identities(labels, cameras, shape, rng)
    instances = shape.num_instances
    blocks = min(shape.blocks // OUTLIER_BLOCKS, -(-len(outliers) // instances))
    if blocks:
        drawn = deal(len(outliers), shape.batches, blocks * instances, rng)
        by_block = plan.reshape(shape.batches, shape.blocks, instances)
        places = OUTLIER_BLOCKS * np.arange(1, blocks + 1) - 1
        by_block[:, places] = outliers[drawn].reshape(shape.batches, blocks, instances)
    return plan


def plan_every_label(
    labels: Indices, cameras: Indices | None, shape: PlanShape, rng: np.random.Generator
) -> Indices:
    """Plan passes over all labels, an outlier being a label of its own: SpCL's batches.

    A pass deals each cluster one block of K images, and each outlier one place in a block of K
    outliers. (The reference strings outliers between clusters one by one, which tears identities
    apart at the borders of batches and of batch norm groups.)
    """
    clusters = _Clusters(labels, cameras)
    outliers = np.flatnonzero(labels == OUTLIER)
    instances = shape.num_instances
    blocks = len(clusters) + -(-len(outliers) // instances)
    dealt = deal(blocks, shape.batches, shape.blocks, rng).ravel()
    single = dealt >= len(clusters)
    plan = np.empty((len(dealt), instances), dtype=np.int64)
    plan[~single] = clusters.draw(dealt[~single], instances, rng)
    if single.any():
        plan[single] = outliers[deal(len(outliers), int(single.sum()), instances, rng)]
    return plan.reshape(shape.batches, -1)


def split_by_camera(labels: Indices, cameras: Indices) -> Indices:
    """Number the proxies, images of one cluster and one camera: [N], -1 outlier.

    >>> split_by_camera(np.array([0, 0, 1, -1, 0]), np.array([0, 2, 0, 1, 0]))
    array([ 0,  1,  2, -1,  0])
    """
    proxies = np.full_like(labels, OUTLIER)
    kept = labels != OUTLIER
    pairs = np.stack([labels[kept], cameras[kept]])
    proxies[kept] = np.unique(pairs, axis=1, return_inverse=True)[1].ravel()
    return proxies


class _Clusters:
    """Images sorted by (cluster, camera), so that a cluster and a camera in it are ranges."""

    def __init__(self, labels: Indices, cameras: Indices | None) -> None:
        kept = np.flatnonzero(labels != OUTLIER)
        # Without cameras every image is a camera of its own: only the anchor itself is excluded.
        camera = kept if cameras is None else cameras[kept]
        order = np.lexsort((kept, camera, labels[kept]))
        self.images = kept[order]
        _, self.start, self.size = np.unique(
            labels[self.images], return_index=True, return_counts=True
        )
        if len(self.start) < 2:
            raise ValueError(
                f"a plan needs at least 2 clusters, the labels have {len(self.start)}; "
                "loosen the clusterer (a larger eps, a smaller min_samples) or warm the network up"
            )
        boundary = np.ones(len(kept), dtype=bool)
        boundary[1:] = (np.diff(labels[self.images]) != 0) | (np.diff(camera[order]) != 0)
        run = np.cumsum(boundary) - 1
        edges = np.append(np.flatnonzero(boundary), len(kept))
        self.run_start, self.run_size = edges[run], np.diff(edges)[run]

    def __len__(self) -> int:
        return len(self.start)

    def draw(self, clusters: Indices, instances: int, rng: np.random.Generator) -> Indices:
        """Draw an anchor and `instances - 1` companions for each of M clusters: [M, instances].

        Companions come from the anchor's cluster but other cameras; if there are none, from the
        cluster's other images; a single image is its own companion. They are distinct where there
        are enough of them. (The reference also repeats when there are exactly enough.)
        """
        start, size = self.start[clusters], self.size[clusters]
        anchor = start + rng.integers(size)
        skip_start, skip_size = self.run_start[anchor], self.run_size[anchor]
        alone = skip_size == size  # one camera only: leave out the anchor, not its camera
        skip_start = np.where(alone & (size > 1), anchor, skip_start)
        skip_size = np.where(alone, np.minimum(size - 1, 1), skip_size)
        picked = _choose(size - skip_size, instances - 1, rng)  # positions with the skip cut out
        place = start[:, None] + picked
        place += np.where(place >= skip_start[:, None], skip_size[:, None], 0)
        return self.images[np.column_stack((anchor, place))]


def _choose(pools: Indices, count: int, rng: np.random.Generator) -> Indices:
    """Choose `count` of range(pool) for each of M pools, distinct if the pool suffices: [M, count].

    Floyd's subset sampling, one column at a time for all pools at once.
    """
    chosen = rng.integers(np.repeat(pools[:, None], count, axis=1))
    enough = pools >= count
    for column in range(count):
        last = np.where(enough, pools - count + column, 0)
        pick = rng.integers(last + 1)
        taken = (chosen[:, :column] == pick[:, None]).any(axis=1)
        chosen[:, column] = np.where(enough, np.where(taken, last, pick), chosen[:, column])
    return chosen
