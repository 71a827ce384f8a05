"""The cache holds exactly what decoding gives, and notices when it no longer does."""

import os
import pickle

import numpy as np
import pytest
from PIL import Image

from reidzoo import distributed
from reidzoo.data import pixel_cache
from reidzoo.data.pixel_cache import PIXELS, CachedImages, cache_images
from reidzoo.errors import UserError
from reidzoo.images import ImageFileError, ImageFiles


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{index}.png" for index in range(4)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (20, 10, 3), dtype=np.uint8)).save(path)
    return ImageFiles([str(path) for path in paths], 16, 8)


@pytest.fixture
def builds(monkeypatch):
    """Count how often the images are decoded into a cache."""
    done, decode = [], pixel_cache._decode_all
    monkeypatch.setattr(
        pixel_cache, "_decode_all", lambda files, path: (done.append(path), decode(files, path))
    )
    return done


def assert_equal(images, files):
    assert len(images) == len(files)
    for index in range(len(files)):
        assert (images[index] == files[index]).all()


def test_decodes_once_and_gives_the_same_pixels(files, tmp_path, builds):
    for _ in range(3):
        assert_equal(cache_images(files, tmp_path / "cache"), files)
    assert len(builds) == 1


def test_a_changed_file_is_decoded_again(files, tmp_path, builds):
    cache_images(files, tmp_path / "cache")
    Image.fromarray(np.zeros((20, 10, 3), np.uint8)).save(files.paths[2])
    images = cache_images(files, tmp_path / "cache")
    assert_equal(images, files)
    assert not images[2].any()
    os.utime(files.paths[0], ns=(1, 1))
    cache_images(files, tmp_path / "cache")
    assert len(builds) == 3


def test_sizes_and_image_lists_have_caches_of_their_own(files, tmp_path, builds):
    others = [ImageFiles(files.paths, 12, 8), ImageFiles(files.paths[::-1], 16, 8)]
    for _ in range(2):
        for each in (files, *others):
            assert_equal(cache_images(each, tmp_path / "cache"), each)
    assert len(builds) == 3


@pytest.mark.parametrize("damage", ["flip a byte", "cut", "remove"])
def test_a_damaged_cache_is_made_again(files, tmp_path, builds, damage, caplog):
    path = cache_images(files, tmp_path / "cache").path
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.unlink()
    if damage != "remove":
        path.write_bytes(content if damage == "flip a byte" else content[:-200])
    assert_equal(cache_images(files, tmp_path / "cache"), files)
    assert len(builds) == 2
    assert "made again" in caplog.text


def test_an_unreadable_image_leaves_no_half_cache(files, tmp_path):
    with open(files.paths[3], "wb") as file:  # noqa: PTH123
        file.write(b"no image")
    with pytest.raises(ImageFileError, match=r"3\.png"):
        cache_images(files, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob(PIXELS))


def test_a_missing_image_and_a_bad_place_are_user_mistakes(files, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        cache_images(files, tmp_path / "file")
    with pytest.raises(ImageFileError, match=r"gone\.png"):
        cache_images(ImageFiles([str(tmp_path / "gone.png")], 4, 4), tmp_path / "cache")


def test_pickling_for_a_worker_takes_the_path_only(files, tmp_path):
    images = cache_images(files, tmp_path / "cache")
    sent = pickle.dumps(images)
    assert len(sent) < 1000
    assert_equal(pickle.loads(sent), files)
    assert isinstance(pickle.loads(sent), CachedImages)


def test_other_ranks_open_what_rank_0_built(files, tmp_path, builds, monkeypatch):
    cache_images(files, tmp_path / "cache")
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert_equal(cache_images(files, tmp_path / "cache"), files)
    assert len(builds) == 1
