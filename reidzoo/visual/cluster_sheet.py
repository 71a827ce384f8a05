"""What the clusters hold: one row of images per cluster, coloured by purity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reidzoo.metrics.truth import as_integers
from reidzoo.visual.sheet import RIGHT, UNKNOWN, WRONG, Cell, Colour, Crop, Row, draw_sheet


@dataclass(frozen=True, slots=True)
class Cluster:
    """Members of a cluster as positions, and what their identities say.

    `purity` is the share of members that show the most frequent identity; NaN when none is known.
    """

    label: int
    members: NDArray[np.int64]
    person: int
    purity: float


def cluster_sheet(
    crops: Sequence[Crop],
    labels: Any,
    *,
    clusters: int = 10,
    images: int = 10,
    title: str = "Clusters",
    height: int = 128,
) -> Image.Image:
    """Draw some clusters, from the purest to the most mixed (largest first without identities).

    Frames are green for the identity that most members show, red for any other, grey when unknown;
    headings run from green (pure) to red. The images of a row are spread evenly over the cluster,
    so a minority shows up in proportion.

    Args:
        crops: images with `path`, `identity` and `camera`, [N].
        labels: [N] integers, array, tensor or list; -1 images are not shown.
        clusters: rows drawn, evenly spaced over all clusters in the order above.
        images: images drawn per cluster.
        title: first line of the sheet.
        height: of each image in pixels.

    Returns:
        an RGB image; `save_sheet` writes it within a budget of bytes.

    Raises:
        ValueError: lengths disagree or no image has a label.

    >>> from types import SimpleNamespace as Shown
    >>> crops = [Shown(path="gone.jpg", identity=7, camera=c) for c in (0, 1, 2)]
    >>> cluster_sheet(crops, [0, 0, -1]).height
    272
    """
    numbers = as_integers("labels", labels)
    if len(numbers) != len(crops):
        raise ValueError(f"{len(crops)} images and {len(numbers)} labels: give one label per image")
    found = describe_clusters(crops, numbers)
    if not found:
        raise ValueError(
            f"none of the {len(crops)} images has a label (0 or more): nothing to draw"
        )
    shown = [found[i] for i in spread(len(found), clusters)]
    rows = [_row(cluster, crops, images) for cluster in shown]
    known = any(crop.identity >= 0 for crop in crops)
    legend = [(RIGHT, "the cluster's main person"), (WRONG, "another person")]
    outliers = int((numbers < 0).sum())
    return draw_sheet(
        rows,
        f"{title}: {len(shown)} of {len(found)} shown; {outliers} of {len(crops)} images in none",
        legend if known else [(UNKNOWN, "identities not known")],
        height=height,
    )


def describe_clusters(crops: Sequence[Crop], labels: NDArray[np.int64]) -> list[Cluster]:
    """All clusters, purest first and then largest; members of the main person come first.

    Args:
        crops: images with `path`, `identity` and `camera`, [N].
        labels: [N] int64, -1 in no cluster.

    >>> from types import SimpleNamespace as Shown
    >>> crops = [Shown(path="", identity=i, camera=0) for i in (7, 7, 8, 9)]
    >>> [cluster.purity for cluster in describe_clusters(crops, np.array([0, 0, 1, 1]))]
    [1.0, 0.5]
    """
    identities = np.array([crop.identity for crop in crops])
    found = []
    for label in np.unique(labels[labels >= 0]).tolist():
        members = np.flatnonzero(labels == label)
        people, who, counts = np.unique(
            identities[members], return_inverse=True, return_counts=True
        )
        counts[people < 0] = 0
        order = np.lexsort((who, -counts[who]))
        purity = float(counts.max() / counts.sum()) if counts.any() else float("nan")
        found.append(Cluster(label, members[order], int(people[counts.argmax()]), purity))
    return sorted(found, key=lambda one: (-np.nan_to_num(one.purity), -len(one.members)))


def _row(cluster: Cluster, crops: Sequence[Crop], images: int) -> Row:
    chosen = (crops[cluster.members[i]] for i in spread(len(cluster.members), images))
    cells = [
        Cell(
            crop.path, member_frame(crop, cluster), (f"camera {crop.camera}",) * (crop.camera >= 0)
        )
        for crop in chosen
    ]
    return Row(describe(cluster, crops), cells, purity_colour(cluster.purity))


def describe(cluster: Cluster, crops: Sequence[Crop]) -> str:
    """A cluster in words: images, cameras, people and purity, as far as they are known."""
    members = [crops[i] for i in cluster.members]
    cameras = len({crop.camera for crop in members if crop.camera >= 0})
    people = len({crop.identity for crop in members if crop.identity >= 0})
    counts = [(len(members), "image", "images"), (cameras, "camera", "cameras")]
    counts.append((people, "person", "people"))
    words = [f"{n} {one if n == 1 else many}" for n, one, many in counts if n]
    if people:
        words.append(f"purity {cluster.purity:.0%}")
    return f"cluster {cluster.label}: {', '.join(words)}"


def member_frame(crop: Crop, cluster: Cluster) -> Colour:
    """Green for the cluster's main person, red for another one, grey when unknown."""
    if crop.identity < 0:
        return UNKNOWN
    return RIGHT if crop.identity == cluster.person else WRONG


def purity_colour(purity: float) -> Colour:
    """Between WRONG at 50 % and below, and RIGHT at 100 %.

    >>> purity_colour(1.0) == RIGHT, purity_colour(0.3) == WRONG
    (True, True)
    """
    if np.isnan(purity):
        return UNKNOWN
    share = max(0.0, 2 * purity - 1)
    red, green, blue = (
        round(share * right + (1 - share) * wrong)
        for right, wrong in zip(RIGHT, WRONG, strict=True)
    )
    return red, green, blue


def spread(count: int, shown: int) -> list[int]:
    """At most `shown` evenly spaced positions of 0..count-1, both ends among them.

    >>> spread(10, 4), spread(2, 4)
    ([0, 3, 6, 9], [0, 1])
    """
    return np.linspace(0, count - 1, min(count, shown)).round().astype(int).tolist()  # type: ignore[no-any-return]
