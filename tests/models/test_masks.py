import pytest
import torch

from reidzoo.models import Predictor, RegionPredictor, drop_blocks
from reidzoo.models.masks import keyed_uniform


def test_keyed_numbers_are_uniform_and_independent():
    draws = keyed_uniform(torch.arange(20_000), step=3, draws=4)
    assert draws.min() >= 0
    assert draws.max() < 1
    counts = torch.histc(draws[0], bins=20, min=0, max=1)
    assert counts.min() > 850  # 1,000 expected, deviation 31
    assert counts.max() < 1150
    neighbours = torch.cat([draws, draws.roll(1, dims=1)])  # of the next image, too
    correlation = torch.corrcoef(neighbours)
    off_diagonal = correlation - torch.eye(8)
    assert off_diagonal.abs().max() < 0.04
    other = keyed_uniform(torch.arange(20_000), step=4, draws=4)
    assert torch.corrcoef(torch.stack([draws[0], other[0]]))[0, 1].abs() < 0.04


@pytest.mark.parametrize(
    ("size", "ratio", "width_ratio", "block"),
    [
        ((16, 8), 0.1, 1.0, (2, 8)),
        ((16, 8), 1 / 3, 1.0, (5, 8)),
        ((16, 8), 0.5, 1.0, (8, 8)),  # two halves: exactly two ways
        ((16, 8), 0.6, 1.0, (10, 8)),  # the blocks must overlap
        ((16, 8), 1 / 3, 0.5, (5, 4)),
        ((3, 2), 0.01, 1.0, (1, 2)),  # at least one row
    ],
)
def test_each_view_loses_one_block_apart_from_the_other(size, ratio, width_ratio, block):
    keep = drop_blocks(torch.arange(500), 7, size, ratio, width_ratio)
    height, width = size
    assert keep.shape == (2, 500, 1, height, width)
    dropped = ~keep.squeeze(2)
    rows, columns = dropped.any(3), dropped.any(2)
    assert rows.sum(2).eq(block[0]).all()
    assert columns.sum(2).eq(block[1]).all()
    assert dropped.sum(dim=(2, 3)).eq(block[0] * block[1]).all()
    # Contiguous: the first and the last are as far apart as the block is long.
    assert (height - 1 - rows.flip(2).int().argmax(2) - rows.int().argmax(2)).eq(block[0] - 1).all()
    apart = not (rows[0] & rows[1]).any()
    assert apart == (2 * block[0] <= height)
    starts = rows.int().argmax(2)
    for view in starts:  # every place that leaves room for the other block is used
        assert len(view.unique()) >= (2 if 2 * block[0] == height else height - 2 * block[0] + 1)


def test_masks_follow_image_and_step_only():
    index = torch.tensor([4, 9, 4, 1])
    keep = drop_blocks(index, 5, (16, 8), 0.3)
    assert keep[:, 0].equal(keep[:, 2])
    assert keep[:, 2:].equal(drop_blocks(index[2:], 5, (16, 8), 0.3))
    many = torch.arange(100)
    first, second = (drop_blocks(many, step, (16, 8), 0.3) for step in (5, 6))
    assert not first.equal(second)


@pytest.mark.parametrize(("size", "ratio"), [((8, 4), 0.0), ((1, 1), 0.3), ((4, 2), 1.0)])
def test_nothing_is_dropped_where_everything_would_be(size, ratio):
    assert drop_blocks(torch.arange(3), 0, size, ratio).all()


def test_the_region_predictor_never_sees_what_was_dropped():
    torch.manual_seed(0)
    keep = drop_blocks(torch.arange(4), 0, (6, 2), 1 / 3)[0]
    maps = torch.randn(4, 8, 6, 2)
    changed = torch.where(keep, maps, torch.randn(4, 8, 6, 2))
    predictor = RegionPredictor(8, hidden=4)
    out = predictor(maps, keep)
    assert out.shape == maps.shape
    torch.testing.assert_close(out, predictor(changed, keep))


def test_the_row_predictor_stays_fp32_under_autocast():
    torch.manual_seed(0)
    predictor, rows = Predictor(8, hidden=4), torch.randn(6, 8)
    expected = predictor(rows)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(predictor(rows), expected, rtol=0, atol=0)
