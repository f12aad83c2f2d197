"""Everything that is said of one model, put together from its predictions and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.evaluation.as_published import as_published
from lymphoma.evaluation.figures import Figures, number
from lymphoma.evaluation.fitting import CUTOFF_MONTHS, Predictions
from lymphoma.evaluation.flexible import FlexibleCurve
from lymphoma.evaluation.measures import DISTANCES, GROUPING, NET_BENEFIT_THRESHOLDS, Key
from lymphoma.evaluation.ranking import ComparablePairs
from lymphoma.evaluation.result import (
    Accuracy,
    AtHorizon,
    AtThreshold,
    Calibration,
    CalibrationPoint,
    DecisionResult,
    Discrimination,
    Estimate,
    HorizonCalibration,
    Model,
    ModelResult,
    RiskGroups,
    TestResult,
    ThresholdRow,
)
from lymphoma.prognosis.fit import group_curve
from lymphoma.prognosis.model import HORIZONS_MONTHS
from lymphoma.survival.calibration import (
    CalibrationGroup,
    calibration_groups,
    greenwood_nam_dagostino,
)
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.curves import LEAST_EVENTS, kaplan_meier, log_rank
from lymphoma.survival.decision import decision_curve
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["Judged", "model_result"]

THRESHOLDS = tuple(round(0.02 * step, 2) for step in range(1, 31))
"""Of the drawn decision curve: risks of 2 to 60 %."""
PERCENTS = np.arange(1, 100)
FEW = f"fewer than {LEAST_EVENTS} events"
SAME_FOR_ALL = "the model says the same of everybody"
NO_SURVIVAL = "the model predicts no survival"


@dataclass(frozen=True, eq=False)
class Judged:
    """What all models share.

    Attributes:
        repeats: predictions per repeat; what is drawn comes from the first, figures are means over all.
        horizons: within follow-up.
    """

    follow_up: FollowUp
    repeats: tuple[Predictions, ...]
    figures: Figures
    horizons: tuple[float, ...]

    @property
    def first(self) -> Predictions:
        """Predictions of the first repeat."""
        return self.repeats[0]

    def calibrated_at(self) -> tuple[float, ...]:
        """1, 3 and 5 years, as far as follow-up goes."""
        return tuple(months for months in HORIZONS_MONTHS if months in self.horizons)


def model_result(judged: Judged, model: Model, row: int) -> ModelResult:
    """The result of the model in ``row`` of the predictions."""
    return ModelResult(
        model,
        _discrimination(judged, model.key, row),
        _accuracy(judged, model.key),
        _calibration(judged, model, row),
        _groups(judged, model, row),
        _decision(judged, model.key, row),
        as_published(judged.follow_up, judged.first, row, judged.horizons, flat=model.kind == "null"),
    )


def _discrimination(judged: Judged, key: str, row: int) -> Discrimination:
    figures = judged.figures
    by_fold = tuple(
        number(_harrell(judged.follow_up.take(split.test), predicted.scores[row, split.test]))
        for predicted in judged.repeats
        for split in predicted.splits
    )
    return Discrimination(
        figures.estimate(Key(key, "harrell")),
        figures.estimate(Key(key, "uno")),
        tuple(AtHorizon(months, figures.estimate(Key(key, "auc", months))) for months in judged.horizons),
        by_fold,
    )


def _harrell(follow_up: FollowUp, score: Floats) -> float:
    pairs = ComparablePairs(follow_up, np.zeros(follow_up.n))
    return float(pairs.concordance(score[None], np.ones((follow_up.n, 1)))[0][0, 0])


def _accuracy(judged: Judged, key: str) -> Accuracy:
    figures = judged.figures
    return Accuracy(
        tuple(AtHorizon(months, figures.estimate(Key(key, "brier", months))) for months in judged.horizons),
        figures.estimate(Key(key, "integrated_brier")),
    )


def _calibration(judged: Judged, model: Model, row: int) -> Calibration:
    slope = judged.figures.estimate(Key(model.key, "slope"))
    return Calibration(slope, tuple(_at_horizon(judged, model, row, months) for months in judged.calibrated_at()))


def _at_horizon(judged: Judged, model: Model, row: int, months: float) -> HorizonCalibration:
    tested = judged.first.fold >= 0
    survival = judged.first.at(months)[row][tested]
    follow_up = judged.follow_up.take(tested)
    problem = SAME_FOR_ALL if model.kind == "null" else NO_SURVIVAL if np.isnan(survival).any() else None
    if problem is not None:
        nothing, test = Estimate(None, problem=problem), TestResult(None, None, None, problem=problem)
        return HorizonCalibration(months, (), (), (), nothing, nothing, nothing, test, problem)
    ici, e50, e90 = (judged.figures.estimate(Key(model.key, what, months)) for what in DISTANCES)
    predicted, observed = _drawn_curve(follow_up, survival, months)
    groups = _calibration_groups(follow_up, survival, months)
    return HorizonCalibration(
        months, groups, predicted, observed, ici, e50, e90, _greenwood(follow_up, survival, months)
    )


def _calibration_groups(follow_up: FollowUp, survival: Floats, months: float) -> tuple[CalibrationPoint, ...]:
    for count in (5, 4, 3, 2):
        try:
            return tuple(_point(group) for group in calibration_groups(follow_up, survival, months, count))
        except NotComputable:
            # A group was not followed so far: fewer and larger groups are.
            continue
    return ()


def _point(group: CalibrationGroup) -> CalibrationPoint:
    if group.events < LEAST_EVENTS:
        return CalibrationPoint(group.n, group.events, group.predicted, None, None, None, FEW)
    return CalibrationPoint(
        group.n, group.events, group.predicted, group.observed, number(group.lower), number(group.upper)
    )


def _drawn_curve(follow_up: FollowUp, survival: Floats, months: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        curve = FlexibleCurve(follow_up, survival, months)
    except NotComputable:
        return (), ()
    at = np.unique(np.percentile(curve.predicted, PERCENTS))
    order = np.argsort(curve.predicted, kind="stable")
    observed = curve.observed(np.ones((follow_up.n, 1)))[order, 0]
    return tuple(at.tolist()), tuple(np.interp(at, curve.predicted[order], observed).tolist())


def _greenwood(follow_up: FollowUp, survival: Floats, months: float) -> TestResult:
    try:
        # Nothing was fitted on the tested patients, so that no degree of freedom is lost.
        found = greenwood_nam_dagostino(follow_up, survival, months, fitted_here=False)
    except NotComputable as problem:
        return TestResult(None, None, None, problem=problem.reason)
    return TestResult(found.chi_squared, found.degrees_of_freedom, found.p, found.groups, found.left_out)


def _groups(judged: Judged, model: Model, row: int) -> RiskGroups:
    cutoffs = np.concatenate([predicted.cutoffs[row] for predicted in judged.repeats])
    high = judged.first.high[row]
    low, up = high == 0, high == 1
    if np.isnan(cutoffs).any() or not low.any() or not up.any():
        problem = SAME_FOR_ALL if model.kind == "null" else "no cut-off separates in every training fold"
        nothing = Estimate(None, problem=problem)
        return RiskGroups(CUTOFF_MONTHS, (), None, None, (), (), None, nothing, (), problem)
    parts = [judged.follow_up.take(low), judged.follow_up.take(up)]
    curves = tuple(group_curve(name, part) for name, part in zip(("low", "high"), parts, strict=True))
    rates = tuple(tuple(kaplan_meier(part).rate(months) for months in judged.horizons) for part in parts)
    try:
        test = log_rank(parts)
    except NotComputable:
        test = None
    cv, moved = _stability(judged.first.scores[row], cutoffs, judged.first.fold >= 0)
    return RiskGroups(
        CUTOFF_MONTHS,
        tuple(cutoffs.tolist()),
        cv,
        moved,
        curves,
        rates,
        test,
        _hazard_ratio(judged.follow_up.take(low | up), high[low | up]),
        tuple(_threshold_row(judged, model.key, months) for months in judged.horizons),
    )


def _stability(score: Floats, cutoffs: Floats, tested: npt.NDArray[np.bool_]) -> tuple[float | None, float | None]:
    """Coefficient of variation of the cut-offs, and share of patients that not all of them put in one group."""
    if cutoffs.size < 2:
        return None, None
    high = score[tested, None] >= cutoffs
    moved = float((high.any(axis=1) & ~high.all(axis=1)).mean())
    middle = abs(float(cutoffs.mean()))
    return (float(cutoffs.std(ddof=1)) / middle if middle > 0 else None), moved


def _hazard_ratio(follow_up: FollowUp, high: Floats) -> Estimate:
    try:
        found = fit_cox(["high"], high[:, None], follow_up, endpoint="evaluation").table()[0]
    except NotComputable as problem:
        return Estimate(None, problem=problem.reason)
    return Estimate(found.hazard_ratio, found.lower, found.upper)


def _threshold_row(judged: Judged, key: str, months: float) -> ThresholdRow:
    part = judged.follow_up.take(judged.first.fold >= 0)
    if part.closed_at(months).events < LEAST_EVENTS:
        withheld = Estimate(None, problem=FEW)
        return ThresholdRow(months, withheld, withheld, withheld, withheld)
    return ThresholdRow(months, *(judged.figures.estimate(Key(key, what, months)) for what in GROUPING))


def _decision(judged: Judged, key: str, row: int) -> DecisionResult:
    tested = judged.first.fold >= 0
    if CUTOFF_MONTHS not in judged.horizons:
        return DecisionResult(CUTOFF_MONTHS, (), (), (), (), "follow-up does not reach the horizon")
    survival = judged.first.at(CUTOFF_MONTHS)[row][tested]
    if np.isnan(survival).any():
        return DecisionResult(CUTOFF_MONTHS, (), (), (), (), NO_SURVIVAL)
    curve = decision_curve(judged.follow_up.take(tested), 1 - survival, CUTOFF_MONTHS, THRESHOLDS)
    chosen = tuple(
        AtThreshold(cut, judged.figures.estimate(Key(key, "net_benefit", cut))) for cut in NET_BENEFIT_THRESHOLDS
    )
    return DecisionResult(CUTOFF_MONTHS, THRESHOLDS, _plain(curve.model), _plain(curve.everybody), chosen)


def _plain(values: Sequence[float] | Floats) -> tuple[float | None, ...]:
    return tuple(number(float(value)) for value in values)
