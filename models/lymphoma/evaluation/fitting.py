"""Fitting every model in every training fold, and what each then says of the patients it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.baselines import Candidate
from lymphoma.evaluation.patients import Scores
from lymphoma.evaluation.protocols import Split
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.curves import kaplan_meier
from lymphoma.survival.cutoffs import fit_cutoff
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.ipcw import horizon_weights

__all__ = ["CUTOFF_MONTHS", "HORIZONS_MONTHS", "Predictions", "fit_model", "predictions", "usable_horizons"]

HORIZONS_MONTHS = (12.0, 24.0, 36.0, 60.0)
"""Where discrimination and Brier scores are read, as far as follow-up goes."""
CUTOFF_MONTHS = 24.0
"""Horizon of cut-offs and of the decision curve: most relapses come within two years, and the papers cut there."""
SAFE = 1e-12
"""Distance that a system's survival keeps from 0 and 1 on the log(-log) scale."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """M models in the folds of one repeat; patients that were not tested are NaN.

    Attributes:
        times: (T,) months of ``survival``. scores: (M, n) higher is worse, by which patients are ranked and cut.
        linear_predictors: (M, n) of the Cox model behind ``survival``, (M, n, T); NaN where there is none.
        cutoffs: (M, F) of ``scores``, one per training fold; NaN where no cut-off separates.
        fold: (n,) test fold of each patient, -1 for none.
    """

    splits: tuple[Split, ...]
    times: Floats
    scores: Floats
    linear_predictors: Floats
    survival: Floats
    cutoffs: Floats
    fold: Ints

    def at(self, months: float) -> Floats:
        """(M, n) survival at one of ``times``."""
        return np.ascontiguousarray(self.survival[:, :, int(np.searchsorted(self.times, months))])

    @property
    def high(self) -> Floats:
        """(M, n) 1 for a patient whose score is at or above the cut-off of his or her fold, 0 below, else NaN."""
        cut = np.where(self.fold >= 0, self.cutoffs[:, self.fold], np.nan)
        return np.where(np.isnan(cut), np.nan, (self.scores >= cut).astype(np.float64))


@dataclass(frozen=True, eq=False)
class _Fitted:
    """One model in the folds of one repeat, arrays as in :class:`Predictions` without the first axis."""

    score: Floats
    linear_predictor: Floats
    survival: Floats
    cutoffs: Floats


def usable_horizons(
    follow_up: FollowUp, splits: Sequence[Split], months: Sequence[float] = HORIZONS_MONTHS
) -> tuple[float, ...]:
    """Those of ``months`` at which every test fold has events before and patients beyond, and every training fold
    still sees patients."""
    return tuple(time for time in months if all(_usable(follow_up, split, time) for split in splits))


def _usable(follow_up: FollowUp, split: Split, months: float) -> bool:
    train, test = follow_up.take(split.train), follow_up.take(split.test)
    try:
        weights = horizon_weights(train, test, months)
    except NotComputable:
        return False
    return bool(weights.case.any() and weights.control.any() and (train.months > months).any())


def fit_model(
    model: Candidate, follow_up: FollowUp, splits: Sequence[Split], times: Floats, *, untouched: bool
) -> _Fitted:
    """One model through all folds.

    Args:
        model: rows are the patients of ``follow_up``, all known. times: months of survival, within follow-up.
        untouched: a system keeps its own linear predictor, and its own survival or none.

    Raises:
        NotComputable: where a training fold does not carry the model.
    """
    n = follow_up.n
    score, lp, survival = np.full(n, np.nan), np.full(n, np.nan), np.full((n, times.size), np.nan)
    cutoffs = np.full(len(splits), np.nan)
    for number, split in enumerate(splits):
        train = follow_up.take(split.train)
        own_lp, own_survival = _fold(model, train, split, times, untouched)
        ranks = model.values[:, 0] if model.ranks_as_it_is else own_lp
        score[split.test], lp[split.test] = ranks[split.test], own_lp[split.test]
        survival[split.test] = own_survival
        cutoffs[number] = _cutoff(train, ranks[split.train])
    return _Fitted(score, lp, survival, cutoffs)


def predictions(fitted: Sequence[_Fitted], splits: Sequence[Split], times: Floats, n: int) -> Predictions:
    """The models side by side."""
    fold = np.full(n, -1, dtype=np.int64)
    for number, split in enumerate(splits):
        fold[split.test] = number
    return Predictions(
        tuple(splits),
        times,
        np.stack([one.score for one in fitted]),
        np.stack([one.linear_predictor for one in fitted]),
        np.stack([one.survival for one in fitted]),
        np.stack([one.cutoffs for one in fitted]),
        fold,
    )


def _fold(model: Candidate, train: FollowUp, split: Split, times: Floats, untouched: bool) -> tuple[Floats, Floats]:
    """Linear predictor of all n patients, and survival of the tested ones, (tested, T)."""
    n = len(model.values)
    if model.kind == "null":
        return np.zeros(n), np.tile(kaplan_meier(train).at(times), (split.test.size, 1))
    if model.kind == "system" and model.scores is not None:
        own = _own_survival(model.scores, split.test, times)
        if own is not None or untouched:
            nothing = np.full((split.test.size, times.size), np.nan)
            return model.values[:, 0], nothing if own is None else own
    columns = model.design(model.values, split.train, train)
    names = [f"x{number}" for number in range(columns.shape[1])]
    cox = fit_cox(names, columns[split.train], train, endpoint="evaluation")
    return cox.linear_predictor(columns), cox.survival(columns[split.test], times)


def _own_survival(scores: Scores, index: Ints, times: Floats) -> Floats | None:
    """A system's survival at ``times`` (T,): between its own horizons log cumulative hazard is taken as straight in
    log time, as between two points of a Weibull curve [A]; before the first and after the last it goes on so."""
    if scores.survival is None or not np.isfinite(scores.survival[index]).all():
        return None
    given = np.asarray(scores.survival[index], dtype=np.float64)
    log_hazard = np.log(-np.log(np.clip(given, SAFE, 1 - SAFE)))
    x, at = np.log(np.asarray(scores.horizons_months, dtype=np.float64)), np.log(times)
    if x.size == 1:
        # One horizon tells nothing of the shape: exact there, a constant hazard elsewhere.
        return np.asarray(np.exp(-np.exp(log_hazard + (at - x))), dtype=np.float64)
    left = np.clip(np.searchsorted(x, at, side="right") - 1, 0, x.size - 2)
    share = (at - x[left]) / (x[left + 1] - x[left])
    drawn = log_hazard[:, left] * (1 - share) + log_hazard[:, left + 1] * share
    return np.asarray(np.exp(-np.exp(drawn)), dtype=np.float64)


def _cutoff(train: FollowUp, score: Floats) -> float:
    try:
        return fit_cutoff(train, score, CUTOFF_MONTHS).value
    except NotComputable:
        return float("nan")
