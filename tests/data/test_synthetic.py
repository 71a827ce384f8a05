"""Synthetic people: the same bytes always, in a cache that heals itself."""

import os
import threading
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reidzoo.data import cache
from reidzoo.data.formats import read_market
from reidzoo.data.synthetic import PRESETS, synthetic_people
from reidzoo.data.synthetic.drawing import draw_jpeg
from reidzoo.data.synthetic.plan import Shot, plan_shots
from reidzoo.errors import UserError

TINY = PRESETS["tiny"]
SMALL = replace(TINY, identities=6, test_identities=4, distractors=4, junk=3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return synthetic_people(TINY, 0, tmp_path_factory.mktemp("cache"))


def test_layout_reads_as_market(tiny):
    splits = read_market(tiny)
    assert splits.notes == ()
    assert {record.identity for record in splits.train} == set(range(1, 33))
    assert {record.identity for record in splits.query} == set(range(33, 57))
    assert Counter(record.identity for record in splits.gallery)[0] == TINY.distractors
    assert {record.camera for record in splits.train} == {0, 1, 2, 3}
    files = list(tiny.rglob("*.jpg"))
    assert sum(path.name.startswith("-1_") for path in files) == TINY.junk
    assert cv2.imread(str(files[0])).shape == (128, 64, 3)


@pytest.mark.parametrize("name", PRESETS)
def test_plan_keeps_its_promises(name):
    preset = PRESETS[name]
    shots = plan_shots(preset, seed=0)
    assert len({shot.path for shot in shots}) == len(shots)
    seen = defaultdict(Counter)
    for shot in shots:
        if shot.identity > 0:
            seen[shot.identity][shot.camera] += 1
    assert set(seen) == set(range(1, preset.identities + preset.test_identities + 1))
    low, high = preset.seen_by
    assert {len(cameras) for cameras in seen.values()} == set(range(low, high + 1))
    low, high = preset.shots
    shots_seen = {count for cameras in seen.values() for count in cameras.values()}
    assert shots_seen == set(range(low, high + 1))
    queries = Counter((s.identity, s.camera) for s in shots if s.folder == "query")
    tested = {(p, c) for p, cameras in seen.items() if p > preset.identities for c in cameras}
    assert set(queries) == tested
    assert set(queries.values()) == {1}


def test_bytes_do_not_depend_on_processes(tmp_path):
    one = synthetic_people(SMALL, 3, tmp_path / "one", processes=1)
    two = synthetic_people(SMALL, 3, tmp_path / "two", processes=2)
    assert cache.digest(one) == cache.digest(two)
    other = synthetic_people(SMALL, 4, tmp_path / "one", processes=1)
    assert cache.digest(one) != cache.digest(other)


def test_an_image_does_not_depend_on_the_others(tiny):
    splits = read_market(tiny)
    path = Path(splits.train[5].path)
    (shot,) = (s for s in plan_shots(TINY, 0) if s.path.endswith(path.name))
    assert draw_jpeg(TINY, 0, shot) == path.read_bytes()
    more_people = replace(TINY, identities=TINY.identities + 1)
    assert draw_jpeg(more_people, 0, shot) == path.read_bytes()


def test_people_are_told_apart_by_their_clothes():
    """Without camera effects, mean colours from head to feet name most people (chance: 5 %)."""
    plain = replace(TINY, camera_strength=0.0, background=0.0)

    def colours(number):
        jpegs = [draw_jpeg(plain, 0, Shot("query", p, p, 0, number)) for p in range(1, 21)]
        images = [cv2.imdecode(np.frombuffer(jpeg, np.uint8), 1) for jpeg in jpegs]
        strips = [image[:, 24:40].reshape(8, -1, 3).mean(axis=1).ravel() for image in images]
        return np.array(strips)

    distances = np.linalg.norm(colours(0)[:, None] - colours(1), axis=2)
    assert (distances.argmin(axis=1) == np.arange(20)).mean() > 0.5


def test_cache_is_used_and_heals(tmp_path):
    folder = synthetic_people(SMALL, 0, tmp_path)
    good = cache.digest(folder)
    victim = next((folder / "query").iterdir())
    before = victim.stat().st_mtime_ns
    assert synthetic_people(SMALL, 0, tmp_path) == folder
    assert victim.stat().st_mtime_ns == before

    for damage in (
        lambda: victim.unlink(),
        lambda: victim.write_bytes(victim.read_bytes()[:-9]),
        lambda: (folder / cache.STAMP).write_text("{}"),
        lambda: (folder / cache.STAMP).unlink(),
        lambda: (folder / "query" / "0001_c1_more.jpg").touch(),
    ):
        damage()
        assert synthetic_people(SMALL, 0, tmp_path) == folder
        assert cache.digest(folder) == good
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]  # nothing left lying about


def test_an_interrupted_build_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half.jpg").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.build_once(tmp_path / "place", {"version": 1}, fail)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_builder_left_goes_after_a_day(tmp_path):
    for name, days in ((".place-dead", 2), (".place-busy", 0), (".other-dead", 2)):
        (tmp_path / name / "new").mkdir(parents=True)
        then = time.time() - days * 24 * 3600
        for path in (tmp_path / name / "new", tmp_path / name):
            os.utime(path, (then, then))
    cache.build_once(tmp_path / "place", {"version": 1}, lambda folder: (folder / "a").touch())
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".other-dead", ".place-busy", "place"]


def test_two_builders_at_once(tmp_path):
    """Both have drawn everything before either publishes; one result stays and is whole."""
    together = threading.Barrier(2)
    made = []

    def build(folder):
        (folder / "image.jpg").write_bytes(b"pixels")
        together.wait(timeout=30)

    def work():
        made.append(cache.build_once(tmp_path / "place", {"version": 1}, build))

    builders = [threading.Thread(target=work) for _ in range(2)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    assert made == [tmp_path / "place"] * 2
    assert cache.intact(tmp_path / "place", {"version": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_other_parameters_are_not_served(tmp_path):
    def build(folder):
        (folder / "image.jpg").touch()

    place = cache.build_once(tmp_path / "place", {"version": 1}, build)
    assert not cache.intact(place, {"version": 2})
    cache.build_once(tmp_path / "place", {"version": 2}, build)
    assert cache.intact(place, {"version": 2})


def test_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write to .*file.*set REIDZOO_CACHE"):
        synthetic_people(SMALL, 0, tmp_path / "file")


def test_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("REIDZOO_CACHE", str(tmp_path))
    assert cache.cache_root() == tmp_path
    monkeypatch.delenv("REIDZOO_CACHE")
    assert cache.cache_root() == Path.home() / ".cache" / "reidzoo"
