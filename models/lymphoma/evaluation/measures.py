"""The measures of every model on a resample: panels of named columns, all filled from the same draws.

A panel's statistic turns counts (n, B) into values (B, K), one column per key. The figure itself is the statistic of
counts of one, so that a figure and its interval come from the same lines. Rankings are compared within a test fold and
averaged over the folds: risks of different models are not one scale. Probabilities are absolute and are pooled.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.evaluation.fitting import CUTOFF_MONTHS, Predictions
from lymphoma.evaluation.flexible import FlexibleCurve
from lymphoma.evaluation.ranking import ComparablePairs, auc_of_counts
from lymphoma.evaluation.weighted import FailedBy, StratifiedCox
from lymphoma.survival.brier import brier_contributions
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.ipcw import event_weights, horizon_weights

__all__ = [
    "DISTANCES",
    "GROUPING",
    "NET_BENEFIT_THRESHOLDS",
    "Key",
    "Panel",
    "Setting",
    "accuracy_panel",
    "benefit_panel",
    "distance_panel",
    "ranking_panel",
    "slope_panel",
    "threshold_panel",
]

Ranking = Literal["harrell", "uno", "auc"]
Probability = Literal["brier", "integrated_brier", "slope", "ici", "e50", "e90", "net_benefit"]
Grouping = Literal["sensitivity", "specificity", "ppv", "npv"]
Measure = Ranking | Probability | Grouping
DISTANCES: tuple[Probability, ...] = ("ici", "e50", "e90")
GROUPING: tuple[Grouping, ...] = ("sensitivity", "specificity", "ppv", "npv")
NET_BENEFIT_THRESHOLDS = (0.1, 0.2, 0.3, 0.4)
"""Risks of progression within two years at which another treatment might be thought of [A]."""
Statistic = Callable[[Floats], Floats]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Key:
    """A column: a measure of a model, ``at`` months or a threshold, in a ``centre`` or in all."""

    model: str
    measure: Measure
    at: float | None = None
    centre: str | None = None


@dataclass(frozen=True, eq=False)
class Panel:
    """Columns and what fills them."""

    keys: tuple[Key, ...]
    statistic: Statistic


@dataclass(frozen=True, eq=False)
class Setting:
    """What the panels of one repeat share.

    Attributes:
        models: keys of the M models. flat: (M,) whether a model says the same of everybody.
        horizons: within follow-up. tau: the last of them.
    """

    models: tuple[str, ...]
    flat: Bools
    follow_up: FollowUp
    predicted: Predictions
    horizons: tuple[float, ...]

    @property
    def tau(self) -> float:
        """To which Uno's C and the integrated Brier score look."""
        return self.horizons[-1]


def ranking_panel(setting: Setting) -> Panel:
    """Harrell C, Uno C and the AUC at each horizon, mean over test folds."""
    parts = [_ranking_of_fold(setting, number) for number in range(len(setting.predicted.splits))]
    keys = [Key(model, "harrell") for model in setting.models] + [Key(model, "uno") for model in setting.models]
    keys += [Key(model, "auc", months) for months in setting.horizons for model in setting.models]
    return Panel(tuple(keys), lambda counts: nan_mean([part(counts) for part in parts]))


def _ranking_of_fold(setting: Setting, number: int) -> Statistic:
    split = setting.predicted.splits[number]
    train, test = setting.follow_up.take(split.train), setting.follow_up.take(split.test)
    risks = setting.predicted.scores[:, split.test]
    pairs = ComparablePairs(test, event_weights(train, test, setting.tau))
    weights = [horizon_weights(train, test, months) for months in setting.horizons]

    def statistic(counts: Floats) -> Floats:
        here = counts[split.test]
        columns = [*pairs.concordance(risks, here)]
        columns += [auc_of_counts(risks, one.case, one.control, here) for one in weights]
        return np.concatenate(columns, axis=1)

    return statistic


def accuracy_panel(setting: Setting) -> Panel:
    """Brier score at each horizon and its mean over time, mean over test folds."""
    predicted, times = setting.predicted, setting.predicted.times
    at = np.searchsorted(times, setting.horizons)
    folds: list[tuple[npt.NDArray[np.int64], Floats]] = []
    for split in predicted.splits:
        train, test = setting.follow_up.take(split.train), setting.follow_up.take(split.test)
        columns = []
        for model in range(len(setting.models)):
            each = brier_contributions(train, test, predicted.survival[model, split.test], times)
            columns += [*each[:, at].T, np.trapezoid(each, times, axis=1) / (times[-1] - times[0])]
        folds.append((split.test, np.stack(columns, axis=1)))
    keys = [
        key
        for model in setting.models
        for key in (*(Key(model, "brier", months) for months in setting.horizons), Key(model, "integrated_brier"))
    ]

    def statistic(counts: Floats) -> Floats:
        return nan_mean([counts[test].T @ each / counts[test].sum(axis=0)[:, None] for test, each in folds])

    return Panel(tuple(keys), statistic)


def slope_panel(setting: Setting) -> Panel:
    """Calibration slope: Cox coefficient of the linear predictor with a baseline per test fold."""
    found: dict[Key, Statistic] = {}
    for number, model in enumerate(setting.models):
        lp = setting.predicted.linear_predictors[number]
        if not setting.flat[number]:
            found[Key(model, "slope")] = slope_statistic(setting.follow_up, lp, setting.predicted.fold)
    return _joined(found)


