import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reidzoo.errors import UserError
from reidzoo.gallery.embedding import embed_files, embed_paths, listing
from reidzoo.gallery.parts import Parts
from reidzoo.models.transform import ImageTransform


class Colours(torch.nn.Module):
    """Images to their mean colour, at length 1, repeated."""

    device = torch.device("cpu")
    transform = ImageTransform(8, 4)

    def __init__(self, repeats=1):
        super().__init__()
        self.repeats = repeats
        self.batches = []

    def forward(self, image):
        self.batches.append(len(image))
        rows = image.float().mean((2, 3)).repeat(1, self.repeats)
        return torch.nn.functional.normalize(rows, dim=1)


@pytest.fixture
def crops(tmp_path):
    """Twelve images, the fourth and the last of which are damaged."""
    folder = tmp_path / "crops"
    folder.mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{i:02d}.png"), pixels)
    (folder / "03.png").write_bytes(b"not an image")
    (folder / "11.png").write_bytes((folder / "10.png").read_bytes()[:-30])
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("workers", [0, 2])
def test_rows_come_in_order_and_damaged_files_are_skipped(crops, tmp_path, workers):
    parts, steps = Parts(tmp_path / "g.npz", "key"), []
    embed_files(Colours(), crops, parts, 5, workers, steps.append)
    assert steps == [5, 5, 2]
    assert sorted(parts.skipped) == [3, 11]
    assert "03.png" in parts.skipped[3]
    good = [path for i, path in enumerate(crops) if i not in parts.skipped]
    np.testing.assert_array_equal(parts.rows(), embed_paths(Colours(), good))


def test_a_stopped_run_goes_on_where_it_was(crops, tmp_path):
    def stop(count):
        if parts.done >= 8:
            raise KeyboardInterrupt

    parts = Parts(tmp_path / "g.npz", "key")
    with pytest.raises(KeyboardInterrupt):
        embed_files(Colours(), crops, parts, 4, advance=stop)
    with (parts.folder / "rows.f32").open("ab") as file:
        file.write(b"half a batch")  # killed between writing rows and state

    model, parts = Colours(), Parts(tmp_path / "g.npz", "key")
    assert parts.done == 8
    embed_files(model, crops, parts, 4)
    assert model.batches == [3]  # the rest, of which one cannot be read
    whole = Parts(tmp_path / "other.npz", "key")
    embed_files(Colours(), crops, whole, 4)
    np.testing.assert_array_equal(parts.rows(), whole.rows())
    assert parts.skipped == whole.skipped


def test_parts_of_other_images_or_another_network_are_dropped(crops, tmp_path):
    embed_files(Colours(), crops, Parts(tmp_path / "g.npz", "one"), 4)
    assert Parts(tmp_path / "g.npz", "other").done == 0


def test_damaged_parts_are_dropped(crops, tmp_path):
    parts = Parts(tmp_path / "g.npz", "key")
    embed_files(Colours(), crops, parts, 4)
    (parts.folder / "rows.f32").write_bytes(b"")
    assert Parts(tmp_path / "g.npz", "key").done == 0


def test_memory_does_not_grow_with_the_number_of_images(crops, tmp_path):
    def peak(paths, name):
        parts = Parts(tmp_path / name, "key")
        tracemalloc.start()
        embed_files(Colours(repeats=400), paths, parts, 4)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert parts.rows().nbytes == len(paths) * 1200 * 4
        return highest

    good = crops[:3]
    few, many = peak(good * 10, "few.npz"), peak(good * 200, "many.npz")
    assert many - few < 600 * 1200 * 4 / 10  # a tenth of what the rows alone would take


def test_a_query_that_cannot_be_read_is_refused(crops):
    with pytest.raises(UserError, match=r"cannot read the image .*03\.png"):
        embed_paths(Colours(), crops[:5])


def test_a_listing_knows_names_and_sizes(crops):
    assert listing(crops) == listing(list(crops))
    assert listing(crops) != listing(crops[1:])
    before = listing(crops)
    Path(crops[3]).write_bytes(b"no image either")
    assert listing(crops) != before
