"""Plans are pure, whole and fair: properties on random labels, and a slow loop as the oracle."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reidzoo.data.samplers import (
    PlanSampler,
    PlanShape,
    deal,
    plan_every_label,
    plan_identities,
    plan_identities_and_outliers,
)


@st.composite
def problems(draw):
    """Labels (some outliers, two clusters at least), cameras (some unknown) and a plan's shape."""
    images = draw(st.integers(4, 60))
    clusters = draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = rng.integers(-1, clusters, images)
    labels[:2] = 0, 1
    cameras = rng.integers(-1, draw(st.integers(0, 4)), images)
    instances = draw(st.integers(1, 5))
    shape = PlanShape(draw(st.integers(1, 6)), instances * draw(st.integers(1, 6)), instances)
    return labels, cameras, shape, rng


@given(problems())
def test_blocks_hold_one_cluster_and_no_outlier(problem):
    labels, cameras, shape, rng = problem
    plan = plan_identities(labels, cameras, shape, rng)
    assert plan.shape == (shape.batches, shape.batch_size)
    blocks = labels[plan].reshape(shape.batches, -1, shape.num_instances)
    assert (blocks >= 0).all()
    assert (blocks == blocks[..., :1]).all()


@given(problems())
def test_clusters_repeat_in_a_batch_only_if_there_are_too_few(problem):
    labels, cameras, shape, rng = problem
    plan = plan_identities(labels, cameras, shape, rng)
    clusters = len(set(labels[labels >= 0].tolist()))
    for batch in labels[plan][:, :: shape.num_instances]:
        assert len(set(batch.tolist())) == min(clusters, shape.blocks)


@given(problems())
def test_an_identity_with_enough_images_never_repeats_one(problem):
    labels, _, shape, rng = problem
    plan = plan_identities(labels, None, shape, rng).reshape(-1, shape.num_instances)
    for block in plan:
        if (labels == labels[block[0]]).sum() >= shape.num_instances:
            assert len(set(block.tolist())) == shape.num_instances


@given(problems())
def test_companions_come_from_other_cameras_and_are_distinct_where_possible(problem):
    labels, cameras, shape, rng = problem
    for anchor, *others in plan_identities(labels, cameras, shape, rng).reshape(
        -1, shape.num_instances
    ):
        members = np.flatnonzero(labels == labels[anchor])
        elsewhere = members[cameras[members] != cameras[anchor]]
        allowed = elsewhere if len(elsewhere) else members[members != anchor]
        allowed = allowed if len(allowed) else members
        assert set(others) <= set(allowed)
        if len(allowed) >= len(others):
            assert len(set(others)) == len(others)


def draw_slowly(members, cameras, instances, rng):
    """The rule of pipeline.md 0.6 for one identity, word for word."""
    anchor = rng.choice(members)
    others = members[cameras[members] != cameras[anchor]]
    if not len(others):
        others = members[members != anchor]
    if not len(others):
        others = members
    replace = len(others) < instances - 1
    return np.append(anchor, rng.choice(others, instances - 1, replace=replace))


@pytest.mark.parametrize(
    "cameras",
    [[0, 0, 0, 1, 1, 2, 2, 2, 2], [0] * 8 + [1], [3] * 9, [-1, -1, 0, 1, 1, 1, 1, 1, 1]],
    ids=["mixed", "one elsewhere", "one camera", "some unknown"],
)
def test_pairs_are_drawn_as_often_as_by_the_slow_loop(cameras):
    cameras = np.array([*cameras, 0, 1])
    labels = np.array([0] * 9 + [1] * 2)
    rounds, instances = 20_000, 4
    plan = plan_identities(
        labels, cameras, PlanShape(rounds, 2 * instances, instances), np.random.default_rng(0)
    ).reshape(-1, instances)
    rng = np.random.default_rng(1)
    slow = np.array([draw_slowly(np.arange(9), cameras, instances, rng) for _ in range(rounds)])

    def pair_shares(rows):
        table = np.zeros((9, 9))
        np.add.at(table, (rows[:, :1].repeat(instances - 1, 1), rows[:, 1:]), 1 / rows[:, 1:].size)
        return table

    fast_shares, slow_shares = pair_shares(plan[labels[plan[:, 0]] == 0]), pair_shares(slow)
    # five standard deviations of a share's difference, were all draws independent
    bound = 5 * np.sqrt(2 * slow_shares / (rounds * (instances - 1))) + 1e-4
    assert (np.abs(fast_shares - slow_shares) < bound).all()


def test_a_single_image_stands_for_its_identity():
    plan = plan_identities(
        np.array([0, 1, -1]), np.array([0, 0, 0]), PlanShape(3, 8, 4), np.random.default_rng(0)
    )
    assert sorted(plan[0].tolist()) == [0] * 4 + [1] * 4


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_dealing_shows_every_number_once_per_pass(count, hands, size, seed):
    rows = deal(count, hands, size, np.random.default_rng(seed))
    assert rows.shape == (hands, size)
    if size <= count:
        per_pass = count // size
        for start in range(0, hands, per_pass):
            seen = rows[start : start + per_pass].ravel()
            assert len(set(seen.tolist())) == seen.size
    else:
        for row in rows:
            times = np.bincount(row, minlength=count)
            assert times.max() - times.min() <= 1


