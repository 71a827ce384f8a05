"""The data module gives the same bits for any number of workers and processes."""

import logging
from typing import ClassVar

import cv2
import numpy as np
import pytest
import torch

from reidzoo import distributed
from reidzoo.data.augment import Augment
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.data.records import UNKNOWN_IDENTITY, Counts, Record, Splits
from reidzoo.errors import UserError

IDENTITIES, SHOTS = 5, 6


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    records = []
    for index in range(IDENTITIES * SHOTS):
        path = folder / f"{index:02d}.jpg"
        coarse = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (32, 64)))
        records.append(Record(str(path), identity=index // SHOTS, camera=index % 3))
    return Splits(tuple(records), query=tuple(records[::SHOTS]), gallery=tuple(records))


class People(ReIDDataModule):
    """Any given splits as a data set."""

    def __init__(self, splits, **loading):
        options = {"height": 64, "width": 32, "batch_size": 8, "num_instances": 2, "workers": 0}
        super().__init__(**(options | loading))
        self.given = splits
        self.reads = 0

    def read(self):
        self.reads += 1
        return self.given


def prepare(splits, *, views=1, sampling="pk", epoch=0, **loading):
    data = People(splits, seed=3, **loading)
    data.setup("fit")
    data.configure(views=views, sampling=sampling)
    data.sampler.set_plan(data.identities, epoch)
    return data


def batches(*arguments, **options):
    return list(prepare(*arguments, **options).train_dataloader())


def same(left, right):
    return all(
        torch.equal(a[name], b[name]) for a, b in zip(left, right, strict=True) for name in a
    )


def test_batches_are_what_was_promised(splits):
    (first, *_) = found = batches(splits)
    assert len(found) == IDENTITIES * SHOTS // 8
    assert first["image"].shape == (8, 3, 64, 32)
    assert first["image"].dtype == torch.uint8
    assert first["index"].dtype == first["camera"].dtype == torch.int64
    assert torch.equal(first["camera"], first["index"] % 3)
    assert torch.equal(first["index"][::2] // SHOTS, first["index"][1::2] // SHOTS)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("views", [1, 2])
def test_workers_do_not_change_a_bit(splits, workers, views):
    alone = batches(splits, views=views, augment=Augment(jitter=0.8))
    helped = batches(splits, views=views, augment=Augment(jitter=0.8), workers=workers)
    assert same(alone, helped)


def test_persistent_workers_follow_the_plan_of_a_new_epoch(splits):
    data = prepare(splits, workers=2)
    loader = data.train_dataloader()
    for epoch in (0, 1):
        data.sampler.set_plan(data.identities, epoch)
        assert same(list(loader), batches(splits, epoch=epoch))


def test_epochs_views_and_repeated_images_are_augmented_afresh(splits):
    assert not same(batches(splits), batches(splits, epoch=1))
    views = batches(splits, views=2)[0]["image"]
    assert views.shape == (8, 2, 3, 64, 32)
    assert (views[:, 0] != views[:, 1]).any()
    one = Splits(splits.train[:1] + splits.train[SHOTS : SHOTS + 1])
    repeated = batches(one, num_instances=4, batches=1)[0]
    assert len({image.numpy().tobytes() for image in repeated["image"]}) > 2


def test_global_randomness_is_neither_used_nor_consumed(splits):
    torch.manual_seed(0)
    first = batches(splits)
    torch.manual_seed(1)
    assert same(batches(splits), first)
    torch.manual_seed(0)
    list(prepare(splits).train_dataloader())
    list(prepare(splits).plain_loader(splits.query, range(3)))
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(1), after)


def test_two_processes_share_one_batch(splits, monkeypatch):
    whole = batches(splits)
    parts = []
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        parts.append(batches(splits))
    joined = [
        {name: torch.cat((a[name], b[name])) for name in a} for a, b in zip(*parts, strict=True)
    ]
    assert same(joined, whole)


def test_random_sampling_needs_no_labels_and_no_whole_identities(splits):
    data = People(splits, batch_size=9, num_instances=4, seed=0)
    data.setup()
    data.configure(views=1, sampling="random")
    drawn = torch.cat([batch["index"] for batch in data.train_dataloader()])
    assert len(drawn) == len(set(drawn.tolist())) == 27


def test_plain_loader_keeps_order_and_leaves_images_alone(splits):
    data = prepare(splits, test_batch_size=4, workers=1)
    found = list(data.plain_loader(splits.gallery, [7, 3, 3, 0, 29]))
    assert [len(batch["index"]) for batch in found] == [4, 1]
    assert torch.cat([batch["index"] for batch in found]).tolist() == [7, 3, 3, 0, 29]
    image = cv2.cvtColor(cv2.imread(splits.gallery[29].path), cv2.COLOR_BGR2RGB)
    assert (found[1]["image"][0].permute(1, 2, 0).numpy() == image).all()


def test_what_is_known_about_the_images(splits):
    data = prepare(splits)
    assert data.num_cameras == 3
    assert data.has_identities
    unlabelled = People(Splits(tuple(Record(record.path) for record in splits.train)))
    unlabelled.setup()
    assert unlabelled.num_cameras == 0
    assert unlabelled.identities.unique().tolist() == [UNKNOWN_IDENTITY]
    assert not unlabelled.has_identities


def test_cameras_are_left_out_of_drawing_on_request(splits):
    assert prepare(splits).sampler.cameras is not None
    assert prepare(splits, camera_aware=False).sampler.cameras is None


def test_odd_counts_are_said_once_with_both_numbers(splits, caplog):
    class Official(People):
        official: ClassVar[Counts | None] = Counts(31, 5, 5, 5, 30, 3)

    data = Official(splits)
    with caplog.at_level(logging.WARNING):
        data.setup("fit")
        data.setup("test")
    assert data.reads == 1
    (record,) = [record for record in caplog.records if "counts differ" in record.message]
    assert "30" in record.message
    assert "31" in record.message


def test_the_seed_is_that_of_the_run_unless_given(splits, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "17")
    assert People(splits).seed == 17
    assert People(splits, seed=4).seed == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, "--data.batch_size 0: must be at least 1"),
        ({"workers": -1}, "--data.workers -1: must be at least 0"),
        ({"batches": 0}, "--data.batches 0: must be at least 1"),
        ({"batch_size": 9}, "--data.batch_size 9: must be a multiple of 2 .*take 8 or 10"),
        ({"batch_size": 2, "num_instances": 16}, "must be a multiple of 16 .*take 16"),
    ],
)
def test_impossible_options_are_refused_in_one_line(splits, options, words):
    with pytest.raises(UserError, match=words) as caught:
        prepare(splits, **options)
    assert "\n" not in str(caught.value)


