import pytest
import torch
import torch.nn.functional as F

from reidzoo.models.pooling import Neck, Pooling


def test_head_equals_the_original_code(golden):
    numbers = {name: torch.from_numpy(value) for name, value in golden("calr_head").items()}
    pool, neck = Pooling("gem"), Neck(512)
    pool.p.data.copy_(numbers["gem_p"])
    neck.bn.load_state_dict(
        {
            "weight": numbers["bn_weight"],
            "bias": numbers["bn_bias"],
            "running_mean": numbers["running_mean"],
            "running_var": numbers["running_var"],
            "num_batches_tracked": torch.tensor(0),
        }
    )
    pooled = pool(numbers["map"])
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(pooled, numbers["pooled"], **close)
    torch.testing.assert_close(F.normalize(neck.eval()(pooled)), numbers["out_eval"], **close)
    torch.testing.assert_close(F.normalize(neck.train()(pooled)), numbers["out_train"], **close)
    torch.testing.assert_close(neck.bn.running_mean, numbers["running_mean_after"], **close)
    torch.testing.assert_close(neck.bn.running_var, numbers["running_var_after"], **close)


def _slow_pool(kind, values):
    """One row of one channel: the definition, on the positions given."""
    if kind == "max":
        return values.max()
    if kind == "avg":
        return values.mean()
    return values.clamp(min=1e-6).pow(3).mean().pow(1 / 3)


@pytest.mark.parametrize("kind", ["gem", "avg", "max"])
@pytest.mark.parametrize("stripes", [1, 2, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_stripes_and_masks_equal_a_slow_loop(kind, stripes, masked):
    torch.manual_seed(0)
    maps = torch.randn(2, 4, 6, 3)
    keep = torch.rand(2, 1, 6, 3) < 0.7 if masked else torch.ones(2, 1, 6, 3, dtype=torch.bool)
    height = 6 // stripes
    expected = [
        [
            _slow_pool(kind, maps[b, c, rows][keep[b, 0, rows]])
            for rows in (slice(s * height, (s + 1) * height) for s in range(stripes))
            for c in range(4)
        ]
        for b in range(2)
    ]
    pooled = Pooling(kind, stripes)(maps, keep if masked else None)
    torch.testing.assert_close(pooled, torch.tensor(expected))


@pytest.mark.parametrize("kind", ["gem", "avg", "max"])
def test_a_fully_masked_map_gives_zeros_and_finite_gradients(kind):
    pool = Pooling(kind)
    maps = torch.rand(2, 3, 1, 1, requires_grad=True)
    pooled = pool(maps, torch.tensor([True, False]).view(2, 1, 1, 1))
    pooled.sum().backward()
    assert pooled[1].eq(0).all()
    assert all(p.grad.isfinite().all() for p in [maps, *pool.parameters()])


def test_too_many_stripes_are_refused():
    with pytest.raises(ValueError, match=r"2 rows cannot be cut into 3 stripes.*network\.stripes"):
        Pooling("avg", 3)(torch.zeros(1, 1, 2, 2))


def test_pooling_and_neck_stay_fp32_under_autocast():
    torch.manual_seed(0)
    pool, neck = Pooling("gem", 2), Neck(8, embedding=8)
    maps = torch.rand(4, 4, 4, 2)
    expected = neck(pool(maps))
    with torch.autocast("cpu", torch.bfloat16):
        rows = neck(pool(maps))
    torch.testing.assert_close(rows, expected, rtol=0, atol=0)
    assert not neck.bn.bias.requires_grad
