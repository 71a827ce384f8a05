"""Is one row better than another? Means, spreads, and an interval for the difference."""

from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

RESAMPLES = 10_000
CHUNK = 500  # resamples at a time, so that memory stays small with ten thousand queries


@dataclass(frozen=True)
class Difference:
    """Second minus first, with an interval that covers the true value with `level`.

    Args:
        value: the difference of the means.
        low: lower end of the interval.
        high: upper end.
        sources: what the interval accounts for: "queries", "seeds" or "queries and seeds".
    """

    value: float
    low: float
    high: float
    sources: str

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        verdict = "different" if self.distinguishable else "not distinguishable"
        return (
            f"{verdict}: {100 * self.value:+.1f} ({100 * self.low:+.1f} to {100 * self.high:+.1f})"
        )


def mean_and_spread(values: list[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1), None for a single value.

    >>> mean_and_spread([1.0, 2.0, 3.0])
    (2.0, 1.0)
    """
    return mean(values), stdev(values) if len(values) > 1 else None


def compare_precisions(
    first: Array, second: Array, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """Compare two rows by the AP of every query under every seed.

    Two things make a difference uncertain. Other queries could have been asked: a paired bootstrap
    draws the queries anew, the same ones for both rows. Other seeds could have been used: where
    both rows have several, Welch's t distribution of the difference of their means is added.
    With one seed the answer is about these two networks only.

    Args:
        first: AP [S, Q] of one row, a seed per line; NaN where a query has no right answer.
        second: AP [R, Q] of the other row for the same queries.
        level: probability that the interval holds the true difference.
        resamples: how often queries and seeds are drawn.
        seed: of the drawing.

    Raises:
        ValueError: the rows do not share their queries, or none of these has a right answer.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(
            f"average precisions must be [seeds, queries] of the same queries, got {first.shape} "
            f"and {second.shape}"
        )
    counted = ~np.isnan(first[0])
    if not counted.any() or any((np.isnan(ap) == counted).any() for ap in (*first, *second)):
        raise ValueError("the two rows do not answer the same queries")
    first, second = first[:, counted], second[:, counted]
    gains = second.mean(0) - first.mean(0)  # [Q]
    generator = np.random.default_rng(seed)
    draws = resample_means(gains, resamples, generator)
    sources = "queries"
    if min(len(first), len(second)) > 1:
        error, freedom = welch(first.mean(1), second.mean(1))
        draws = draws + error * generator.standard_t(freedom, resamples)
        sources = "queries and seeds"
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(gains.mean()), float(low), float(high), sources)


def compare_means(first: Array, second: Array, level: float = 0.95) -> Difference | None:
    """Compare two rows by one figure per seed, [S] and [R]: Welch's interval.

    Returns:
        None with a single seed, which says nothing about others.
    """
    if min(len(first), len(second)) < 2:
        return None
    error, freedom = welch(first, second)
    half = error * float(stats.t.ppf((1 + level) / 2, freedom))
    value = float(second.mean() - first.mean())
    return Difference(value, value - half, value + half, "seeds")


def welch(first: Array, second: Array) -> tuple[float, float]:
    """Standard error of the difference of two means, and its degrees of freedom.

    >>> welch(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    (1.4142135623730951, 2.0)
    """
    parts = [float(values.var(ddof=1)) / len(values) for values in (first, second)]
    total = sum(parts)
    weighted = sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
    )
    return total**0.5, total**2 / weighted if weighted else 1.0


def resample_means(values: Array, resamples: int, generator: np.random.Generator) -> Array:
    """Means [resamples] of as many values as there are, drawn from them with replacement."""
    means = np.empty(resamples)
    for start in range(0, resamples, CHUNK):
        part = means[start : start + CHUNK]
        chosen = generator.integers(len(values), size=(len(part), len(values)))
        part[:] = values[chosen].mean(1)
    return means
