"""A site's correction of a model: intercept and slope on its linear predictor, and what they change.

With H0 the model's cumulative baseline hazard and lp its linear predictor, the corrected hazard of a patient is
H0(t) exp(a + b lp). The slope b is the Cox coefficient of lp among the site's patients (van Houwelingen, Stat Med
2000;19:3401). The intercept compares events with the hazard that the model expected over each patient's own follow-up
t_i: a = log(sum d_i / sum H0(t_i) exp(b lp_i)), a Poisson model of the events with that hazard as offset (Crowson,
Atkinson and Therneau, Stat Methods Med Res 2016;25:1692).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from lymphoma.errors import NotComputable
from lymphoma.prognosis.model import HORIZONS_MONTHS, Recalibration
from lymphoma.survival.baseline import Baseline
from lymphoma.survival.calibration import calibration_curve, calibration_slope
from lymphoma.survival.curves import LEAST_EVENTS, kaplan_meier
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = [
    "LEAST_RECALIBRATION_EVENTS",
    "CalibrationFigures",
    "HorizonFigures",
    "RecalibrationResult",
    "calibration_figures",
    "cross_fitted_figures",
    "fit_recalibration",
    "recalibrate",
]

LEAST_RECALIBRATION_EVENTS = 100
"""Below it the intercept's standard error, 1 / sqrt(events), is above 10 %, which is as much as what it corrects
(Collins, Ogundimu and Altman, Stat Med 2016;35:214: 100 events for an external validation)."""
FOLDS = 5
"""Parts of the cohort by which the corrected figures are judged: each part is corrected by what the others gave."""


@dataclass(frozen=True)
class HorizonFigures:
    """Predicted and observed risk by a horizon.

    Attributes:
        events: by then. expected: mean predicted risk. observed: 1 less Kaplan-Meier. expected_over_observed, ici:
            with ``observed`` None where fewer than 10 events, or nobody followed so far, allow none.
    """

    months: float
    events: int
    expected: float
    observed: float | None
    expected_over_observed: float | None
    ici: float | None


@dataclass(frozen=True)
class CalibrationFigures:
    """How a model's predictions compare with what happened.

    Attributes:
        slope: Cox coefficient of the linear predictor, with its 95 % interval.
        expected_events: sum of cumulative hazards over each patient's own follow-up.
    """

    n: int
    events: int
    slope: float
    slope_low: float
    slope_high: float
    expected_events: float
    horizons: tuple[HorizonFigures, ...]

    @property
    def expected_over_observed(self) -> float:
        """Of events over the whole follow-up; 1 is right, above 1 says that the model foresaw too many."""
        return self.expected_events / self.events


@dataclass(frozen=True)
class RecalibrationResult:
    """Attributes: after: cross-fitted, so that its slope and ratio are not 1 by construction."""

    recalibration: Recalibration
    before: CalibrationFigures
    after: CalibrationFigures


def fit_recalibration(follow_up: FollowUp, linear_predictor: Floats, baseline: Baseline, cohort: str) -> Recalibration:
    """Intercept and slope.

    Args:
        linear_predictor: (n,) of the model without a correction, each by a model that never saw its patient.
        baseline: the model's; follow-up past its end is not looked at.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS`` under 100, ``NO_EFFECT`` for a slope not above 0, ``COX_NOT_FITTED``.
    """
    seen = follow_up.closed_at(baseline.last_months)
    if seen.events < LEAST_RECALIBRATION_EVENTS:
        least = LEAST_RECALIBRATION_EVENTS
        raise NotComputable("TOO_FEW_EVENTS", f"{seen.events} events; an intercept and a slope need {least}")
    return _fitted(seen, linear_predictor, baseline, cohort)


def calibration_figures(
    follow_up: FollowUp,
    linear_predictor: Floats,
    baseline: Baseline,
    correction: Recalibration | None = None,
    horizons_months: tuple[float, ...] = HORIZONS_MONTHS,
) -> CalibrationFigures:
    """Figures of a model, corrected or not, on patients (n,); horizons past the model's follow-up are left out.

    Raises:
        NotComputable: ``COX_NOT_FITTED``, ``TOO_FEW_EVENTS`` without any event.
    """
    intercept, slope = (0.0, 1.0) if correction is None else (correction.intercept, correction.slope)
    return _figures(follow_up, intercept + slope * linear_predictor, baseline, horizons_months)


def recalibrate(follow_up: FollowUp, linear_predictor: Floats, baseline: Baseline, cohort: str) -> RecalibrationResult:
    """The correction fitted on all patients, with figures before and after it.

    Raises:
        NotComputable: as :func:`fit_recalibration`.
    """
    correction = fit_recalibration(follow_up, linear_predictor, baseline, cohort)
    before = _figures(follow_up, linear_predictor, baseline, HORIZONS_MONTHS)
    return RecalibrationResult(correction, before, cross_fitted_figures(follow_up, linear_predictor, baseline))


def cross_fitted_figures(follow_up: FollowUp, linear_predictor: Floats, baseline: Baseline) -> CalibrationFigures:
    """Figures of corrections that are fitted here: each fifth of the patients is corrected by what the others gave.

    Raises:
        NotComputable: ``NO_EFFECT``, ``COX_NOT_FITTED``, ``TOO_FEW_EVENTS``.
    """
    if follow_up.events < FOLDS:
        raise NotComputable("TOO_FEW_EVENTS", f"{follow_up.events} events for {FOLDS} parts")
    corrected = np.empty_like(linear_predictor)
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for kept, left in splitter.split(linear_predictor[:, None], follow_up.event):
        seen = follow_up.take(kept).closed_at(baseline.last_months)
        part = _fitted(seen, linear_predictor[kept], baseline, "")
        corrected[left] = part.intercept + part.slope * linear_predictor[left]
    return _figures(follow_up, corrected, baseline, HORIZONS_MONTHS)


def _fitted(seen: FollowUp, linear_predictor: Floats, baseline: Baseline, cohort: str) -> Recalibration:
    slope = calibration_slope(seen, linear_predictor).coefficient
    if slope <= 0:
        raise NotComputable("NO_EFFECT", "in this cohort a higher score does not go with a higher risk")
    expected = float((baseline.at(seen.months)[0] * np.exp(slope * linear_predictor)).sum())
    return Recalibration(math.log(seen.events / expected), slope, cohort, seen.n, seen.events)


def _figures(follow_up: FollowUp, lp: Floats, baseline: Baseline, horizons: tuple[float, ...]) -> CalibrationFigures:
    seen = follow_up.closed_at(baseline.last_months)
    if seen.events == 0:
        raise NotComputable("TOO_FEW_EVENTS", "no patient has the event within the model's follow-up")
    slope = calibration_slope(seen, lp)
    margin = 1.959963984540054 * slope.standard_error
    return CalibrationFigures(
        seen.n,
        seen.events,
        slope.coefficient,
        slope.coefficient - margin,
        slope.coefficient + margin,
        float((baseline.at(seen.months)[0] * np.exp(lp)).sum()),
        tuple(_horizon(seen, lp, baseline, months) for months in horizons if months <= baseline.last_months),
    )


def _horizon(follow_up: FollowUp, lp: Floats, baseline: Baseline, months: float) -> HorizonFigures:
    survival = np.exp(-baseline.at(np.array([months]))[0] * np.exp(lp))
    expected = float(1 - survival.mean())
    events = int((follow_up.event & (follow_up.months <= months)).sum())
    if events < LEAST_EVENTS or not (follow_up.months >= months).any():
        return HorizonFigures(months, events, expected, None, None, None)
    observed = float(1 - kaplan_meier(follow_up).at([months])[0])
    try:
        ici: float | None = calibration_curve(follow_up, survival, months).ici
    except NotComputable:
        # A spline needs predictions that differ; the ratio does not.
        ici = None
    return HorizonFigures(months, events, expected, observed, expected / observed, ici)
