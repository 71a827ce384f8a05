from itertools import product

import numpy as np
import pytest
from scipy import stats

from reidzoo.laboratory.statistics import (
    compare_means,
    compare_precisions,
    mean_and_spread,
    resample_means,
    welch,
)


@pytest.fixture
def noise():
    return np.random.default_rng(7)


def test_spread_is_the_sample_standard_deviation(noise):
    values = noise.normal(size=5)
    mean, spread = mean_and_spread(values.tolist())
    assert mean == pytest.approx(values.mean())
    assert spread == pytest.approx(stats.tstd(values))
    assert mean_and_spread([0.5]) == (0.5, None)


def test_interval_over_seeds_is_that_of_welch(noise):
    first, second = noise.normal(0.5, 0.02, 3), noise.normal(0.55, 0.05, 4)
    expected = stats.ttest_ind(second, first, equal_var=False)
    low, high = expected.confidence_interval(0.95)
    found = compare_means(first, second)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert welch(first, second)[1] == pytest.approx(expected.df)
    assert found.sources == "seeds"


def test_one_seed_says_nothing_about_seeds():
    assert compare_means(np.array([0.5]), np.array([0.6, 0.7])) is None


def test_bootstrap_agrees_with_all_resamples_there_are():
    gains = np.array([0.0, 0.1, 0.3, 0.7])
    every = np.array([np.mean(chosen) for chosen in product(gains, repeat=4)])
    found = compare_precisions(np.zeros((1, 4)), gains[None], level=0.8)
    low, high = np.quantile(every, [0.1, 0.9])
    assert found.value == pytest.approx(gains.mean())
    assert (found.low, found.high) == pytest.approx((low, high))


def test_bootstrap_agrees_with_scipy(noise):
    gains = noise.normal(0.03, 0.2, 120)
    expected = stats.bootstrap(
        (gains,), np.mean, method="percentile", n_resamples=20_000, rng=noise
    ).confidence_interval
    found = compare_precisions(np.zeros((1, 120)), gains[None])
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.002)


def test_means_of_two_values_are_drawn_as_often_as_they_should(noise):
    draws = resample_means(np.array([0.0, 1.0]), 10_000, noise)
    shares = [(draws == value).mean() for value in (0.0, 0.5, 1.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


def test_pairing_by_query_sees_what_unpaired_means_would_not(noise):
    hardness = noise.uniform(0, 1, 100)  # queries differ far more than the rows do
    found = compare_precisions(0.9 * hardness[None], 0.9 * hardness[None] + 0.01)
    assert found.distinguishable
    assert str(found) == "different: +1.0 (+1.0 to +1.0)"


def test_equal_rows_are_not_distinguishable(noise):
    rows = noise.uniform(size=(3, 50))
    found = compare_precisions(rows, rows[::-1])
    assert str(found).startswith("not distinguishable: ")


def simulate(noise, truth, seeds=3, queries=60):
    """AP of two rows [S, Q]: queries gain differently, every seed has its own luck."""
    base = noise.normal(0.5, 0.2, queries)
    gain = noise.normal(truth, 0.1, queries)
    rows = []
    for mean in (base, base + gain):
        luck = noise.normal(0, 0.03, (seeds, 1))
        rows.append(mean + luck + noise.normal(0, 0.05, (seeds, queries)))
    return rows


def test_interval_covers_the_truth_as_often_as_it_says(noise):
    truth, repeats = 0.02, 500
    covered, without_seeds = 0, 0
    for seed in range(repeats):
        first, second = simulate(noise, truth)
        found = compare_precisions(first, second, resamples=1000, seed=seed)
        covered += found.low <= truth <= found.high
        one = compare_precisions(first[:1], second[:1], resamples=1000, seed=seed)
        without_seeds += one.low <= truth <= one.high
    assert 0.92 < covered / repeats < 0.99
    assert without_seeds / repeats < 0.75  # why one seed speaks of two networks only


def test_one_seed_covers_what_it_speaks_of():
    """These two networks, and queries drawn from all that could be asked."""
    noise, truth, repeats = np.random.default_rng(11), 0.02, 500
    covered = 0
    for seed in range(repeats):
        gains = noise.normal(truth, 0.1, (1, 80))
        found = compare_precisions(np.zeros((1, 80)), gains, resamples=1000, seed=seed)
        covered += found.low <= truth <= found.high
    assert 0.92 < covered / repeats < 0.98


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equal_rows_are_seldom_called_different(seeds):
    noise, repeats = np.random.default_rng(seeds), 300
    rows = (simulate(noise, 0.0, seeds) for _ in range(repeats))
    found = [compare_precisions(*pair, resamples=1000, seed=i) for i, pair in enumerate(rows)]
    assert sum(one.distinguishable for one in found) / repeats < 0.09  # 5 % and its own spread


def test_more_seeds_make_the_interval_narrower():
    noise = np.random.default_rng(3)
    widths = []
    for seeds in (2, 5, 20):
        pairs = [simulate(noise, 0.02, seeds) for _ in range(40)]
        found = [compare_precisions(*pair, resamples=1000) for pair in pairs]
        widths.append(np.median([one.high - one.low for one in found]))
    assert widths[0] > widths[1] > widths[2]


def test_queries_without_an_answer_are_left_out():
    first, second = np.array([[0.1, np.nan, 0.3]]), np.array([[0.2, np.nan, 0.4]])
    assert compare_precisions(first, second).value == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros((1, 3)), np.zeros((1, 4))),
        (np.array([[0.1, np.nan]]), np.array([[0.1, 0.2]])),
        (np.full((1, 2), np.nan), np.full((1, 2), np.nan)),
    ],
)
def test_different_queries_are_refused(first, second):
    with pytest.raises(ValueError, match="same queries"):
        compare_precisions(first, second)
