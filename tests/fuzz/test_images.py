"""Image files of every kind and every damage, through all readers of images."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reidzoo.images import ImageFiles, read_image
from reidzoo.visual.thumbnails import encode
from tests.fuzz.outcomes import cases, settles

MODES = {
    "jpg": ("RGB", "L", "CMYK"),
    "png": ("RGB", "RGBA", "LA", "L", "P", "1", "I;16"),
    "webp": ("RGB", "RGBA"),
    "bmp": ("RGB", "L", "P", "1"),
    "tiff": ("RGB", "CMYK", "I;16", "F", "LAB"),
    "gif": ("P", "L"),
}
KINDS = [(suffix, mode) for suffix, modes in MODES.items() for mode in modes]
NAMES = {"jpg": "JPEG", "tiff": "TIFF"}


def image(suffix, mode, size=(9, 17), orientation=1):
    """A file of noise, as bytes."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    elif mode == "LAB":
        picture = Image.frombytes("LAB", size, noise.tobytes())
    else:
        picture = Image.fromarray(noise).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    options = {} if suffix in ("bmp", "gif") else {"exif": exif}
    picture.save(file, NAMES.get(suffix, suffix.upper()), **options)
    return file.getvalue()


WHOLE = {kind: image(*kind) for kind in KINDS}


@st.composite
def damaged(draw):
    """A whole file, cut, overwritten in places, or with something before or after it."""
    data = bytearray(WHOLE[draw(st.sampled_from(KINDS))])
    for how in draw(st.lists(st.sampled_from(["cut", "change", "before", "after"]), max_size=3)):
        place = draw(st.integers(0, len(data)))
        if how == "cut":
            del data[place:]
        elif how == "change":
            data[place : place + 4] = draw(st.binary(max_size=8))
        elif how == "before":
            data[:0] = draw(st.binary(max_size=8))
        else:
            data += draw(st.binary(max_size=8))
    return bytes(data)


def check(path, data):
    """Every reader agrees about whether it is an image."""
    path.write_bytes(data)
    line = settles("images", lambda: ImageFiles([str(path)], 12, 6)[0])
    assert line is None or str(path) in line
    if line is None:
        pixels = read_image(path)
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3
    encode(str(path), 2000)  # None or bytes
    return line


@given(damaged())
@cases(220)
def test_damaged_files(tmp_path_factory, data):
    check(tmp_path_factory.getbasetemp() / "image.jpg", data)


@given(st.binary(max_size=64))
@cases(60)
def test_files_that_are_no_images(tmp_path_factory, data):
    assert check(tmp_path_factory.getbasetemp() / "image.png", data) is not None


@pytest.mark.parametrize(("suffix", "mode"), KINDS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_whole_files_are_read(tmp_path, suffix, mode, orientation):
    data = image(suffix, mode, orientation=orientation)
    assert check(tmp_path / f"x.{suffix}", data) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (20_000, 2), (20_000, 300), (2, 20_000)])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_sizes(tmp_path, suffix, size):
    assert check(tmp_path / f"x.{suffix}", image(suffix, "RGB", size)) is None


@pytest.mark.parametrize("side", [14_000, 40_000])
def test_a_decompression_bomb_is_refused(tmp_path, side):
    """A small file with a sound header that claims very many pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)
    line = check(tmp_path / "bomb.png", data + chunk(b"IEND", b""))
    assert "exceeds limit" in line
