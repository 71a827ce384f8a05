import torch
from hypothesis import given
from hypothesis import strategies as st

from reidzoo.clustering import choose_positives, pair_priorities


def some_labels(seed, count=40, clusterings=5):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-1, 4, (clusterings, count), generator=generator)


def everybody(table):
    images = torch.arange(table.shape[1])
    return pair_priorities(table, images[:, None], images[None])


@given(st.integers(0, 99))
def test_priorities_are_shares_and_symmetric(seed):
    table = some_labels(seed)
    w = everybody(table)
    assert torch.equal(w, w.T)
    torch.testing.assert_close(5 * w, (5 * w).round())
    renamed = table.where(table < 0, 3 - table)
    assert torch.equal(everybody(renamed), w)


@given(st.integers(0, 99))
def test_a_refinement_never_raises_a_priority(seed):
    coarse = some_labels(seed)
    fine = coarse.where(coarse < 0, 2 * coarse + torch.arange(40) % 2)
    assert (everybody(fine) <= everybody(coarse)).all()


@given(st.integers(0, 99), st.integers(1, 16))
def test_positives_are_the_best_of_the_own_cluster(seed, most):
    table = some_labels(seed)
    labels = table[0]
    positives, priorities = choose_positives(labels, table, most, torch.Generator())
    for i in range(40):
        chosen = positives[i][priorities[i] > 0]
        mates = [j for j in range(40) if j != i and labels[j] == labels[i] >= 0]
        assert len(set(chosen.tolist())) == len(chosen) == min(most, len(mates))
        assert set(chosen.tolist()) <= set(mates)
        everyone = pair_priorities(table, torch.tensor([i]), torch.tensor(mates).long())
        best = everyone.sort(descending=True).values.tolist()
        found = sorted(priorities[i][priorities[i] > 0].tolist(), reverse=True)
        assert found == best[: len(found)]


def test_ties_are_drawn_anew():
    labels = torch.zeros(30, dtype=torch.int64)
    first, second = (
        choose_positives(labels, labels[None], 5, torch.Generator().manual_seed(seed))[0]
        for seed in (0, 1)
    )
    assert not torch.equal(first, second)
