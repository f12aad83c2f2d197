"""Patient-level bootstrap by counts: a resample is how often each patient was drawn, not a copy of the data.

A statistic that knows weighted patients then treats hundreds of resamples at once; those of this package end in
``_of_resamples``. Everything compared on one call is compared on the same resamples, so differences are paired.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lymphoma.survival.follow_up import Floats, Ints

__all__ = ["BLOCK", "Interval", "bootstrap", "difference", "interval"]

STREAM = 53
"""Random stream of resamples."""
BLOCK = 250
"""Resamples at a time: weights of 10,000 patients then take 20 MB. Changing it changes what a seed gives."""

Statistic = Callable[[Floats], Floats]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Interval:
    """A figure with its percentile interval.

    Attributes:
        p: two-sided bootstrap p of 0, None where the figure is no difference.
    """

    estimate: float
    lower: float
    upper: float
    level: float
    p: float | None = None


def bootstrap(
    n: int,
    statistic: Statistic,
    *,
    resamples: int,
    seed: int,
    progress: Progress | None = None,
    strata: Ints | None = None,
) -> Floats:
    """Draws of a statistic, shape (resamples, M).

    Args:
        n: patients.
        statistic: from counts (n, B) to values (B, M).
        progress: called with resamples done and resamples asked for.
        strata: (n,) labels; each stratum then keeps its size in every resample. None draws from all alike.
    """
    draws = []
    for first in range(0, resamples, BLOCK):
        rng = np.random.default_rng([seed, STREAM, first // BLOCK])
        here = min(BLOCK, resamples - first)
        # The block is drawn whole, so that the first resamples do not depend on how many were asked for.
        counts = _counts(rng, np.zeros(n, dtype=np.int64) if strata is None else strata)[:here]
        draws.append(np.asarray(statistic(np.ascontiguousarray(counts.T, dtype=np.float64)), dtype=np.float64))
        if progress is not None:
            progress(first + here, resamples)
    return np.concatenate(draws)


def _counts(rng: np.random.Generator, strata: Ints) -> Ints:
    """(BLOCK, n) how often each patient is drawn."""
    counts = np.zeros((BLOCK, strata.size), dtype=np.int64)
    for label in np.unique(strata):
        members = np.flatnonzero(strata == label)
        counts[:, members] = rng.multinomial(members.size, np.full(members.size, 1 / members.size), size=BLOCK)
    return counts


def interval(estimate: float, draws: Floats, level: float = 0.95) -> Interval:
    """Percentile interval; draws (R,) that are NaN, as a resample without events gives, are left out."""
    lower, upper = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(lower), float(upper), level)


def difference(first: float, second: float, draws: Floats, level: float = 0.95) -> Interval:
    """``first - second`` with interval and p from paired draws (R, 2) of the two.

    p is twice the smaller share of draws on either side of 0, with 1 added above and below the line as for any Monte
    Carlo test, so that it is never 0.
    """
    gap = draws[:, 0] - draws[:, 1]
    gap = gap[np.isfinite(gap)]
    plain = interval(first - second, gap, level)
    side = min((gap <= 0).sum(), (gap >= 0).sum())
    p = min(1.0, 2 * (float(side) + 1) / (gap.size + 1))
    return Interval(plain.estimate, plain.lower, plain.upper, level, p)
