"""The pictures of a report: ranked lists, clusters and maps of what a trained network finds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reidzoo.data.records import Record
from reidzoo.visual.charts import Point, point_map
from reidzoo.visual.cluster_sheet import (
    Cluster,
    describe,
    describe_clusters,
    member_frame,
    purity_colour,
    spread,
)
from reidzoo.visual.ranked_lists import judge
from reidzoo.visual.sheet import ASKED, RIGHT, UNKNOWN, WRONG, Colour
from reidzoo.visual.thumbnails import Thumbnails

FRAMES = {RIGHT: "right", WRONG: "wrong", ASKED: "asked", UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class Ranked:
    """One query and its answers, most similar first."""

    query: Record
    answers: Sequence[Record]
    similarities: Sequence[float]
    precision: float


@dataclass(frozen=True)
class Pictures:
    """What a trained network finds in the data of its run.

    Args:
        ranked: heading -> searches below it.
        train: training images, [N].
        labels: [N] their last pseudo-labels, -1 in no cluster; empty if there are none.
        places: [n, 2] where the sample lies on the map.
        sample: [n] positions in `train`.
        clusters: clusters shown.
        members: images shown of each.
    """

    ranked: Mapping[str, Sequence[Ranked]] = field(default_factory=dict)
    train: Sequence[Record] = ()
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    places: Sequence[Point] = ()
    sample: Sequence[int] = ()
    clusters: int = 12
    members: int = 12

    def paths(self) -> Iterator[str]:
        """Every image of the pictures, as often as it is shown."""
        for searches in self.ranked.values():
            for one in searches:
                yield from (one.query.path, *(answer.path for answer in one.answers))
        for cluster in self.shown_clusters():
            yield from (self.train[i].path for i in self.shown_members(cluster))

    def found_clusters(self) -> list[Cluster]:
        """All clusters, purest first."""
        return describe_clusters(self.train, self.labels) if len(self.labels) else []

    def shown_clusters(self) -> list[Cluster]:
        """Evenly spaced ones, from the purest to the most mixed."""
        found = self.found_clusters()
        return [found[i] for i in spread(len(found), self.clusters)]

    def shown_members(self, cluster: Cluster) -> list[int]:
        """Evenly spaced ones, so that a minority shows up in proportion."""
        members = cluster.members
        return [int(members[i]) for i in spread(len(members), self.members)]


def picture_sections(pictures: Pictures, images: Thumbnails) -> dict[str, str]:
    """Heading -> HTML; a section without content is empty."""
    return {
        "What searches find": _ranked(pictures, images),
        "What clusters hold": _clusters(pictures, images),
        "Map of the embedding": _maps(pictures),
    }


def _ranked(pictures: Pictures, images: Thumbnails) -> str:
    groups = [
        f"<h3>{escape(heading)}</h3>" + "".join(_search(one, images) for one in searches)
        for heading, searches in pictures.ranked.items()
        if searches
    ]
    if not groups:
        return ""
    legend = (
        '<p class="legend"><span><i class="asked"></i>query</span>'
        '<span><i class="right"></i>same person</span>'
        '<span><i class="wrong"></i>another person</span></p>'
        '<p class="dim">Below each answer: its camera and cosine similarity. Images of the '
        "query's person from the query's camera do not count and are left out.</p>"
    )
    return legend + "".join(groups)


def _search(one: Ranked, images: Thumbnails) -> str:
    name = escape(Path(one.query.path).name)
    answers = "".join(
        _image(answer.path, judge(one.query, answer), f"{_camera(answer)}{score:.2f}", images)
        for answer, score in zip(one.answers, one.similarities, strict=True)
    )
    return (
        '<div class="search"><p class="dim">'
        f"{name} <b>AP {100 * one.precision:.0f} %</b></p>"
        f'<ol class="strip query">{_image(one.query.path, ASKED, _camera(one.query), images)}'
        f"{answers}</ol></div>"
    )


def _clusters(pictures: Pictures, images: Thumbnails) -> str:
    found = pictures.found_clusters()
    if not found:
        return ""
    purities = np.array([cluster.purity for cluster in found])
    known = bool(np.isfinite(purities).any())
    outside = float((pictures.labels < 0).mean())
    words = [f"{len(found):,} clusters", f"{outside:.1%} of the images in none"]
    if known:
        words.append(f"{float(np.mean(purities == 1)):.0%} of the clusters hold one person only")
    rows = "".join(_cluster(one, pictures, images) for one in pictures.shown_clusters())
    order = "from the purest to the most mixed" if known else "from the largest to the smallest"
    return (
        f"<p>{', '.join(words)}. Shown are {min(len(found), pictures.clusters)}, {order}"
        + (
            "; green frames show the person whom most images of the cluster show.</p>"
            if known
            else ".</p>"
        )
        + rows
    )


def _cluster(cluster: Cluster, pictures: Pictures, images: Thumbnails) -> str:
    red, green, blue = purity_colour(cluster.purity)
    crops = [pictures.train[i] for i in pictures.shown_members(cluster)]
    cells = "".join(
        _image(crop.path, member_frame(crop, cluster), _camera(crop), images) for crop in crops
    )
    return (
        f'<div class="cluster" style="border-color:rgb({red} {green} {blue})">'
        f"<p>{escape(describe(cluster, pictures.train))}</p>"
        f'<ol class="strip">{cells}</ol></div>'
    )


def _maps(pictures: Pictures) -> str:
    if not len(pictures.places):
        return ""
    records = [pictures.train[i] for i in pictures.sample]
    kinds = {
        "By camera": ("camera", [record.camera for record in records]),
        "By identity": ("identity", [record.identity for record in records]),
    }
    if len(pictures.labels):
        labels = [int(pictures.labels[i]) for i in pictures.sample]
        kinds["By pseudo-label of the last epoch"] = ("cluster", labels)
    figures = [
        point_map(title, pictures.places, groups, kind)
        for title, (kind, groups) in kinds.items()
        if max(groups) >= 0
    ]
    return (
        f'<p class="dim">t-SNE of {len(records):,} training images. In a good map colours mix by '
        "camera and separate by identity.</p>"
        f'<div class="charts">{"".join(figures)}</div>'
    )


def _image(path: str, frame: Colour, caption: str, images: Thumbnails) -> str:
    uri, name = images[path], escape(Path(path).name, quote=True)
    inside = f'<img src="{uri}" alt="{name}">' if uri else "not readable"
    return (
        f'<li class="{FRAMES[frame]}" title="{name}"><div class="frame">{inside}</div>'
        f"<span>{escape(caption)}</span></li>"
    )


def _camera(crop: Record) -> str:
    return f"c{crop.camera} " if crop.camera >= 0 else ""
