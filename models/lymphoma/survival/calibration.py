"""Whether predicted risks come true: by groups, as a slope, along a curve, and by tests.

The Hosmer-Lemeshow test needs every patient's status at the horizon; with censoring it is not valid and stands here
only because papers print it. The test of Greenwood, Nam and D'Agostino is its counterpart for censored data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from lymphoma.errors import NotComputable
from lymphoma.survival.cox import Coefficient, fit_cox
from lymphoma.survival.curves import kaplan_meier
from lymphoma.survival.follow_up import Bools, Floats, FollowUp, Ints
from lymphoma.survival.splines import quantile_knots, restricted_cubic
from lymphoma.survival.time_auc import naive_labels

__all__ = [
    "CalibrationCurve",
    "CalibrationGroup",
    "FitTest",
    "calibration_curve",
    "calibration_groups",
    "calibration_slope",
    "greenwood_nam_dagostino",
    "hosmer_lemeshow_as_published",
]

LEAST_EVENTS_GND = 5
"""A group with fewer events by the horizon joins its neighbour; with fewer the test is not stable (Demler 2015)."""
SAFE = 1e-10
"""Distance that predicted risks keep from 0 and 1 on the log(-log) scale."""


@dataclass(frozen=True)
class CalibrationGroup:
    """Patients of similar predicted risk at a horizon.

    Attributes:
        predicted: mean predicted survival. observed, lower, upper: Kaplan-Meier at the horizon, for computing and
            drawing; the rule of ten events applies where it is printed. variance: Greenwood's.
    """

    n: int
    events: int
    predicted: float
    observed: float
    lower: float
    upper: float
    variance: float


@dataclass(frozen=True)
class FitTest:
    """A chi-squared test of calibration; a small p speaks against it.

    Attributes:
        groups: used, after merging. left_out: patients that the test could not use.
    """

    chi_squared: float
    degrees_of_freedom: int
    p: float
    groups: int
    left_out: int


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """Observed against predicted risk by a flexible hazard model (Austin, Stat Med 2020;39:2714).

    Attributes:
        predicted, observed: (n,) risks by the horizon of each patient.
        ici, e50, e90: mean, median and 90th percentile of their absolute difference.
    """

    predicted: Floats
    observed: Floats
    ici: float
    e50: float
    e90: float


def calibration_groups(
    follow_up: FollowUp, survival: npt.ArrayLike, months: float, groups: int = 5
) -> tuple[CalibrationGroup, ...]:
    """Quantile groups of predicted survival (n,), lowest survival first; equal predictions stay together.

    Raises:
        NotComputable: ``HORIZON_BEYOND_FOLLOW_UP`` where a group was not followed so far.
    """
    s = np.asarray(survival, dtype=np.float64)
    label = _quantile_groups(s, groups)
    return tuple(_group(follow_up.take(label == g), s[label == g], months) for g in range(int(label.max()) + 1))


def calibration_slope(follow_up: FollowUp, linear_predictor: npt.ArrayLike) -> Coefficient:
    """Cox coefficient of the linear predictor (n,): 1 is right, under 1 says that the model was too sure of itself."""
    column = np.asarray(linear_predictor, dtype=np.float64)[:, None]
    return fit_cox(["linear predictor"], column, follow_up, endpoint="calibration").table()[0]


def calibration_curve(follow_up: FollowUp, survival: npt.ArrayLike, months: float) -> CalibrationCurve:
    """Cox model on a spline with three knots of log(-log) predicted survival (n,), read at the horizon."""
    s = np.clip(np.asarray(survival, dtype=np.float64), SAFE, 1 - SAFE)
    scale = np.log(-np.log(s))
    basis = restricted_cubic(scale, quantile_knots(scale, 3))
    model = fit_cox(["straight", "curved"], basis, follow_up, endpoint="calibration")
    observed = 1 - model.survival(basis, [months])[:, 0]
    gap = np.abs(observed - (1 - s))
    middle, most = np.quantile(gap, [0.5, 0.9])
    return CalibrationCurve(1 - s, observed, float(gap.mean()), float(middle), float(most))


def greenwood_nam_dagostino(
    follow_up: FollowUp,
    survival: npt.ArrayLike,
    months: float,
    groups: int = 10,
    *,
    fitted_here: bool = True,
) -> FitTest:
    """Demler, Stat Med 2015;34:1659: squared gaps of predicted and Kaplan-Meier survival over Greenwood's variance.

    Args:
        fitted_here: True, as published, takes one degree of freedom off for a model fitted on these patients. With
            predictions from elsewhere nothing was fitted: then it rejects right models too often (13 % at 5 % and
            five groups, measured on 150 simulated cohorts of 600), and False keeps all degrees.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS`` where fewer than two groups of five events remain.
    """
    s = np.asarray(survival, dtype=np.float64)
    failed, alive = follow_up.event & (follow_up.months <= months), follow_up.months > months
    label = _merged(_quantile_groups(s, groups), failed, alive)
    count = int(label.max()) + 1
    if count < 2:
        raise NotComputable("TOO_FEW_EVENTS", "fewer than two groups have five events by the horizon")
    found = [_group(follow_up.take(label == g), s[label == g], months) for g in range(count)]
    statistic = sum((group.observed - group.predicted) ** 2 / group.variance for group in found)
    freedom = count - 1 if fitted_here else count
    return FitTest(float(statistic), freedom, float(chi2.sf(statistic, freedom)), count, 0)


def hosmer_lemeshow_as_published(
    follow_up: FollowUp, survival: npt.ArrayLike, months: float, groups: int = 10
) -> FitTest:
    """Hosmer-Lemeshow at a horizon over patients of known status. Not valid with censoring; as published only.

    Raises:
        NotComputable: ``TOO_FEW_GROUPS`` where fewer than three groups remain.
    """
    labels = naive_labels(follow_up, months)
    risk = np.clip(1 - np.asarray(survival, dtype=np.float64)[labels.known], SAFE, 1 - SAFE)
    event = labels.event[labels.known].astype(np.float64)
    group = _quantile_groups(risk, groups)
    n, observed, expected = (np.bincount(group, weights=w) for w in (np.ones(event.size), event, risk))
    if n.size < 3:
        raise NotComputable("TOO_FEW_GROUPS", "three groups of different predictions are needed")
    statistic = float(((observed - expected) ** 2 / (expected * (1 - expected / n))).sum())
    left_out = int((~labels.known).sum())
    return FitTest(statistic, n.size - 2, float(chi2.sf(statistic, n.size - 2)), n.size, left_out)


def _quantile_groups(values: Floats, count: int) -> Ints:
    """Labels 0.. without gaps; a value equal to an inner quantile belongs above it."""
    edges = np.quantile(values, np.arange(1, count) / count)
    return np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)[1].astype(np.int64)


def _merged(label: Ints, failed: Bools, alive: Bools) -> Ints:
    """Joins a group of too few events, or of nobody alive, to the next one; what is left at the end joins the last."""
    target = np.zeros(int(label.max()) + 1, dtype=np.int64)
    current = events = survivors = 0
    for group in range(target.size):
        target[group] = current
        events += int(failed[label == group].sum())
        survivors += int(alive[label == group].sum())
        # Without a survivor the curve ends at 0, where its variance is not known.
        if events >= LEAST_EVENTS_GND and survivors > 0:
            current, events, survivors = current + 1, 0, 0
    merged: Ints = np.minimum(target, max(current, 1) - 1)[label]
    return merged


def _group(follow_up: FollowUp, survival: Floats, months: float) -> CalibrationGroup:
    curve = kaplan_meier(follow_up)
    step = int(np.searchsorted(curve.months, months, side="right")) - 1
    return CalibrationGroup(
        follow_up.n,
        int((follow_up.event & (follow_up.months <= months)).sum()),
        float(survival.mean()),
        float(curve.at([months])[0]),
        float(curve.lower[step]),
        float(curve.upper[step]),
        curve.variance(months),
    )
