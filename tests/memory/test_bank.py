import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from reidzoo.memory import ClusterMemory, InstanceMemory, cluster_means
from reidzoo.memory.rows import move_in_turn


def unit(*shape):
    return F.normalize(torch.randn(*shape), dim=-1)


def slow_update(rows, features, labels, momentum, rule):
    """The definition, sample by sample."""
    rows = rows.clone()
    if rule == "mean":
        for f, y in zip(features[labels >= 0], labels[labels >= 0], strict=True):
            rows[y] = F.normalize(momentum * rows[y] + (1 - momentum) * f, dim=0)
        return rows
    for y in labels[labels >= 0].unique():
        mine = features[labels == y]
        f = mine[(mine @ rows[y]).argmin()] if rule == "hardest" else mine.mean(0)
        rows[y] = F.normalize(momentum * rows[y] + (1 - momentum) * f, dim=0)
    return rows


@pytest.mark.parametrize("rule", ["mean", "hardest", "batch_mean"])
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), batch=st.integers(1, 24), clusters=st.integers(1, 9))
def test_update_is_the_loop(rule, seed, batch, clusters):
    torch.manual_seed(seed)
    memory = ClusterMemory(16, momentum=0.3, update=rule)
    memory.reset(unit(clusters, 16))
    features, labels = unit(batch, 16), torch.randint(-1, clusters, (batch,))
    expected = slow_update(memory.rows, features, labels, 0.3, rule)
    memory.update(features, labels)
    torch.testing.assert_close(memory.rows, expected, atol=1e-6, rtol=0)


def test_hardest_takes_the_first_on_ties():
    memory = ClusterMemory(2, momentum=0.0, update="hardest")
    memory.reset(torch.tensor([[1.0, 0.0]]))
    memory.update(torch.tensor([[0.0, 1.0], [0.0, -1.0]]), torch.tensor([0, 0]))
    assert memory.rows.tolist() == [[0.0, 1.0]]


def test_duplicates_of_an_image_apply_one_after_the_other():
    memory = InstanceMemory(3, 4, momentum=0.2)
    memory.reset(unit(3, 4))
    features, index = unit(3, 4), torch.tensor([1, 1, 0])
    expected = memory.rows.clone()
    for f, i in zip(features, index, strict=True):
        expected[i] = F.normalize(0.2 * expected[i] + 0.8 * f, dim=0)
    memory.update(features, index)
    torch.testing.assert_close(memory.rows, expected)


def test_loading_takes_the_size_of_what_is_loaded():
    memory = ClusterMemory(4)
    memory.reset(unit(7, 4))
    other = ClusterMemory(4)
    other.load_state_dict(copy.deepcopy(memory.state_dict()))
    assert torch.equal(other.rows, memory.rows)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_rows_stay_fp32_when_the_module_is_converted(dtype):
    memory = ClusterMemory(4)
    memory.reset(unit(3, 4))
    before = memory.rows.clone()
    assert torch.nn.ModuleList([memory]).to(dtype)[0].rows.dtype == torch.float32
    assert torch.allclose(memory.rows, before, atol=0.01)


def test_reset_copies():
    rows = unit(3, 4)
    memory = ClusterMemory(4)
    memory.reset(rows)
    move_in_turn(memory.rows, unit(1, 4), torch.tensor([0]), 0.5)
    assert not torch.equal(memory.rows, rows)


def test_parts_have_a_norm_each():
    memory = InstanceMemory(0, 4, momentum=0.2)
    memory.reset(unit(2, 3, 4))
    features, expected = unit(1, 3, 4), memory.rows.clone()
    expected[1] = F.normalize(0.2 * expected[1] + 0.8 * features[0], dim=-1)
    memory.update(features, torch.tensor([1]))
    torch.testing.assert_close(memory.rows, expected)


def test_what_is_no_number_stays_visible():
    memory = ClusterMemory(2)
    memory.reset(torch.eye(2))
    memory.update(torch.tensor([[torch.nan, 0.0]]), torch.tensor([0]))
    assert memory.rows[0].isnan().all()
    assert memory.rows[1].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("clusters", [0, 2])
def test_a_label_without_a_row_is_an_error_and_no_wild_write(clusters):
    memory = ClusterMemory(4)
    memory.reset(unit(clusters, 4))
    with pytest.raises(IndexError, match="beyond the rows"):
        memory.update(unit(1, 4), torch.tensor([clusters]))
    memory.update(unit(1, 4), torch.tensor([-1]))
    memory.update(unit(0, 4), torch.tensor([]).long())


def test_unknown_rule_names_the_allowed_ones():
    with pytest.raises(ValueError, match="mean, hardest, batch_mean"):
        ClusterMemory(4, update="median")


def test_cluster_means_leave_outliers_out():
    features = unit(9, 5)
    labels = torch.tensor([0, 1, -1, 0, 1, 1, -1, 2, 0])
    for k in range(3):
        expected = F.normalize(features[labels == k].mean(0), dim=0)
        torch.testing.assert_close(cluster_means(features, labels)[k], expected)
