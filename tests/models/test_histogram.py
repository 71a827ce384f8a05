"""The colour histogram counts what it says."""

import numpy as np
import pytest

from reidzoo.models.histogram import BINS, STRIPES, colour_histogram

RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)


def painted(*stripes):
    """An image of equal horizontal stripes, 6 x 4 pixels each per colour."""
    rows = [np.tile(np.array(colour, np.uint8), (12 // len(stripes), 8, 1)) for colour in stripes]
    return np.concatenate(rows)


def bin_of(hue, saturation, value):
    _, s, v = BINS
    return (hue * s + saturation) * v + value


def test_one_colour_fills_one_bin_per_stripe():
    rows = colour_histogram(painted(RED)).reshape(STRIPES, -1)
    assert (rows > 0).sum(axis=1).tolist() == [1] * STRIPES
    assert rows[:, bin_of(0, 3, 3)] == pytest.approx(1 / np.sqrt(STRIPES))


def test_similarity_is_the_share_of_equal_stripes():
    top = colour_histogram(painted(RED, BLUE))
    assert top @ colour_histogram(painted(RED, GREY)) == pytest.approx(0.5)
    assert top @ colour_histogram(painted(BLUE, RED)) == pytest.approx(0)
    assert top @ top == pytest.approx(1)


def test_the_outer_quarters_do_not_count():
    image = painted(RED, BLUE)
    framed = image.copy()
    framed[:, :2] = framed[:, -2:] = GREY
    assert np.array_equal(colour_histogram(framed), colour_histogram(image))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((12, 8, 3), np.float32), "must be uint8"),
        (np.zeros((12, 8), np.uint8), "must be uint8"),
        (np.zeros((5, 8, 3), np.uint8), "at least 6 x 4"),
        (np.zeros((12, 3, 3), np.uint8), "at least 6 x 4"),
    ],
)
def test_wrong_images_are_refused(image, message):
    with pytest.raises(ValueError, match=message):
        colour_histogram(image)
