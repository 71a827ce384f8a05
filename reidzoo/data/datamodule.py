"""ReIDDataModule: from what a reader found on disk to batches; every data set subclasses it."""

import logging
import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from reidzoo import distributed
from reidzoo.data.augment import Augment
from reidzoo.data.dataset import Batch, DrawnImages, ImageSource, PlainImages, keep_batch
from reidzoo.data.device_augment import augment_batch
from reidzoo.data.formats.checks import with_notes
from reidzoo.data.pixel_cache import CachedImages, cache_images
from reidzoo.data.records import UNKNOWN_IDENTITY, Counts, Record, Splits
from reidzoo.data.samplers import PlanSampler, PlanShape, Sampling
from reidzoo.data.scarcity import Scarcity, make_scarce
from reidzoo.errors import UserError, printable
from reidzoo.images import ImageFiles

logger = logging.getLogger(__name__)


class ReIDDataModule(pl.LightningDataModule):
    """Base of all data sets; a subclass states its official counts and reads its files.

    Args:
        root: folder of the data set; None takes the reader's usual place.
        height: image height in pixels.
        width: image width in pixels.
        batch_size: training images per step, over all processes.
        num_instances: K, images per pseudo-identity in a batch.
        batches: steps per epoch; None is one pass, the number of images // batch_size.
        camera_aware: draw an identity's images from different cameras where possible; published
            "fully unsupervised" results do. False never looks at cameras in drawing.
        augment: how training images are varied.
        scarcity: what is taken from the training images before anything sees them.
        cache: decode the training images once, into a memory-mapped file that all processes share:
            true puts it below `$REIDZOO_CACHE`, a path below that folder. 256 x 128 pixels take
            98 kB per image.
        workers: loader processes per training process; never more than there are cores.
        test_batch_size: images per step and process in extraction and evaluation.
        seed: of plan and augmentation; None takes the seed of the run.

    After `setup`: `splits`, `cameras` [N] and `identities` [N] int64 of the training images.
    """

    official: Counts | None = None

    def __init__(
        self,
        *,
        root: str | None = None,
        height: int = 256,
        width: int = 128,
        batch_size: int = 256,
        num_instances: int = 16,
        batches: int | None = None,
        camera_aware: bool = True,
        augment: Augment = Augment(),  # noqa: B008  frozen
        scarcity: Scarcity = Scarcity(),  # noqa: B008  frozen
        cache: bool | str = False,
        workers: int = 4,
        test_batch_size: int = 256,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        _check_at_least(
            1,
            height=height,
            width=width,
            batch_size=batch_size,
            num_instances=num_instances,
            batches=batches,
            test_batch_size=test_batch_size,
        )
        _check_at_least(0, workers=workers, seed=seed)
        self.root = root
        self.height = height
        self.width = width
        self.batch_size = batch_size
        self.num_instances = num_instances
        self.batches = batches
        self.camera_aware = camera_aware
        self.augment = augment
        self.scarcity = scarcity
        self.cache = cache
        self.workers = min(workers, len(os.sched_getaffinity(0)))
        self.test_batch_size = test_batch_size
        self.seed = int(os.environ.get("PL_GLOBAL_SEED", "0")) if seed is None else seed
        self.views = 1
        self.splits: Splits
        self.cameras: Tensor
        self.identities: Tensor
        self._sampler: PlanSampler | None = None
        self._cached: CachedImages | None = None

    @abstractmethod
    def read(self) -> Splits:
        """Find the images; raises UserError if `root` does not hold this data set."""

    def setup(self, stage: str | None = None) -> None:
        """Read the records once, say what is odd about them, take away what is asked for."""
        if hasattr(self, "splits"):
            return
        splits = with_notes(self.read(), self.official)
        self.splits = replace(splits, train=make_scarce(splits.train, self.scarcity))
        self.cameras = torch.tensor([record.camera for record in self.splits.train]).long()
        self.identities = torch.tensor([record.identity for record in self.splits.train]).long()
        if distributed.rank() == 0:
            for note in self.splits.notes:
                logger.warning("%s: %s", type(self).__name__, printable(note))

    @property
    def num_cameras(self) -> int:
        """Cameras are numbered 0..num_cameras-1; 0 if none is known."""
        return 1 + int(self.cameras.max()) if len(self.cameras) else 0

    @property
    def has_identities(self) -> bool:
        """Whether every training image's identity is known (it serves diagnostics only)."""
        return len(self.identities) > 0 and not (self.identities == UNKNOWN_IDENTITY).any()

    @property
    def sampler(self) -> PlanSampler:
        """The plan of the training batches."""
        if self._sampler is None:
            self.configure()
        assert self._sampler is not None
        return self._sampler

    def configure(self, views: int = 1, sampling: Sampling = "pk") -> None:
        """Adapt to a method: augmented views per image, and how its batches are drawn.

        Raises:
            UserError: no training images, or a batch that cannot be split as asked.
        """
        if not self.splits.train:
            raise UserError(f"--data.root {self.root}: no training images there")
        instances = 1 if sampling == "random" else self.num_instances
        world_size = distributed.world_size()
        self._check_batch_size(instances, world_size)
        batches = self.batches or max(1, len(self.splits.train) // self.batch_size)
        self.views = views
        self._sampler = PlanSampler(
            PlanShape(batches, self.batch_size, instances),
            len(self.splits.train),
            sampling,
            self.cameras if self.camera_aware else None,
            self.seed,
            distributed.rank(),
            world_size,
        )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Batches of `image` uint8 [B, 3, H, W] (or [B, V, 3, H, W]), `index` and `camera` [B]."""
        from reidzoo.data.transforms import make_augmentation  # albumentations is slow to import

        dataset = DrawnImages(
            self._source(self.splits.train),
            self.cameras.tolist(),
            None if self.augment.on_device else make_augmentation(self.augment),
            self.views,
        )
        return DataLoader(
            dataset,
            batch_size=self.batch_size // self.sampler.world_size,
            sampler=self.sampler,
            drop_last=True,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            collate_fn=keep_batch,
            worker_init_fn=use_one_thread,
            pin_memory=self._on_cuda(),
            generator=torch.Generator().manual_seed(self.seed),
        )

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Vary a training batch on its device, if that is where it shall be done."""
        draw = batch.pop("draw", None)
        if draw is not None:
            image = batch["image"]
            views = [augment_batch(image, draw, self.augment, v) for v in range(self.views)]
            batch["image"] = views[0] if self.views == 1 else torch.stack(views, 1)
        return batch

    def plain_loader(self, records: Sequence[Record], shard: Sequence[int]) -> DataLoader[Batch]:
        """Un-augmented batches of `image` uint8 [B, 3, H, W] and `index` [B], in shard order.

        Args:
            records: any images.
            shard: which of them, as positions in `records`; they come back as `index`.
        """
        return DataLoader(
            Subset(PlainImages(self._source(records)), shard),
            batch_size=self.test_batch_size,
            num_workers=self.workers,
            collate_fn=keep_batch,
            worker_init_fn=use_one_thread,
            pin_memory=self._on_cuda(),
            generator=torch.Generator().manual_seed(self.seed),  # leaves the global one alone
        )

    def _source(self, records: Sequence[Record]) -> ImageSource:
        files = ImageFiles([record.path for record in records], self.height, self.width)
        if not self.cache or tuple(records) != self.splits.train:
            return files
        if self._cached is None:
            self._cached = cache_images(files, Path(self.cache) if self.cache is not True else None)
        return self._cached

    def _on_cuda(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"

    def _check_batch_size(self, instances: int, world_size: int) -> None:
        step = instances * world_size
        if self.batch_size % step:
            below, above = self.batch_size // step * step, (self.batch_size // step + 1) * step
            raise UserError(
                f"--data.batch_size {self.batch_size}: must be a multiple of {step} "
                f"(--data.num_instances {instances} x {world_size} processes); "
                f"take {f'{below} or ' if below else ''}{above}"
            )


def use_one_thread(worker: int) -> None:
    """Keep a loader worker to one thread: there are as many workers as cores to use."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _check_at_least(least: int, **options: int | None) -> None:
    for name, value in options.items():
        if value is not None and value < least:
            raise UserError(f"--data.{name} {value}: must be at least {least}")
