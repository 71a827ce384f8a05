"""Files of every kind are decoded upright, and broken ones are named in one line."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from reidzoo.data.dataset import PlainImages, keep_batch
from reidzoo.images import ImageFileError, ImageFiles, read_image, resize


def scene(height=128, width=64):
    """Smooth colours, as in a photograph: no single pixel stands out."""
    rows, columns = np.mgrid[:height, :width]
    waves = [
        np.sin(rows / height * 9 + phase) * np.cos(columns / width * 5 - phase)
        for phase in range(3)
    ]
    return (127 + 100 * np.stack(waves, axis=-1)).astype(np.uint8)


def with_pillow(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def save(path, pixels, mode=None, **options):
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("rgb.jpg", None),
        ("grey.jpg", "L"),
        ("cmyk.jpg", "CMYK"),
        ("rgb.png", None),
        ("alpha.png", "RGBA"),
        ("palette.png", "P"),
        ("grey.png", "L"),
        ("grey_alpha.png", "LA"),
        ("bits.png", "1"),
        ("rgb.bmp", None),
        ("rgb.webp", None),
        ("palette.gif", "P"),
    ],
)
def test_every_kind_of_file_looks_as_pillow_sees_it(tmp_path, name, mode):
    path = save(tmp_path / name, scene(), mode)
    image = read_image(path)
    assert image.dtype == np.uint8
    assert image.flags.writeable
    assert np.abs(image.astype(int) - with_pillow(path)).max() <= 2


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_orientation_is_applied(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    path = save(tmp_path / f"turned.{suffix}", scene(), exif=exif)
    upright = np.rot90(with_pillow(path), -1)
    assert np.abs(read_image(path).astype(int) - upright).max() <= 2


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits_become_eight(tmp_path, suffix):
    grey = scene()[..., 0]
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    assert np.abs(read_image(path).astype(int) - grey[..., None]).max() <= 1


def broken_files(folder):
    jpeg = save(folder / "whole.jpg", scene()).read_bytes()
    png = save(folder / "whole.png", scene()).read_bytes()
    return {
        "half.jpg": jpeg[: len(jpeg) // 2],
        "half.png": png[: len(png) // 2],
        "stub.jpg": jpeg[:20],
        "empty.jpg": b"",
        "page.jpg": b"<html>404</html>",
    }


@pytest.mark.parametrize("name", ["half.jpg", "half.png", "stub.jpg", "empty.jpg", "page.jpg"])
def test_a_broken_file_is_named_in_one_line(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(broken_files(tmp_path)[name])
    with pytest.raises(ImageFileError) as caught:
        read_image(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "remove it" in message


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ImageFileError, match=r"gone.jpg \(No such file or directory\)"):
        read_image(tmp_path / "gone.jpg")


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path):
    path = save(tmp_path / "whole.jpg", scene())
    before = read_image(path)
    path.write_bytes(path.read_bytes() + b"\0" * 7)
    assert np.abs(read_image(path).astype(int) - before).max() <= 2


def test_the_line_survives_a_worker(tmp_path):
    path = tmp_path / "half.jpg"
    path.write_bytes(broken_files(tmp_path)["half.jpg"])
    files = ImageFiles([str(path)], 32, 16)
    with pytest.raises(ImageFileError) as alone:
        files[0]
    loader = DataLoader(PlainImages(files), num_workers=1, collate_fn=keep_batch)
    with pytest.raises(ImageFileError) as in_worker:
        next(iter(loader))
    assert str(in_worker.value) == str(alone.value)


@pytest.mark.parametrize(
    ("height", "width"), [(256, 128), (64, 32), (50, 30), (128, 64), (128, 96), (200, 32)]
)
def test_resizing_agrees_with_the_reference(height, width):
    pixels = scene()
    reference = np.asarray(
        Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
    )
    difference = resize(pixels, height, width).astype(int) - reference
    assert np.abs(difference).mean() < 1
    assert np.abs(difference.mean()) < 0.25  # halves are rounded up when areas are averaged


def test_shrinking_does_not_alias():
    stripes = np.zeros((128, 64, 3), np.uint8)
    stripes[::2] = 200
    assert np.abs(resize(stripes, 32, 16).astype(int) - 100).max() <= 1


def test_batches_have_the_promised_shape(tmp_path):
    paths = [str(save(tmp_path / f"{i}.png", scene() // (i + 1))) for i in range(3)]
    images = PlainImages(ImageFiles(paths, 32, 16))
    batch = images.__getitems__([2, 0])
    assert batch["image"].shape == (2, 3, 32, 16)
    assert batch["image"].dtype == torch.uint8
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch["index"].tolist() == [2, 0]
    expected = resize(read_image(paths[0]), 32, 16)
    assert (batch["image"][1].permute(1, 2, 0).numpy() == expected).all()
