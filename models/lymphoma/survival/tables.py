"""Table 1: what two or more groups of patients are like, and the tests of their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from lymphoma.errors import NotComputable

__all__ = ["CategoricalRow", "ContinuousRow", "GroupSummary", "categorical_row", "continuous_row"]

ContinuousTest = Literal["t", "mann_whitney"]
NORMAL_ABOVE_P = 0.05
"""Shapiro-Wilk p from which a column is taken as normal where no test was named [A]."""
LEAST_EXPECTED = 5
"""Expected count under which the chi-squared approximation is left (Cochran)."""


@dataclass(frozen=True)
class GroupSummary:
    """A continuous column in one group; ``missing`` values are not in the other figures."""

    n: int
    missing: int
    mean: float
    sd: float
    median: float
    lower_quartile: float
    upper_quartile: float


@dataclass(frozen=True)
class ContinuousRow:
    """Test of two groups: Welch's t or Mann-Whitney (two-sided)."""

    groups: tuple[GroupSummary, ...]
    test: ContinuousTest
    p: float


@dataclass(frozen=True)
class CategoricalRow:
    """Counts of each level in each group.

    Attributes:
        counts: per group, per level. missing: per group.
        test: Fisher's exact test for 2 x 2 with an expected count under 5, else Pearson's chi-squared without
            correction. small_expected: an expected count is under 5 although chi-squared was used.
    """

    levels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    missing: tuple[int, ...]
    test: Literal["chi_squared", "fisher"]
    small_expected: bool
    p: float


def continuous_row(first: npt.ArrayLike, second: npt.ArrayLike, test: ContinuousTest | None = None) -> ContinuousRow:
    """Compares a number between two groups; NaN is missing.

    Args:
        test: where None, t if Shapiro-Wilk rejects normality in neither group, else Mann-Whitney [A].

    Raises:
        NotComputable: ``TOO_FEW_PATIENTS`` with fewer than three known values in a group.
    """
    given = [np.asarray(column, dtype=np.float64) for column in (first, second)]
    known = [column[~np.isnan(column)] for column in given]
    if min(column.size for column in known) < 3:
        raise NotComputable("TOO_FEW_PATIENTS", "three known values per group are needed")
    chosen: ContinuousTest = test or ("t" if all(_looks_normal(column) for column in known) else "mann_whitney")
    result = stats.ttest_ind(*known, equal_var=False) if chosen == "t" else stats.mannwhitneyu(*known)
    return ContinuousRow(tuple(_summary(column) for column in given), chosen, float(result.pvalue))


def categorical_row(levels: Sequence[str], groups: Sequence[Sequence[str | None]]) -> CategoricalRow:
    """Compares the levels between two or more groups; None is missing, a level that no patient has is not tested.

    Raises:
        NotComputable: ``TOO_FEW_PATIENTS`` where a group has no known value, ``ONE_CLASS`` where all have one level.
    """
    if unknown := {word for group in groups for word in group if word is not None} - set(levels):
        raise NotComputable("COVARIATE_INVALID", f"{len(unknown)} values are none of the levels")
    counts = np.array([[sum(word == level for word in group) for level in levels] for group in groups])
    if (counts.sum(axis=1) == 0).any():
        raise NotComputable("TOO_FEW_PATIENTS", "a group has no known value")
    table = counts[:, counts.sum(axis=0) > 0]
    if table.shape[1] < 2 or len(groups) < 2:
        raise NotComputable("ONE_CLASS", "there is nothing to compare")
    small = bool((stats.contingency.expected_freq(table) < LEAST_EXPECTED).any())
    exact = small and table.shape == (2, 2)
    p = stats.fisher_exact(table).pvalue if exact else stats.chi2_contingency(table, correction=False).pvalue
    return CategoricalRow(
        tuple(levels),
        tuple(tuple(int(c) for c in row) for row in counts),
        tuple(sum(word is None for word in group) for group in groups),
        "fisher" if exact else "chi_squared",
        small and not exact,
        float(p),
    )


def _looks_normal(column: npt.NDArray[np.float64]) -> bool:
    if np.ptp(column) == 0:
        return False
    # Above 5,000 values scipy's p is not to be trusted; the t test then holds by the central limit theorem.
    return column.size > 5000 or float(stats.shapiro(column).pvalue) > NORMAL_ABOVE_P


def _summary(column: npt.NDArray[np.float64]) -> GroupSummary:
    known = column[~np.isnan(column)]
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    return GroupSummary(
        int(known.size),
        int(column.size - known.size),
        float(known.mean()),
        float(known.std(ddof=1)),
        float(middle),
        float(low),
        float(high),
    )
