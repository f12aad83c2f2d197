"""Brier score with censoring weights (Graf, Stat Med 1999;18:2529) and its integral over time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lymphoma.survival.curves import kaplan_meier
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.ipcw import CensoringLimit, horizon_weights, uncensored_probability

__all__ = ["brier", "brier_contributions", "brier_of_resamples", "integrated_brier", "null_survival"]


def brier_contributions(
    train: FollowUp, test: FollowUp, survival: npt.ArrayLike, months: npt.ArrayLike, limit: CensoringLimit = "at"
) -> Floats:
    """What each patient adds to the mean, (n, T); the mean over patients is the Brier score.

    Args:
        train: whose censoring distribution is used. survival: (n, T) predicted for ``test``. months: (T,).

    Raises:
        NotComputable: ``HORIZON_BEYOND_FOLLOW_UP``.
    """
    times = np.atleast_1d(np.asarray(months, dtype=np.float64))
    predicted = np.asarray(survival, dtype=np.float64)
    if predicted.shape != (test.n, times.size):
        raise ValueError("one prediction per patient and time is needed")
    # Weights of events do not depend on the horizon: one fit of the censoring distribution serves all times.
    case = horizon_weights(train, test, float(times.max()), limit).case
    remaining = uncensored_probability(train, times)
    failed, alive = test.months[:, None] <= times, test.months[:, None] > times
    out: Floats = predicted**2 * case[:, None] * failed + (1 - predicted) ** 2 * alive / remaining
    return out


def brier(
    train: FollowUp, test: FollowUp, survival: npt.ArrayLike, months: npt.ArrayLike, limit: CensoringLimit = "at"
) -> Floats:
    """Brier score at times (T,), shape (T,)."""
    score: Floats = brier_contributions(train, test, survival, months, limit).mean(axis=0)
    return score


def integrated_brier(train: FollowUp, test: FollowUp, survival: npt.ArrayLike, months: npt.ArrayLike) -> float:
    """Trapezoid mean of the Brier score over two times or more, ascending."""
    times = np.asarray(months, dtype=np.float64)
    return float(_mean_over_time(brier(train, test, survival, times)[None], times)[0])


def null_survival(train: FollowUp, n: int, months: npt.ArrayLike) -> Floats:
    """The training cohort's Kaplan-Meier curve for everybody, (n, T): the score that a model must beat."""
    return np.tile(kaplan_meier(train).at(months), (n, 1))


def brier_of_resamples(contributions: Floats, months: npt.ArrayLike) -> Callable[[Floats], Floats]:
    """The statistic for :func:`lymphoma.survival.bootstrap.bootstrap`: integrated Brier scores.

    Args:
        contributions: (M, n, T) of M models, from :func:`brier_contributions`; values are (B, M).
    """
    times = np.asarray(months, dtype=np.float64)
    per_patient = np.stack([_mean_over_time(model, times) for model in contributions], axis=1)

    def statistic(counts: Floats) -> Floats:
        scores: Floats = counts.T @ per_patient / counts.sum(axis=0)[:, None]
        return scores

    return statistic


def _mean_over_time(scores: Floats, times: Floats) -> Floats:
    if times.size < 2 or (np.diff(times) <= 0).any():
        raise ValueError("two times or more, ascending, are needed")
    mean: Floats = np.trapezoid(scores, times, axis=-1) / (times[-1] - times[0])
    return mean
