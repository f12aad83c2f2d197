"""Kaplan-Meier curves, log-rank tests and the length of follow-up (scikit-survival, lifelines)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from lifelines.statistics import multivariate_logrank_test
from sksurv.nonparametric import kaplan_meier_estimator

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = ["LEAST_EVENTS", "KaplanMeier", "LogRank", "Rate", "kaplan_meier", "log_rank", "median_follow_up_months"]

LEAST_EVENTS = 10
"""A percentage that rests on fewer events is withheld."""


@dataclass(frozen=True)
class Rate:
    """Survival at a time.

    Attributes:
        at_risk: patients still followed there. events: up to and including it.
        survival, lower, upper: None where withheld: fewer than 10 events, or nobody followed to that time.
    """

    months: float
    at_risk: int
    events: int
    survival: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """A right-continuous curve with its pointwise interval on the log(-log) scale.

    Attributes:
        months: (k,) 0 and every time at which a patient leaves, ascending.
        survival, lower, upper: (k,) from each time on.
        at_risk, left, events: (k,) patients at risk just before each time, leaving there, and failing there.
        level: of the interval.
    """

    months: Floats
    survival: Floats
    lower: Floats
    upper: Floats
    at_risk: Ints
    left: Ints
    events: Ints
    level: float

    @property
    def median_months(self) -> float | None:
        """First time at which survival is one half or less; None where it is not reached."""
        return self._first(self.survival)

    @property
    def median_interval_months(self) -> tuple[float | None, float | None]:
        """Where the bounds of the interval reach one half (Brookmeyer, Biometrics 1982;38:29)."""
        return self._first(self.lower), self._first(self.upper)

    def numbers_at_risk(self, months: npt.ArrayLike) -> Ints:
        """Patients followed to each time or longer, for the row under a drawn curve."""
        times = np.atleast_1d(np.asarray(months, dtype=np.float64))
        later = np.concatenate([np.cumsum(self.left[::-1])[::-1], [0]])
        counts: Ints = later[np.searchsorted(self.months, times, side="left")]
        return counts

    def rate(self, months: float) -> Rate:
        """Survival at a time, withheld by the rule of ten events."""
        step = int(np.searchsorted(self.months, months, side="right")) - 1
        at_risk, events = int(self.numbers_at_risk(months)[0]), int(self.events[: step + 1].sum())
        if events < LEAST_EVENTS or months > self.months[-1]:
            return Rate(months, at_risk, events, None, None, None)
        found = (float(curve[step]) for curve in (self.survival, self.lower, self.upper))
        return Rate(months, at_risk, events, *found)

    def at(self, months: npt.ArrayLike) -> Floats:
        """S(t), shape (T,), for computations; nothing is withheld.

        Raises:
            NotComputable: ``HORIZON_BEYOND_FOLLOW_UP`` after the last patient, unless survival is 0 by then.
        """
        times = np.atleast_1d(np.asarray(months, dtype=np.float64))
        if (times > self.months[-1]).any() and self.survival[-1] > 0:
            raise NotComputable("HORIZON_BEYOND_FOLLOW_UP", "nobody was followed to that time")
        survival: Floats = self.survival[np.searchsorted(self.months, times, side="right") - 1]
        return survival

    def variance(self, months: float) -> float:
        """Greenwood's variance of S(t); 0 where S is 1 or 0."""
        step = int(np.searchsorted(self.months, months, side="right"))
        d, r = self.events[:step].astype(np.float64), self.at_risk[:step].astype(np.float64)
        alive = r > d
        return float(self.at([months])[0] ** 2 * (d[alive] / (r[alive] * (r[alive] - d[alive]))).sum())

    def _first(self, curve: Floats) -> float | None:
        below = np.flatnonzero(curve <= 0.5)
        return float(self.months[below[0]]) if below.size else None


@dataclass(frozen=True)
class LogRank:
    """Test that the curves of all groups are one."""

    chi_squared: float
    degrees_of_freedom: int
    p: float


def kaplan_meier(follow_up: FollowUp, level: float = 0.95) -> KaplanMeier:
    """The curve of a cohort."""
    times, group = np.unique(follow_up.months, return_inverse=True)
    left = np.bincount(group)
    events = np.bincount(group, weights=follow_up.event).astype(np.int64)
    found = kaplan_meier_estimator(follow_up.event, follow_up.months, conf_level=level, conf_type="log-log")
    _, survival, (lower, upper) = found
    return KaplanMeier(
        np.concatenate([[0.0], times]),
        np.concatenate([[1.0], survival]),
        np.concatenate([[1.0], lower]),
        np.concatenate([[1.0], upper]),
        np.concatenate([[follow_up.n], np.cumsum(left[::-1])[::-1]]),
        np.concatenate([[0], left]),
        np.concatenate([[0], events]),
        level,
    )


def log_rank(groups: Sequence[FollowUp]) -> LogRank:
    """Log-rank test of two or more groups.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS`` without any event, ``TOO_FEW_GROUPS`` under two groups.
    """
    if len(groups) < 2:
        raise NotComputable("TOO_FEW_GROUPS", "a log-rank test needs two groups")
    if not any(group.events for group in groups):
        raise NotComputable("TOO_FEW_EVENTS", "no group has an event")
    months, event = (np.concatenate([getattr(group, name) for group in groups]) for name in ("months", "event"))
    label = np.repeat(np.arange(len(groups)), [group.n for group in groups])
    result = multivariate_logrank_test(months, label, event)
    return LogRank(float(result.test_statistic), len(groups) - 1, float(result.p_value))


def median_follow_up_months(follow_up: FollowUp) -> float | None:
    """Reverse Kaplan-Meier: the median time to censoring, events taken as censored (Schemper, 1996;17:343)."""
    return kaplan_meier(FollowUp(follow_up.months, ~follow_up.event)).median_months
