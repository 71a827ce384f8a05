import math

import numpy as np
import pytest

from reidzoo.metrics.identity_errors import identity_errors


def test_a_small_case_by_hand():
    # Cluster 0: A A A B; cluster 1: A B B; cluster 2: C; outliers: A, D, D.
    people = [1, 1, 1, 2, 1, 2, 2, 3, 1, 4, 4]
    labels = [0, 0, 0, 0, 1, 1, 1, 2, -1, -1, -1]
    errors = identity_errors(people, labels)
    assert errors["split_errors"] == 2 / 8  # one A in cluster 1, one B in cluster 0
    assert errors["merge_errors"] == 2 / 8  # the B in cluster 0, the A in cluster 1
    assert errors["lost_identities"] == 1 / 4  # D


def test_split_and_merged_are_told_apart():
    people = [1] * 4 + [2] * 4
    assert identity_errors(people, [0, 0, 1, 1, 2, 2, 3, 3]) == {
        "split_errors": 0.5,
        "merge_errors": 0.0,
        "lost_identities": 0.0,
    }
    assert identity_errors(people, [0] * 8) == {
        "split_errors": 0.0,
        "merge_errors": 0.5,
        "lost_identities": 0.0,
    }


def test_agrees_with_a_slow_loop_and_forgets_unknown_people():
    noise = np.random.default_rng(3)
    people, labels = noise.integers(-2, 9, 300), noise.integers(-1, 12, 300)
    kept = [(p, y) for p, y in zip(people, labels, strict=True) if p >= 0 and y >= 0]

    def outside(mine, other):
        groups = {group: [pair[other] for pair in kept if pair[mine] == group] for group in
                  {pair[mine] for pair in kept}}  # fmt: skip
        return sum(len(g) - max(g.count(x) for x in g) for g in groups.values()) / len(kept)

    errors = identity_errors(people, labels)
    assert errors["split_errors"] == pytest.approx(outside(0, 1), abs=1e-12)
    assert errors["merge_errors"] == pytest.approx(outside(1, 0), abs=1e-12)
    assert errors["lost_identities"] == 0


def test_without_clusters_everybody_is_lost():
    errors = identity_errors([1, 2], [-1, -1])
    assert errors["lost_identities"] == 1
    assert math.isnan(errors["split_errors"])
    assert math.isnan(errors["merge_errors"])


def test_refuses_what_cannot_be_compared():
    with pytest.raises(ValueError, match="2 entries and labels 1"):
        identity_errors([1, 2], [0])
    with pytest.raises(ValueError, match="none of the 2 identities is known"):
        identity_errors([-1, -2], [0, 0])
