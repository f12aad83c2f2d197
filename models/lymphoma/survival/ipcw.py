"""Inverse probability of censoring weights: what is seen stands for what was hidden by censoring.

G(t), the chance of being uncensored beyond t, is a Kaplan-Meier estimate of the censoring times in which events
precede censorings of the same time (scikit-survival). It is fitted on the training patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sksurv.nonparametric import CensoringDistributionEstimator

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["HorizonWeights", "event_weights", "horizon_weights", "uncensored_probability"]


@dataclass(frozen=True, eq=False)
class HorizonWeights:
    """Weights of the patients as cases and as controls at a horizon (Uno, JASA 2007;102:527).

    Attributes:
        case: (n,) 1 / G(time) for an event at or before the horizon, else 0.
        control: (n,) 1 / G(horizon) for a patient seen beyond the horizon, else 0.
    """

    case: Floats
    control: Floats


def uncensored_probability(train: FollowUp, months: npt.ArrayLike) -> Floats:
    """G at ``months``, of any length, fitted on ``train``.

    Raises:
        NotComputable: ``HORIZON_BEYOND_FOLLOW_UP`` where G is 0 or unknown at one of the times.
    """
    at = np.atleast_1d(np.asarray(months, dtype=np.float64))
    if at.size == 0:
        return at
    if train.event.all():
        return np.ones(at.size)
    try:
        found = np.asarray(CensoringDistributionEstimator().fit(train.structured()).predict_proba(at), dtype=np.float64)
    except ValueError as error:
        raise NotComputable("HORIZON_BEYOND_FOLLOW_UP", "a time lies beyond the follow-up of the cohort") from error
    if (found <= 0).any():
        raise NotComputable("HORIZON_BEYOND_FOLLOW_UP", "at one of the times no patient can be seen uncensored")
    return found


def event_weights(train: FollowUp, test: FollowUp, tau_months: float | None) -> Floats:
    """1 / G(time), shape (n,), for events of ``test`` before ``tau_months`` (all where None), 0 for the others."""
    counted = test.event if tau_months is None else test.event & (test.months < tau_months)
    weights = np.zeros(test.n)
    weights[counted] = 1 / uncensored_probability(train, test.months[counted])
    return weights


def horizon_weights(train: FollowUp, test: FollowUp, months: float) -> HorizonWeights:
    """Weights of ``test`` at a horizon, with censoring as in ``train``."""
    case, control = np.zeros(test.n), np.zeros(test.n)
    cases, controls = test.event & (test.months <= months), test.months > months
    case[cases] = 1 / uncensored_probability(train, test.months[cases])
    control[controls] = 1 / uncensored_probability(train, [months])[0]
    return HorizonWeights(case, control)
