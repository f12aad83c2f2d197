"""A prognostic model of one endpoint: a Cox model with its nomogram, its risk groups and the curves of those it was
fitted on. The same form serves a site's own clinical model, and each system's score with whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.prognosis.measures import Prospect
from lymphoma.prognosis.reading import values_of
from lymphoma.survival.cox import CoxModel
from lymphoma.survival.design import Term, encode
from lymphoma.survival.follow_up import Floats
from lymphoma.survival.groups import groups_by_cutoffs
from lymphoma.survival.nomogram import AxisValues, Nomogram, Reading, Value, build_nomogram

__all__ = [
    "CURVE_MONTHS",
    "ENDPOINTS",
    "HORIZONS_MONTHS",
    "CutOffRule",
    "Endpoint",
    "GroupCurve",
    "Prediction",
    "PrognosticModel",
    "Recalibration",
    "WithheldHorizon",
]

Endpoint = Literal["pfs", "os"]
ENDPOINTS: tuple[Endpoint, ...] = ("pfs", "os")
CutOffRule = Literal["youden_24m", "terciles", "none"]
"""How the cut-offs of the groups were found; "none": no cut-off did better than chance, all patients are one group."""
HORIZONS_MONTHS = (12.0, 36.0, 60.0)
"""Where survival is said: 1, 3 and 5 years."""
CURVE_MONTHS = tuple(float(month) for month in range(0, 61))
"""Where a curve is kept for drawing."""


@dataclass(frozen=True)
class GroupCurve:
    """Kaplan-Meier curve of one risk group of the training cohort at :data:`CURVE_MONTHS`.

    The lists end where nobody of the group was followed any longer.

    Attributes:
        at_risk: patients at each time.
    """

    name: str
    n: int
    events: int
    survival: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    at_risk: tuple[int, ...]


@dataclass(frozen=True)
class Recalibration:
    """A site's correction: log cumulative hazard := ``intercept`` + ``slope`` * linear predictor (+ log baseline).

    Attributes:
        cohort, n, events: that it was fitted on.

    Raises:
        ValueError: a slope that is not above 0 would turn the order of patients round.
    """

    intercept: float
    slope: float
    cohort: str
    n: int
    events: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.intercept) and np.isfinite(self.slope) and self.slope > 0):
            raise ValueError("a recalibration has a finite intercept and a slope above 0")


@dataclass(frozen=True)
class WithheldHorizon:
    """A time at which no survival is said, and why."""

    months: float
    reason: Literal["beyond_follow_up", "too_few_events"]


@dataclass(frozen=True, eq=False)
class PrognosticModel:
    """A fitted model; kept as JSON (:mod:`lymphoma.prognosis.store`), made by :mod:`lymphoma.prognosis.fit`.

    The linear predictor is that of ``cox``, also after a recalibration, which changes survival alone; percentiles and
    groups stay as they are.

    Attributes:
        terms: covariates, names of :data:`lymphoma.prognosis.covariates.COVARIATES` or of a system's score.
        axis_values: ticks per covariate. percentiles: linear predictor at 0, 1, ... 100 % of the training patients.
        cutoffs: of the linear predictor, ascending; a value at a cut-off belongs to the higher group.
        groups: curves of the groups, the best first; one more than ``cutoffs``.
        grouped_out_of_fold: the training patients were put into groups, and the cut-offs found, by models that never
            saw them; otherwise groups and curves look better apart than they are.
        withheld_horizons: of :data:`HORIZONS_MONTHS`, those left out of ``horizons_months``.
    """

    endpoint: Endpoint
    terms: tuple[Term, ...]
    axis_values: tuple[AxisValues, ...]
    cox: CoxModel
    horizons_months: tuple[float, ...]
    percentiles: tuple[float, ...]
    cutoffs: tuple[float, ...]
    groups: tuple[GroupCurve, ...]
    recalibration: Recalibration | None = None
    cutoff_rule: CutOffRule = "none"
    grouped_out_of_fold: bool = False
    withheld_horizons: tuple[WithheldHorizon, ...] = ()

    @cached_property
    def calibrated(self) -> CoxModel:
        """The Cox model that survival is read from: ``cox``, or ``cox`` as a site corrected it.

        S(t) = exp(-H0(t) exp(intercept + slope lp)); intercept and slope are taken as known, so that intervals do not
        hold their uncertainty.
        """
        return self.cox if self.recalibration is None else _corrected(self.cox, self.recalibration)

    @cached_property
    def nomogram(self) -> Nomogram:
        """Axes and points; survival axes at :attr:`horizons_months`.

        Raises:
            NotComputable: ``NO_EFFECT`` where every coefficient is 0.
        """
        return build_nomogram(self.calibrated, self.terms, self.axis_values, self.horizons_months)

    def recalibrated(self, correction: Recalibration) -> PrognosticModel:
        """The model with a site's correction in place of any before; fit it on ``cox``, never on ``calibrated``."""
        return replace(self, recalibration=correction)

    def linear_predictor(self, columns: Sequence[Sequence[Value]]) -> Floats:
        """(n,) from one list of n values per covariate, none missing; higher is worse.

        Raises:
            NotComputable: ``COVARIATE_INVALID``.
        """
        return self.cox.linear_predictor(encode(self.terms, columns))

    def survival(self, columns: Sequence[Sequence[Value]], months: Sequence[float]) -> Floats:
        """S(t), shape (n, T), recalibrated where the model is, from values as in :meth:`linear_predictor`.

        Raises:
            NotComputable: ``COVARIATE_INVALID``, ``HORIZON_BEYOND_FOLLOW_UP``.
        """
        return self.calibrated.survival(encode(self.terms, columns), months)

    def survival_of(self, linear_predictor: Floats, months: Sequence[float]) -> Floats:
        """S(t), shape (n, T), from linear predictors (n,), such as those that are kept out of fold.

        Raises:
            NotComputable: ``HORIZON_BEYOND_FOLLOW_UP``.
        """
        times = np.asarray(months, dtype=np.float64)
        if (times > self.cox.baseline.last_months).any():
            raise NotComputable("HORIZON_BEYOND_FOLLOW_UP", "no training patient was followed to that time")
        slope = 1.0 if self.recalibration is None else self.recalibration.slope
        hazard = self.calibrated.baseline.at(times)[0]
        return np.exp(-np.exp(slope * np.asarray(linear_predictor, dtype=np.float64))[:, None] * hazard)

    def group_of(self, linear_predictor: float) -> str:
        """The risk group."""
        position = int(groups_by_cutoffs([linear_predictor], self.cutoffs)[0]) if self.cutoffs else 0
        return self.groups[position].name

    def predict(self, patient: Prospect) -> Prediction:
        """What the model says of a patient; a missing covariate gives ranges, never an imputed number.

        Raises:
            NotComputable: ``COVARIATE_INVALID`` for a value that the model cannot read.
        """
        values = values_of(self.terms, patient)
        best, worst = self.nomogram.extremes(values)
        low, high = (float(lp) for lp in self.linear_predictor(list(zip(best, worst, strict=True))))
        names = [group.name for group in self.groups]
        first, last = (names.index(self.group_of(lp)) for lp in (low, high))
        return Prediction(
            linear_predictor=(low, high),
            percentile=(self._percentile(low), self._percentile(high)),
            group=names[first] if first == last else None,
            open_groups=tuple(names[first : last + 1]),
            reading=self.nomogram.read(values),
            curve=self._curves(np.array([low, high])),
        )

    def _percentile(self, linear_predictor: float) -> float:
        return float(np.interp(linear_predictor, self.percentiles, np.arange(len(self.percentiles))))

    def _curves(self, linear_predictors: Floats) -> Floats:
        months = np.array(CURVE_MONTHS)
        known = months <= self.cox.baseline.last_months
        curves = np.full((len(linear_predictors), len(months)), np.nan)
        curves[:, known] = self.survival_of(linear_predictors, months[known].tolist())
        return curves


@dataclass(frozen=True, eq=False)
class Prediction:
    """A patient seen by a model. Where covariates are missing, every figure is a range and the group may be open.

    Attributes:
        linear_predictor: (least, most). percentile: 0..100 among the training patients, (least, most).
        group: None where the range crosses a cut-off. open_groups: names of the groups that remain possible.
        reading: on the nomogram.
        curve: predicted survival (2, len(CURVE_MONTHS)) at the least and at the most risk; NaN past follow-up.
    """

    linear_predictor: tuple[float, float]
    percentile: tuple[float, float]
    group: str | None
    open_groups: tuple[str, ...]
    reading: Reading
    curve: Floats


def _corrected(cox: CoxModel, correction: Recalibration) -> CoxModel:
    """The same hazards, exp(intercept + slope lp) in place of exp(lp), written as a Cox model of its own."""
    slope, factor = correction.slope, float(np.exp(correction.intercept))
    baseline = replace(
        cox.baseline,
        cumulative_hazard=factor * cox.baseline.cumulative_hazard,
        variance=factor**2 * cox.baseline.variance,
        shift=factor / slope * cox.baseline.shift,
    )
    return replace(cox, coefficients=slope * cox.coefficients, covariance=slope**2 * cox.covariance, baseline=baseline)
