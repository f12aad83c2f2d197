"""Figures as papers print them although they do not hold with censoring; kept apart from all others."""

from __future__ import annotations

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.fitting import Predictions
from lymphoma.evaluation.result import AsPublished, Estimate, NaiveFigures, TestResult
from lymphoma.survival.calibration import hosmer_lemeshow_as_published
from lymphoma.survival.cutoffs import ThresholdMetrics, threshold_metrics
from lymphoma.survival.delong import delong
from lymphoma.survival.follow_up import FollowUp
from lymphoma.survival.time_auc import naive_labels

__all__ = ["as_published"]

NORMAL_95 = 1.959964
"""97.5th percentile of the normal distribution."""


def as_published(
    follow_up: FollowUp, predicted: Predictions, row: int, horizons: tuple[float, ...], *, flat: bool
) -> AsPublished:
    """The figures of one model at each horizon; none where it says the same of everybody."""
    if flat:
        return AsPublished(())
    return AsPublished(tuple(_at(follow_up, predicted, row, months) for months in horizons))


def _at(follow_up: FollowUp, predicted: Predictions, row: int, months: float) -> NaiveFigures:
    found = _groups(follow_up, predicted, row, months)
    return NaiveFigures(
        months,
        _auc(follow_up, predicted, row, months),
        _hosmer_lemeshow(follow_up, predicted, row, months),
        found.sensitivity if found else None,
        found.specificity if found else None,
        found.ppv if found else None,
        found.npv if found else None,
    )


def _auc(follow_up: FollowUp, predicted: Predictions, row: int, months: float) -> Estimate:
    """Mean over folds, which are other patients each: their variances add up."""
    values, variances = [], []
    for split in predicted.splits:
        test = follow_up.take(split.test)
        labels = naive_labels(test, months)
        scores = predicted.scores[row, split.test][labels.known]
        try:
            found = delong(labels.event[labels.known], scores[:, None])
        except NotComputable as problem:
            return Estimate(None, problem=problem.reason)
        values.append(float(found.auc[0]))
        variances.append(float(found.covariance[0, 0]))
    mean, error = float(np.mean(values)), float(np.sqrt(np.sum(variances))) / len(values)
    return Estimate(mean, max(0.0, mean - NORMAL_95 * error), min(1.0, mean + NORMAL_95 * error))


def _hosmer_lemeshow(follow_up: FollowUp, predicted: Predictions, row: int, months: float) -> TestResult:
    tested = predicted.fold >= 0
    survival = predicted.at(months)[row][tested]
    if np.isnan(survival).any():
        return TestResult(None, None, None, problem="the model predicts no survival")
    try:
        found = hosmer_lemeshow_as_published(follow_up.take(tested), survival, months)
    except NotComputable as problem:
        return TestResult(None, None, None, problem=problem.reason)
    return TestResult(found.chi_squared, found.degrees_of_freedom, found.p, found.groups, found.left_out)


def _groups(follow_up: FollowUp, predicted: Predictions, row: int, months: float) -> ThresholdMetrics | None:
    high = predicted.high[row]
    grouped = ~np.isnan(high)
    if not grouped.any():
        return None
    # The cut-offs of the folds differ; "high" itself is the score, cut at one half.
    return threshold_metrics(follow_up.take(grouped), high[grouped], 0.5, months, "naive")
