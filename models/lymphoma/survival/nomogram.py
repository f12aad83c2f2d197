"""A Cox model as a nomogram: points per covariate, their total, and survival along it. Numbers only, no drawing.

The algorithm of Harrell's rms: each covariate's contribution runs over its axis from a least to
a most; the widest run is 100 points. LP = intercept + total / scale, S(t) = S0(t)^exp(LP). A protective covariate runs
from right to left by itself. The axis of total points reaches the sum of all axes, so that it holds every patient that
the axes hold; rms ends it near the highest training patient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.survival.cox import CoxModel
from lymphoma.survival.design import Continuous, Term, columns_of, encode
from lymphoma.survival.follow_up import Floats
from lymphoma.survival.ticks import pretty, pretty_log

__all__ = [
    "Axis",
    "AxisValues",
    "Nomogram",
    "Reading",
    "SurvivalAxis",
    "SurvivalReading",
    "SurvivalTick",
    "Tick",
    "axis_values",
    "build_nomogram",
]

WIDEST_POINTS = 100.0
DISTINCT_SHOWN = 10
"""A number with no more different values than this has a tick at each of them, as a score or a grade."""
PROBABILITIES = (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01)
ROUNDING_POINTS = 1e-9

Value = float | str
AxisValues = tuple[Value, ...]
"""The ticks of a covariate: numbers, or all levels."""


@dataclass(frozen=True)
class Tick:
    """A value on a covariate's axis and its points."""

    value: Value
    points: float


@dataclass(frozen=True)
class Axis:
    """A covariate; ``least`` and ``most`` are its contributions to the linear predictor at 0 and at most points."""

    term: Term
    ticks: tuple[Tick, ...]
    least: float
    most: float


@dataclass(frozen=True)
class SurvivalTick:
    """A survival probability and the total points that give it."""

    survival: float
    total_points: float


@dataclass(frozen=True)
class SurvivalAxis:
    """Survival at a time, ascending in points; only ticks that the total-points axis holds."""

    months: float
    ticks: tuple[SurvivalTick, ...]


@dataclass(frozen=True)
class SurvivalReading:
    """Predicted survival of a patient.

    Attributes:
        least, most: the range that missing covariates leave; equal when all are known.
        lower, upper: interval of the model's estimate, model uncertainty and not outcome; with missing covariates the
            lower bound at ``least`` and the upper bound at ``most``.
    """

    months: float
    least: float
    most: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Reading:
    """A patient on the nomogram.

    Attributes:
        points: per covariate in the order of the axes; None where its value is missing.
        least_total, most_total: total points, a range where a covariate is missing.
        missing: names of the missing covariates. outside: names of those beyond the ends of their axis, whose points
            are below 0 or above the axis.
    """

    points: tuple[float | None, ...]
    least_total: float
    most_total: float
    survival: tuple[SurvivalReading, ...]
    missing: tuple[str, ...]
    outside: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Nomogram:
    """Axes of a model.

    Attributes:
        axes: in the order of the model's covariates. survival: one axis per time.
        points_ticks, total_ticks: of the two axes of points.
        points_per_unit: of the linear predictor. intercept: linear predictor at 0 total points.
    """

    model: CoxModel
    axes: tuple[Axis, ...]
    points_ticks: tuple[float, ...]
    total_ticks: tuple[float, ...]
    survival: tuple[SurvivalAxis, ...]
    points_per_unit: float
    intercept: float

    def linear_predictor(self, total_points: float) -> float:
        """As the model's own, from total points."""
        return self.intercept + total_points / self.points_per_unit

    def survival_at(self, total_points: float, months: float) -> float:
        """S(t) from total points."""
        hazard = float(self.model.baseline.at(np.array([months]))[0][0])
        return float(np.exp(-hazard * np.exp(self.linear_predictor(total_points))))

    def read(self, values: Sequence[Value | None], level: float = 0.95) -> Reading:
        """Points, total and survival of a patient.

        Args:
            values: one per axis, None where not known; a missing one takes every value of its axis.

        Raises:
            NotComputable: ``COVARIATE_INVALID`` for a word that is no level.
        """
        best, worst = self.extremes(values)
        points = tuple(
            None if value is None else (self._contribution(axis, value) - axis.least) * self.points_per_unit
            for axis, value in zip(self.axes, values, strict=True)
        )
        totals = [self._total(chosen) for chosen in (best, worst)]
        names = [axis.term.name for axis in self.axes]
        return Reading(
            points,
            totals[0],
            totals[1],
            self._survival(best, worst, level),
            tuple(name for name, value in zip(names, values, strict=True) if value is None),
            tuple(n for n, a, p in zip(names, self.axes, points, strict=True) if p is not None and self._beyond(a, p)),
        )

    def extremes(self, values: Sequence[Value | None]) -> tuple[list[Value], list[Value]]:
        """The values given, a missing one replaced by that of its axis with the least and with the most points."""
        best: list[Value] = []
        worst: list[Value] = []
        for axis, value in zip(self.axes, values, strict=True):
            ordered = sorted(axis.ticks, key=lambda tick: tick.points)
            best.append(ordered[0].value if value is None else value)
            worst.append(ordered[-1].value if value is None else value)
        return best, worst

    def _contribution(self, axis: Axis, value: Value) -> float:
        return float(_contributions(self.model, axis.term, [value])[0])

    def _total(self, values: Sequence[Value]) -> float:
        runs = [self._contribution(axis, value) - axis.least for axis, value in zip(self.axes, values, strict=True)]
        return sum(runs) * self.points_per_unit

    def _beyond(self, axis: Axis, points: float) -> bool:
        end = (axis.most - axis.least) * self.points_per_unit
        return points < -ROUNDING_POINTS or points > end + ROUNDING_POINTS

    def _survival(self, best: Sequence[Value], worst: Sequence[Value], level: float) -> tuple[SurvivalReading, ...]:
        months = [axis.months for axis in self.survival]
        columns = [[low, high] for low, high in zip(best, worst, strict=True)]
        matrix = encode([axis.term for axis in self.axes], columns)
        found = self.model.estimate(matrix, months, level)
        return tuple(
            SurvivalReading(
                time,
                float(found.survival[1, t]),
                float(found.survival[0, t]),
                float(found.lower[1, t]),
                float(found.upper[0, t]),
            )
            for t, time in enumerate(months)
        )


