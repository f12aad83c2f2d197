"""From the true risk to what a clinic would record: progression, death, censoring.

Progression-free survival has proportional hazards: T = H0^-1(-ln U / e^eta) (Bender, Stat Med 2005;24:1713), with a
Weibull or a cured-fraction baseline whose rate gives the population a mean survival of 0.70 at 3 years. Its event is
death in a share of cases, else progression, after which death follows at a rate that shares part of eta; overall
survival is that death. So overall survival is never shorter than progression-free survival.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import norm

from lymphoma.training.case import Outcome

__all__ = [
    "HORIZONS_MONTHS",
    "Baseline",
    "Censoring",
    "OutcomeModel",
    "OutcomeTable",
    "TrueRisk",
    "draw_outcomes",
    "outcome_model",
    "true_risks",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

STREAM = 41
"""Random stream of outcomes; draws of plans and features use others."""
HORIZONS_MONTHS = (12, 24, 36, 60)
MEAN_SURVIVAL, AT_YEARS = 0.70, 3.0
WEIBULL_SHAPE = 0.8
"""The hazard falls with time, as in aggressive lymphoma [A]."""
CURE_YEARS, CURE_SHAPE = 1.2, 0.8
FAR_YEARS = 1e9
NORMAL_GRID = np.asarray(norm.ppf((np.arange(2000) + 0.5) / 2000))


@dataclass(frozen=True)
class Baseline:
    """Cumulative hazard at eta = 0.

    Attributes:
        family: "weibull", H0(t) = rate t^0.8; "cure", H0(t) = rate (1 - exp(-(t / 1.2)^0.8)), bounded. t in years.
    """

    family: Literal["weibull", "cure"]
    rate: float

    def cumulative(self, years: npt.ArrayLike) -> Floats:
        """H0, of any shape."""
        t = np.asarray(years, dtype=np.float64)
        if self.family == "weibull":
            return np.asarray(self.rate * t**WEIBULL_SHAPE)
        return np.asarray(self.rate * -np.expm1(-((t / CURE_YEARS) ** CURE_SHAPE)))

    def years_at(self, cumulative: Floats) -> Floats:
        """The inverse; inf where a bounded hazard never gets there."""
        share = cumulative / self.rate
        if self.family == "weibull":
            return np.asarray(share ** (1 / WEIBULL_SHAPE))
        reached = share < 1
        return np.where(reached, CURE_YEARS * (-np.log1p(-np.where(reached, share, 0.0))) ** (1 / CURE_SHAPE), np.inf)


@dataclass(frozen=True)
class Censoring:
    """Follow-up: accrual over years, an administrative end, and those who are lost [A].

    Attributes:
        least_years, most_years: follow-up at analysis, uniform. administrative_years: nobody longer.
        lost_share: of patients lost at a uniform time before that.
    """

    least_years: float = 2.0
    most_years: float = 6.0
    administrative_years: float = 5.5
    lost_share: float = 0.05


@dataclass(frozen=True)
class OutcomeModel:
    """All that turns a risk into outcomes.

    Attributes:
        death_share: of the events of progression-free survival that are deaths without progression [A].
        shared: part of eta that acts on death after progression. after_years: scale of the time from progression to
            death at eta = 0, Weibull of shape ``after_shape`` (half die within a year and a half, some live long) [A].
    """

    baseline: Baseline
    censoring: Censoring = Censoring()
    death_share: float = 0.15
    shared: float = 0.5
    after_years: float = 2.6
    after_shape: float = 0.7


@dataclass(frozen=True)
class TrueRisk:
    """What is kept beside a virtual patient and no system sees.

    Attributes:
        eta: log hazard ratio of progression-free survival. pfs, os: true survival at :data:`HORIZONS_MONTHS`.
        mode: the mechanism. sigma: SD of eta in the population.
    """

    eta: float
    pfs: tuple[float, float, float, float]
    os: tuple[float, float, float, float]
    mode: str
    sigma: float


@dataclass(frozen=True, eq=False)
class OutcomeTable:
    """Outcomes of many patients, shape (P,) each, in months."""

    pfs_months: Floats
    pfs_event: Bools
    os_months: Floats
    os_event: Bools

    def patient(self, index: int) -> tuple[Outcome, Outcome]:
        """(progression-free survival, overall survival) of one patient."""
        return (
            Outcome(float(self.pfs_months[index]), bool(self.pfs_event[index])),
            Outcome(float(self.os_months[index]), bool(self.os_event[index])),
        )


def outcome_model(
    sigma: float,
    *,
    scores: Floats | None = None,
    family: Literal["weibull", "cure"] = "weibull",
    censoring: Censoring | None = None,
) -> OutcomeModel:
    """The model whose population has a mean progression-free survival of 0.70 at 3 years.

    Args:
        scores: standard scores of a population; None takes the normal distribution.
    """
    eta = sigma * (NORMAL_GRID if scores is None else scores)
    unit = float(Baseline(family, 1.0).cumulative(AT_YEARS))

    def too_many(log_rate: float) -> float:
        return float(np.exp(-np.exp(log_rate + eta) * unit).mean()) - MEAN_SURVIVAL

    rate = float(np.exp(brentq(too_many, -30.0, 10.0, xtol=1e-10)))
    return OutcomeModel(Baseline(family, rate), censoring or Censoring())


def draw_outcomes(
    model: OutcomeModel, eta: Floats, seeds: Sequence[int], *, draw: int = 0, censored: bool = True
) -> OutcomeTable:
    """Times of both endpoints; the same patient and draw give the same times in any cohort.

    Args:
        eta: shape (P,). seeds: one each. draw: 0, 1, ... redraws times and censoring with the same true risk.
        censored: False follows everybody to the event; who is cured is then censored at the far end.
    """
    u = np.stack([np.random.default_rng([seed, STREAM, draw]).random(6) for seed in seeds])
    pfs = model.baseline.years_at(-np.log1p(-u[:, 0]) * np.exp(-eta))
    after = model.after_years * (-np.log1p(-u[:, 2]) * np.exp(-model.shared * eta)) ** (1 / model.after_shape)
    death = np.where(u[:, 1] < model.death_share, pfs, pfs + after)
    end = _end_years(model.censoring, u) if censored else np.full(len(eta), FAR_YEARS)
    least = 1e-3
    return OutcomeTable(
        pfs_months=12 * np.maximum(np.minimum(pfs, end), least),
        pfs_event=pfs <= end,
        os_months=12 * np.maximum(np.minimum(death, end), least),
        os_event=death <= end,
    )


def _end_years(censoring: Censoring, u: Floats) -> Floats:
    end = censoring.least_years + (censoring.most_years - censoring.least_years) * u[:, 3]
    end = np.minimum(end, censoring.administrative_years)
    return np.where(u[:, 4] < censoring.lost_share, end * u[:, 5], end)


def true_risks(model: OutcomeModel, eta: Floats, mode: str, sigma: float) -> tuple[TrueRisk, ...]:
    """The true risk of each patient, survival included."""
    years = np.array(HORIZONS_MONTHS) / 12
    pfs = np.exp(-np.exp(eta)[:, np.newaxis] * model.baseline.cumulative(years))
    os = np.stack([_overall(model, eta, float(t)) for t in years], axis=1)
    return tuple(TrueRisk(float(e), _four(p), _four(o), mode, sigma) for e, p, o in zip(eta, pfs, os, strict=True))


def _overall(model: OutcomeModel, eta: Floats, years: float, steps: int = 400) -> Floats:
    """P(alive at t): free of progression, or progressed at s and not yet dead of it (midpoint rule over s)."""
    edges = years * (np.arange(steps + 1) / steps) ** 2  # finer at the start, where the hazard is steep
    free = np.exp(-np.exp(eta)[:, np.newaxis] * model.baseline.cumulative(edges))
    left = years - (edges[1:] + edges[:-1]) / 2
    after = np.exp(-np.exp(model.shared * eta)[:, np.newaxis] * (left / model.after_years) ** model.after_shape)
    return np.asarray(free[:, -1] + (1 - model.death_share) * (-np.diff(free, axis=1) * after).sum(axis=1))


def _four(values: Floats) -> tuple[float, float, float, float]:
    a, b, c, d = (float(value) for value in values)
    return a, b, c, d
