"""`bench epoch`: where the time of an epoch goes, from images on the disk to the evaluation.

A run as `python -m reidzoo.fit` makes it (same callbacks, same stage times), on drawn figures. The
plain alternative is timed for the stage in which it differs most: pseudo-labels by dense arrays.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytorch_lightning as pl
import torch

from reidzoo.benchmarks.dense import dense_labels
from reidzoo.benchmarks.machine import (
    Cost,
    describe_load,
    describe_processor,
    describe_versions,
    time_in_turns,
)
from reidzoo.benchmarks.people import DrawnPeople, write_people
from reidzoo.callbacks import ClusterCallback, EpochLine, EvaluationCallback
from reidzoo.callbacks.reporting import epoch_report
from reidzoo.callbacks.rooms import extract_records
from reidzoo.cli.training import mute
from reidzoo.clustering import JaccardDBSCAN, knn
from reidzoo.data.augment import Augment
from reidzoo.methods.cluster_contrast import ClusterContrast
from reidzoo.models import EmbedderOptions, compile_backbone

DENSE = "pseudo-labels by dense arrays"
STAGES = ("extract", "cluster", "refresh", "train", "evaluate")
K1, K2, EPS, MIN_SAMPLES = 30, 6, 0.5, 4


@dataclass(frozen=True)
class EpochReport:
    """Seconds by stage, medians over the epochs after the first."""

    images: int
    batches: int
    batch_size: int
    network: str
    precision: str
    stages: dict[str, float]
    clusters: float
    labelling: dict[str, Cost]
    peak_gigabytes: float | None  # of the GPU
    epochs: int
    machine: str
    load: str
    versions: str
    date: str

    @property
    def seconds(self) -> float:
        """Of the whole epoch."""
        return sum(self.stages.values())

    def to_markdown(self) -> str:
        """Write what `experiments/benchmarks/epoch.md` holds."""
        stages = [
            f"| {name} | {spent:.2f} | {spent / self.seconds:.1%} |"
            for name, spent in self.stages.items()
        ]
        labelling = [
            f"| {name} | {cost.cpu_seconds:.2f} | {cost.wall_seconds:.2f} |"
            for name, cost in self.labelling.items()
        ]
        memory = "" if self.peak_gigabytes is None else f" Peak {self.peak_gigabytes:.1f} GB."
        return "\n".join(
            [
                f"# An epoch by stages: {self.images:,} images, {self.batches} batches of "
                f"{self.batch_size}, {self.network}, {self.precision}",
                "",
                f"Wall seconds, median of {self.epochs} epochs after the first one; "
                f"{self.clusters:.0f} clusters.{memory}",
                "",
                "| stage | s | share |",
                "|---|---:|---:|",
                *stages,
                "",
                "| pseudo-labels from these features | CPU s | wall s |",
                "|---|---:|---:|",
                *labelling,
                "",
                f"{self.machine} (shared; {self.load}); {self.versions}; {self.date}.",
                "`python -m reidzoo.bench epoch` makes this table.",
                "",
            ]
        )


def bench_epoch(
    *,
    images: int = 3000,
    people: int = 150,
    backbone: str = "small",
    height: int = 64,
    width: int = 32,
    batch_size: int = 64,
    instances: int = 4,
    batches: int | None = None,
    epochs: int = 2,
    accelerator: str = "cpu",
    precision: str = "32-true",
    workers: int = 0,
    on_device: bool = False,
    compile: str | None = None,  # noqa: A002  the command line's word
    dense_up_to: int = 13000,
) -> EpochReport:
    """Train for one epoch that is not counted and some that are; time the stages of each.

    Args:
        images: training images, drawn as JPEG files.
        people: identities in them.
        backbone: of the network, with random weights.
        height: of the images that the network sees.
        width: of the images that the network sees.
        batch_size: B.
        instances: K.
        batches: per epoch; null is one pass.
        epochs: that are counted.
        accelerator: cpu or gpu.
        precision: as the Trainer takes it.
        workers: loader processes.
        on_device: augmentation on the device.
        compile: backend of torch.compile for the backbone.
        dense_up_to: images up to which dense arrays are timed as well.
    """
    mute()
    pl.seed_everything(0, verbose=False)
    network = EmbedderOptions(backbone, weights=None)
    clusterer = JaccardDBSCAN(K1, K2, EPS, MIN_SAMPLES)
    method = ClusterContrast(network=network, clusterer=clusterer)
    if compile is not None:
        compile_backbone(method.network, compile)
    recorder = StageTimes()
    trainer = pl.Trainer(
        accelerator=accelerator, devices=1, precision=precision, max_epochs=1 + epochs,  # type: ignore[arg-type]
        callbacks=[ClusterCallback(), EvaluationCallback(every=1, untrained=False), recorder],
        logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, use_distributed_sampler=False, num_sanity_val_steps=0,
    )  # fmt: skip
    with TemporaryDirectory() as folder:
        data = DrawnPeople(
            write_people(Path(folder), images, people), height=height, width=width,
            batch_size=batch_size, num_instances=instances, batches=batches, workers=workers,
            augment=Augment(on_device=on_device), seed=0,
        )  # fmt: skip
        trainer.fit(method, datamodule=data)
        rows = extract_records(trainer, method.to(trainer.strategy.root_device), data.splits.train)
    peak = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
    reports = recorder.reports[1:]
    return EpochReport(
        images, data.sampler.shape.batches, batch_size, f"{backbone} at {height} x {width}",
        precision, {name: statistics.median(r[f"time/{name}"] for r in reports) for name in STAGES},
        reports[-1]["cluster/count"], time_labelling(clusterer, rows["global"], dense_up_to),
        peak, epochs, describe_processor(), describe_load(),
        describe_versions("torch", "pytorch-lightning"), date.today().isoformat(),
    )  # fmt: skip


class StageTimes(EpochLine):
    """Keeps the figures of every epoch."""

    def __init__(self) -> None:
        super().__init__(line=False)
        self.reports: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All callbacks before this one have reported."""
        super().on_train_epoch_end(trainer, pl_module)
        self.reports.append(epoch_report(trainer))


def time_labelling(
    clusterer: JaccardDBSCAN, rows: torch.Tensor, dense_up_to: int
) -> dict[str, Cost]:
    """Time our labels and, where they fit, dense ones, from the same features [N, D]."""
    ways: dict[str, Callable[[], object]] = {
        "pseudo-labels, k-NN included": lambda: finished(clusterer(rows))
    }
    if len(rows) <= dense_up_to:
        features = rows.cpu().numpy()
        ways[DENSE] = lambda: dense_labels(features, knn(features, K1)[0], K2, EPS, MIN_SAMPLES)
    return time_in_turns(ways, 1 if len(rows) > 1000 else 3)


def finished(result: torch.Tensor) -> torch.Tensor:
    """Wait for the device, so that a clock sees all of the work.

    >>> finished(torch.ones(1))
    tensor([1.])
    """
    if result.is_cuda:
        torch.cuda.synchronize(result.device)
    return result