def slope_statistic(follow_up: FollowUp, linear_predictor: Floats, strata: npt.NDArray[np.int64]) -> Statistic:
    """Statistic (B, 1) of the slope; NaN throughout where it cannot be fitted."""
    try:
        cox = StratifiedCox(follow_up, np.nan_to_num(linear_predictor)[:, None], strata)
    except NotComputable:
        return lambda counts: np.full((counts.shape[1], 1), np.nan)
    start = cox.coefficients(np.ones((follow_up.n, 1)))[0]
    return lambda counts: cox.coefficients(counts, start if np.isfinite(start).all() else None)


def distance_panel(setting: Setting, horizons: Sequence[float]) -> Panel:
    """ICI, E50 and E90 of the flexible calibration curve at each horizon, predictions of all folds together."""
    keys: list[Key] = []
    parts: list[Statistic] = []
    for months in horizons:
        survival = setting.predicted.at(months)
        for number, model in enumerate(setting.models):
            if setting.flat[number] or (part := _distances(setting, survival[number], months)) is None:
                continue
            keys += [Key(model, what, months) for what in DISTANCES]
            parts.append(part)
    return Panel(tuple(keys), lambda counts: _side_by_side(parts, counts))


def _distances(setting: Setting, survival: Floats, months: float) -> Statistic | None:
    tested = setting.predicted.fold >= 0
    if not np.isfinite(survival[tested]).all():
        return None
    try:
        curve = FlexibleCurve(setting.follow_up.take(tested), survival[tested], months)
    except NotComputable:
        return None
    return lambda counts: curve.distances(counts[tested])


def threshold_panel(setting: Setting) -> Panel:
    """Sensitivity, specificity and predictive values of the two groups at each horizon, censoring weighted."""
    keys: list[Key] = []
    columns: list[Floats] = []
    high = setting.predicted.high
    for months in setting.horizons:
        case, control = _weights_of_folds(setting, months)
        for number, model in enumerate(setting.models):
            if np.isnan(high[number]).all():
                continue
            up, down = np.nan_to_num(high[number]), np.nan_to_num(1 - high[number])
            keys += [Key(model, what, months) for what in GROUPING]
            columns.append(np.stack([case * up, case * down, control * up, control * down], axis=1))

    def statistic(counts: Floats) -> Floats:
        found = []
        for column in columns:
            tp, fn, fp, tn = (counts.T @ column).T
            with np.errstate(invalid="ignore", divide="ignore"):
                found += [tp / (tp + fn), tn / (tn + fp), tp / (tp + fp), tn / (tn + fn)]
        return np.stack(found, axis=1) if found else np.zeros((counts.shape[1], 0))

    return Panel(tuple(keys), statistic)


def benefit_panel(setting: Setting) -> Panel:
    """Net benefit at :data:`CUTOFF_MONTHS` at a few thresholds, predictions of all folds together."""
    found: dict[Key, Statistic] = {}
    if CUTOFF_MONTHS in setting.horizons:
        risks = 1 - setting.predicted.at(CUTOFF_MONTHS)
        tested = setting.predicted.fold >= 0
        for number, model in enumerate(setting.models):
            if np.isfinite(risks[number, tested]).all():
                for cut in NET_BENEFIT_THRESHOLDS:
                    chosen = tested & (np.nan_to_num(risks[number], nan=-1.0) >= cut)
                    found[Key(model, "net_benefit", cut)] = _benefit(setting.follow_up, tested, chosen, cut)
    return _joined(found)


def _benefit(follow_up: FollowUp, tested: Bools, chosen: Bools, cut: float) -> Statistic:
    part, odds = FailedBy(follow_up, np.flatnonzero(chosen), CUTOFF_MONTHS), cut / (1 - cut)

    def statistic(counts: Floats) -> Floats:
        share = counts[chosen].sum(axis=0) / counts[tested].sum(axis=0)
        failed = part.share(counts)
        benefit = np.where(share > 0, share * (failed - (1 - failed) * odds), 0.0)
        return benefit[:, None]

    return statistic


def _weights_of_folds(setting: Setting, months: float) -> tuple[Floats, Floats]:
    case, control = np.zeros(setting.follow_up.n), np.zeros(setting.follow_up.n)
    for split in setting.predicted.splits:
        train, test = setting.follow_up.take(split.train), setting.follow_up.take(split.test)
        weights = horizon_weights(train, test, months)
        case[split.test], control[split.test] = weights.case, weights.control
    return case, control


def _joined(found: dict[Key, Statistic]) -> Panel:
    parts = list(found.values())
    return Panel(tuple(found), lambda counts: _side_by_side(parts, counts))


def _side_by_side(parts: Sequence[Statistic], counts: Floats) -> Floats:
    if not parts:
        return np.zeros((counts.shape[1], 0))
    return np.concatenate([part(counts) for part in parts], axis=1)


def nan_mean(parts: Sequence[Floats]) -> Floats:
    """Mean of arrays of one shape, over those that are numbers; NaN where none is."""
    with warnings.catch_warnings():
        # A column without a number stays NaN, and says so where it is shown.
        warnings.simplefilter("ignore", RuntimeWarning)
        mean: Floats = np.nanmean(np.stack(parts), axis=0)
    return mean