def test_every_cluster_and_image_gets_its_turn():
    labels = np.repeat(np.arange(8), 5)
    plan = plan_identities(labels, None, PlanShape(60, 8, 2), np.random.default_rng(0))
    assert np.bincount(labels[plan].ravel()).tolist() == [60] * 8
    assert set(plan.ravel().tolist()) == set(range(40))


@given(problems())
def test_outliers_take_every_fourth_block(problem):
    labels, cameras, shape, rng = problem
    plan = plan_identities_and_outliers(labels, cameras, shape, rng)
    outliers = int((labels == -1).sum())
    instances = shape.num_instances
    expected = min(shape.blocks // 4, -(-outliers // instances))
    for batch in plan:
        is_outlier = (labels[batch] == -1).reshape(-1, instances)
        assert (is_outlier == is_outlier[:, :1]).all()
        assert np.flatnonzero(is_outlier[:, 0]).tolist() == [4 * i + 3 for i in range(expected)]
        drawn = batch[labels[batch] == -1]
        assert len(set(drawn.tolist())) == min(outliers, expected * instances)


def test_every_label_gets_its_turn():
    labels = np.repeat([0, 1, 2, 3, 4, 5, -1, -1], 6)
    plan = plan_every_label(labels, None, PlanShape(9, 4, 4), np.random.default_rng(0))
    drawn = np.bincount(labels[plan].ravel() + 1)
    assert drawn.tolist() == [12] + [4] * 6  # one pass: an outlier has one place, a cluster four
    assert set(np.flatnonzero(labels == -1)) <= set(plan.ravel().tolist())


def sampler(labels, *, epoch=0, seed=0, sampling="pk", rank=0, world_size=1):
    result = PlanSampler(
        PlanShape(5, 16, 2 if sampling != "random" else 1),
        len(labels),
        sampling,
        torch.arange(len(labels)) % 3,
        seed,
        rank,
        world_size,
    )
    result.set_plan(labels, epoch)
    return result


@pytest.mark.parametrize("sampling", ["pk", "random", "pk+outliers", "every", "proxies"])
def test_the_plan_is_a_pure_function_and_ranks_share_it(sampling):
    labels, same = torch.arange(60) % 12 - 1, {"epoch": 3, "sampling": sampling}
    whole = list(sampler(labels, **same))
    torch.rand(3)
    np.random.rand(3)
    assert list(sampler(labels, **same)) == whole
    assert [key for _, key in whole] == [(0, 3, position) for position in range(80)]
    for other in (sampler(labels, **same | {"epoch": 4}), sampler(labels, **same, seed=1)):
        assert [index for index, _ in other] != [index for index, _ in whole]

    parts = [sampler(labels, **same, rank=rank, world_size=2) for rank in (0, 1)]
    assert [len(part) for part in parts] == [40, 40]
    rows = [np.array([(index, *key) for index, key in part]).reshape(5, 8, 4) for part in parts]
    assert np.concatenate(rows, axis=1).reshape(80, 4).tolist() == [
        [index, *key] for index, key in whole
    ]


def test_proxies_fill_blocks_with_images_of_one_cluster_and_camera():
    labels = torch.arange(60) % 5 - 1  # and 3 cameras, in turn: 12 proxies of 4 images
    drawn = np.array([index for index, _ in sampler(labels, sampling="proxies")]).reshape(-1, 2)
    proxies = labels.numpy() * 3 + np.arange(60) % 3
    assert (proxies[drawn][:, 0] == proxies[drawn][:, 1]).all()
    assert (drawn[:, 0] != drawn[:, 1]).all()
    assert set(proxies[drawn[:8, 0]].tolist()) <= set(range(12))
    assert len(set(proxies[drawn].ravel().tolist())) == 12
    for batch in proxies[drawn[:, 0]].reshape(5, 8):
        assert len(set(batch.tolist())) == 8

    without = PlanSampler(PlanShape(5, 16, 2), 60, "proxies", cameras=None)
    without.set_plan(labels, 0)
    assert without.plan.tolist() == sampler_without_cameras(labels).tolist()


def sampler_without_cameras(labels):
    plan = PlanSampler(PlanShape(5, 16, 2), 60, "pk", cameras=None)
    plan.set_plan(labels, 0)
    return plan.plan


def test_labels_may_change_but_the_length_does_not():
    plan = sampler(torch.arange(60) % 12)
    lengths = {len(plan)}
    for labels in (torch.arange(60) % 2, torch.arange(60), torch.arange(60).clamp(max=1)):
        plan.set_plan(labels, 1)
        lengths |= {len(plan), len(list(plan))}
    assert lengths == {80}


def test_misuse_is_explained():
    with pytest.raises(ValueError, match="at least 2 clusters, the labels have 1"):
        sampler(torch.tensor([0, 0, -1]))
    with pytest.raises(ValueError, match="at least 2 clusters, the labels have 0"):
        sampler(torch.tensor([-1, -1, -1]))
    plan = PlanSampler(PlanShape(1, 4, 2), 3)
    with pytest.raises(ValueError, match="needs 3 labels, one per image; got 2"):
        plan.set_plan(torch.tensor([0, 1]), 0)
    with pytest.raises(RuntimeError, match="set_plan"):
        next(iter(plan))