def axis_values(terms: Sequence[Term], values: Sequence[npt.ArrayLike], intervals: int = 10) -> tuple[AxisValues, ...]:
    """Ticks of each covariate from the training patients: its levels, its few different values, or a round grid.

    Raises:
        NotComputable: ``COVARIATE_INVALID`` for a number that is the same in all patients.
    """
    found: list[AxisValues] = []
    for term, column in zip(terms, values, strict=True):
        if not isinstance(term, Continuous):
            found.append(term.levels)
            continue
        distinct = np.unique(
            np.maximum(np.asarray(column, dtype=np.float64), -np.inf if term.least is None else term.least)
        )
        if distinct.size < 2 or not np.isfinite(distinct).all():
            raise NotComputable("COVARIATE_INVALID", f"{term.name} has no range")
        few = distinct.size <= DISTINCT_SHOWN
        found.append(tuple(distinct.tolist()) if few else _grid(term, distinct, intervals))
    return tuple(found)


def _grid(term: Continuous, distinct: Floats, intervals: int) -> AxisValues:
    """Round numbers; values below the least of a log scale stand at it."""
    least, most = float(distinct[0]), float(distinct[-1])
    return pretty(least, most, intervals) if term.least is None else pretty_log(max(least, term.least), most)


def build_nomogram(
    model: CoxModel, terms: Sequence[Term], values: Sequence[AxisValues], months: Sequence[float]
) -> Nomogram:
    """The nomogram of a model fitted on the columns of ``terms``, in their order.

    Args:
        values: ticks per covariate, from :func:`axis_values`. months: of the survival axes.

    Raises:
        NotComputable: ``HORIZON_BEYOND_FOLLOW_UP``, ``TOO_FEW_EVENTS`` where no event happened by one of the times,
            ``NO_EFFECT`` where every coefficient is 0.
    """
    if columns_of(terms) != model.names:
        raise ValueError("the covariates are not those of the model")
    contributions = [_contributions(model, term, ticks) for term, ticks in zip(terms, values, strict=True)]
    widest = max(float(np.ptp(run)) for run in contributions)
    if widest == 0:
        raise NotComputable("NO_EFFECT", "no covariate has an effect")
    scale = WIDEST_POINTS / widest
    axes = tuple(
        Axis(
            term,
            tuple(Tick(value, float(p)) for value, p in zip(ticks, (run - run.min()) * scale, strict=True)),
            float(run.min()),
            float(run.max()),
        )
        for term, ticks, run in zip(terms, values, contributions, strict=True)
    )
    intercept = float(sum(axis.least for axis in axes) - model.means @ model.coefficients)
    total = pretty(0.0, sum(axis.most - axis.least for axis in axes) * scale)
    survival = tuple(_survival_axis(model, time, intercept, scale, total[-1]) for time in months)
    return Nomogram(model, axes, pretty(0.0, WIDEST_POINTS), total, survival, scale, intercept)


def _survival_axis(model: CoxModel, months: float, intercept: float, scale: float, end: float) -> SurvivalAxis:
    if months > model.baseline.last_months:
        raise NotComputable("HORIZON_BEYOND_FOLLOW_UP", "no training patient was followed to that time")
    hazard = float(model.baseline.at(np.array([months]))[0][0])
    if hazard == 0:
        raise NotComputable("TOO_FEW_EVENTS", "no event happened by one of the times")
    points = [(np.log(-np.log(s) / hazard) - intercept) * scale for s in PROBABILITIES]
    ticks = [SurvivalTick(s, float(p)) for s, p in zip(PROBABILITIES, points, strict=True) if 0 <= p <= end]
    return SurvivalAxis(months, tuple(ticks))


def _contributions(model: CoxModel, term: Term, values: Sequence[Value]) -> Floats:
    """Xβ of each value of one covariate."""
    own = [model.names.index(name) for name in columns_of([term])]
    run: Floats = encode([term], [list(values)]) @ model.coefficients[own]
    return run