def test_a_batch_must_divide_by_the_processes(splits, monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    with pytest.raises(UserError, match=r"multiple of 6 \(--data.num_instances 2 x 3 processes\)"):
        prepare(splits)


def test_no_training_images_is_an_error():
    with pytest.raises(UserError, match="no training images"):
        prepare(Splits(()))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_cache_changes_no_bit(splits, tmp_path, monkeypatch, workers):
    monkeypatch.setenv("REIDZOO_CACHE", str(tmp_path / "own"))
    plain = prepare(splits)
    for place in (True, str(tmp_path / "mine")):
        data = prepare(splits, cache=place, workers=workers)
        assert same(data.train_dataloader(), plain.train_dataloader())
        for records in (splits.train, splits.query):
            assert same(data.plain_loader(records, [2, 0]), plain.plain_loader(records, [2, 0]))
    assert len(list(tmp_path.rglob("pixels.npy"))) == 2


def test_on_the_device_images_are_varied_after_the_transfer(splits):
    module = prepare(splits, views=2, augment=Augment(on_device=True))
    raw = next(iter(module.train_dataloader()))
    assert raw["image"].dim() == 4
    images = raw["image"].clone()
    batch = module.on_after_batch_transfer(dict(raw), 0)
    assert batch.keys() == {"image", "index", "camera"}
    assert batch["image"].shape == (len(images), 2, *images.shape[1:])
    assert torch.equal(raw["image"], images)
    again = module.on_after_batch_transfer(dict(raw), 0)
    assert torch.equal(batch["image"], again["image"])
    assert not torch.equal(batch["image"][:, 0], batch["image"][:, 1])
