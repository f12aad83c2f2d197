"""Figures with intervals from one bootstrap, and what may be said of a difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from lymphoma.evaluation.measures import Key, Panel, nan_mean
from lymphoma.evaluation.result import Estimate, Verdict
from lymphoma.survival.bootstrap import BLOCK, bootstrap, difference, interval
from lymphoma.survival.follow_up import Floats, Ints

__all__ = ["Figures", "draw", "holm", "number", "verdict"]

LEAST_DRAWS = 100
"""Resamples that an interval of 95 % needs to have been computed on, or half of those drawn where that is less [A]."""
NO_FIGURE = "it cannot be computed on these patients"


@dataclass(frozen=True, eq=False)
class Figures:
    """Columns: ``values`` (K,) on the patients as they are, ``draws`` (R, K) on the resamples."""

    column: dict[Key, int]
    values: Floats
    draws: Floats

    def estimate(self, key: Key) -> Estimate:
        """One figure."""
        at = self.column.get(key)
        if at is None or not math.isfinite(self.values[at]):
            return Estimate(None, problem=NO_FIGURE)
        if not _enough(self.draws[:, at]):
            return Estimate(float(self.values[at]), problem="too few resamples for an interval")
        found = interval(float(self.values[at]), self.draws[:, at])
        return Estimate(found.estimate, found.lower, found.upper, level=found.level)

    def difference(self, first: Key, second: Key) -> Estimate:
        """``first - second`` on the same resamples, with the p of 0."""
        one, two = self.column.get(first), self.column.get(second)
        if one is None or two is None or not math.isfinite(self.values[one] - self.values[two]):
            return Estimate(None, problem=NO_FIGURE)
        if not _enough(self.draws[:, one] - self.draws[:, two]):
            return Estimate(float(self.values[one] - self.values[two]), problem="too few resamples for an interval")
        found = difference(float(self.values[one]), float(self.values[two]), self.draws[:, [one, two]])
        return Estimate(found.estimate, found.lower, found.upper, found.p, found.level)

    def with_more(self, other: Figures) -> Figures:
        """The columns of both; the other's may rest on fewer of the same resamples."""
        rows = np.full((len(self.draws), len(other.values)), np.nan)
        rows[: len(other.draws)] = other.draws
        shifted = {key: at + len(self.values) for key, at in other.column.items()}
        values, draws = np.concatenate([self.values, other.values]), np.concatenate([self.draws, rows], axis=1)
        return replace(self, column={**self.column, **shifted}, values=values, draws=draws)


def draw(
    repeats: Sequence[Sequence[Panel]],
    strata: Ints,
    *,
    resamples: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Figures:
    """One bootstrap of all panels; a figure is the mean over repeats.

    Args:
        repeats: panels of each repeat. strata: (n,) test folds, within which patients are drawn.
        progress: called after each panel of each block of resamples.
    """
    keys = tuple(dict.fromkeys(key for panels in repeats for panel in panels for key in panel.keys))
    column = {key: at for at, key in enumerate(keys)}
    total, done = (1 + math.ceil(resamples / BLOCK)) * max(1, sum(len(panels) for panels in repeats)), count(1)

    def statistic(counts: Floats) -> Floats:
        found = []
        for panels in repeats:
            values = np.full((counts.shape[1], len(keys)), np.nan)
            for panel in panels:
                values[:, [column[key] for key in panel.keys]] = panel.statistic(counts)
                if progress is not None:
                    progress(next(done), total)
            found.append(values)
        return found[0] if len(found) == 1 else nan_mean(found)

    values = statistic(np.ones((strata.size, 1)))[0]
    draws = bootstrap(strata.size, statistic, resamples=resamples, seed=seed, strata=strata)
    return Figures(column, values, draws)


def verdict(first: str, second: str, gap: Estimate, n: int, *, measure: str, higher_is_better: bool = True) -> Verdict:
    """What may be said of two models from the paired interval of ``first - second``.

    "A beats B" needs an interval that excludes 0; otherwise it is "not shown", with the number of patients.
    """
    if gap.value is None or gap.lower is None or gap.upper is None:
        return Verdict(False, f"{first} against {second}: not shown, n = {n} ({measure} without an interval).")
    if gap.lower <= 0 <= gap.upper:
        return Verdict(False, f"{first} better than {second} by {measure}: not shown, n = {n}.")
    better = (gap.lower > 0) == higher_is_better
    winner, loser = (first, second) if better else (second, first)
    return Verdict(True, f"{winner} beats {loser} by {measure} (n = {n}).")


def holm(p_values: Sequence[float | None]) -> tuple[float | None, ...]:
    """Holm's correction over those that are there (Scand J Stat 1979;6:65)."""
    there = sorted((p, at) for at, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, at) in enumerate(there):
        highest = max(highest, min(1.0, p * (len(there) - rank)))
        corrected[at] = highest
    return tuple(corrected)


def number(value: float) -> float | None:
    """None where it is not a finite number, as JSON wants it."""
    return float(value) if math.isfinite(value) else None


def _enough(draws: Floats) -> bool:
    return draws.size > 0 and int(np.isfinite(draws).sum()) >= max(2.0, min(LEAST_DRAWS, draws.size / 2))
