"""The stamp of a result: under which protocol it was made, and what several results share.

What nothing says is None, which means unknown and never "no".
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from reidzoo.cli.layers import Tree, flatten
from reidzoo.errors import UserError, nearest

LAST, BEST, LABEL_FREE = "last", "best on test", "label-free"
SELECTIONS = (LAST, BEST, LABEL_FREE)  # the epoch that counts, and who chose it
ORIGINS = ("class default", "published yaml", "config file", "command line", "auto")  # of eps
SPLITS = ("train", "train+val")
OWN, TRUE, GIVEN = "its own", "true identities", "given"
LABELS = (OWN, TRUE, GIVEN)  # pseudo-labels, a supervised bound, those of a file


@dataclass(frozen=True)
class Cameras:
    """Which parts read camera ids.

    Args:
        sampler: batches prefer images of different cameras.
        clustering: pseudo-labels, their clusterer or their filters.
        loss: the loss, or what it takes as positives.
        test: ranking beyond leaving out images of the query's own camera, which every one does.
    """

    sampler: bool | None = None
    clustering: bool | None = None
    loss: bool | None = None
    test: bool | None = None


@dataclass(frozen=True)
class Protocol:
    """Under which protocol a result was made; None is unknown.

    Args:
        method: name of the method.
        data: name of the data set trained on.
        edition: which edition of it (V1 or V2, preset, archive).
        split: "train" or "train+val".
        scarcity: what was taken from the training images on purpose, or "nothing".
        tested_on: edition and number of images that were searched.
        labels: that it trained on: "its own" pseudo-labels, "true identities" (a supervised
            bound), or "given" in a file, made nobody knows how.
        cameras: which parts read camera ids.
        selection: the epoch that counts: "last", "best on test" or "label-free".
        test_evaluations: how often the test set was asked, before training included.
        reranking: whether answers were ranked by k-reciprocal neighbours.
        flip_test: whether features of mirrored images were added.
        image_size: "height x width" in pixels.
        samples_per_bn: images that share batch-norm statistics.
        batch: images of one optimiser step, over all views, processes and accumulated parts.
        batches: steps per epoch; "one pass" goes with the number of images.
        epochs: of training.
        backbone: of the network, and its width where that was chosen.
        weights: what it began with: "random", "imagenet", a file, or a run (`--init`).
        eps_from: where eps (of a clusterer without one: its settings) came from: "class default",
            "published yaml", "config file", "command line" or "auto".
        seed: of everything random.
        versions: package -> version.
        git: {"commit", "dirty"} of the source, None outside a checkout.
    """

    method: str | None = None
    data: str | None = None
    edition: str | None = None
    split: str | None = None
    scarcity: str | None = None
    tested_on: str | None = None
    labels: str | None = None
    cameras: Cameras = Cameras()
    selection: str | None = None
    test_evaluations: int | None = None
    reranking: bool | None = None
    flip_test: bool | None = None
    image_size: str | None = None
    samples_per_bn: int | None = None
    batch: int | None = None
    batches: int | str | None = None
    epochs: int | None = None
    backbone: str | None = None
    weights: str | None = None
    eps_from: str | None = None
    seed: int | None = None
    versions: Mapping[str, str] | None = None
    git: Mapping[str, Any] | None = None

    @classmethod
    def from_tree(cls, tree: Tree, where: str) -> "Protocol":
        """Read some fields from plain values.

        Raises:
            UserError: a field that does not exist.

        >>> Protocol.from_tree({"backbone": "resnet50", "cameras": {"loss": True}}, "here").cameras
        Cameras(sampler=None, clustering=None, loss=True, test=None)
        """
        cameras = tree.get("cameras") or {}
        for kind, given in ((cls, tree), (Cameras, cameras)):
            known = [field.name for field in fields(kind)]
            for key in given:
                if key not in known:
                    raise UserError(f"{where}: {key}: no field of a stamp; {nearest(key, known)}")
        return cls(**{**tree, "cameras": Cameras(**cameras)})

    def tree(self) -> Tree:
        """The stamp as plain values, for JSON."""
        return asdict(self)

    def flat(self) -> dict[str, Any]:
        """The stamp by dotted names.

        >>> Protocol(seed=3).flat()["cameras.test"] is None, Protocol(seed=3).flat()["seed"]
        (True, 3)
        """
        return flatten(self.tree())


def untrained(trained: Protocol, backbone: str | None = None, **fixed: Any) -> Protocol:
    """The stamp of a reference that nothing was trained for, tested as a trained row was."""
    nothing = Cameras(False, False, False, trained.cameras.test)
    return replace(
        trained, method=None, labels=None, cameras=nothing, epochs=0, eps_from=None,
        test_evaluations=1, backbone=backbone or trained.backbone, **fixed,
    )  # fmt: skip


def joined(stamps: Iterable[Protocol]) -> dict[str, Any]:
    """One stamp for several runs: by dotted names; a list where they differ.

    >>> row = joined([Protocol(epochs=4, seed=0), Protocol(epochs=4, seed=1)])
    >>> row["epochs"], row["seed"]
    (4, [0, 1])
    """
    found: dict[str, list[Any]] = {}
    for one in stamps:
        for field, value in one.flat().items():
            values = found.setdefault(field, [])
            if value not in values:
                values.append(value)
    return {field: v[0] if len(v) == 1 else v for field, v in found.items()}
