"""The baseline of a Cox model: cumulative hazard at the mean covariates, and what its uncertainty needs.

Tied events: "efron" averages over the risk sets that the ties could have had, "breslow" takes the first of them. The
two differ (by 1.3e-3 in survival on the Rossi data), so the method is part of the model. Variance of the cumulative
hazard of a patient: Tsiatis, Ann Statist 1981;9:93, with the sums of the chosen method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["Baseline", "Ties", "fit_baseline"]

Ties = Literal["efron", "breslow"]


@dataclass(frozen=True, eq=False)
class Baseline:
    """Right-continuous step functions that change at the event times; 0 before the first.

    Attributes:
        method: of tied events.
        months: (k,) event times, ascending. last_months: the longest follow-up; nothing is known later.
        cumulative_hazard: (k,) at covariates equal to the means.
        variance: (k,) of the cumulative hazard, coefficients taken as known.
        shift: (k, p) integral of (mean covariates of those at risk - means) over the cumulative hazard.
    """

    method: Ties
    months: Floats
    last_months: float
    cumulative_hazard: Floats
    variance: Floats
    shift: Floats

    def at(self, months: Floats) -> tuple[Floats, Floats, Floats]:
        """(cumulative hazard, variance, shift) at times (T,): shapes (T,), (T,), (T, p)."""
        index = np.searchsorted(self.months, months, side="right")
        p = self.shift.shape[1]
        return (
            np.concatenate([[0.0], self.cumulative_hazard])[index],
            np.concatenate([[0.0], self.variance])[index],
            np.concatenate([np.zeros((1, p)), self.shift])[index],
        )


def fit_baseline(follow_up: FollowUp, centred: Floats, coefficients: Floats, method: Ties) -> Baseline:
    """Baseline for given coefficients (p,).

    Args:
        centred: (n, p) covariates less their means.
    """
    order = np.argsort(-follow_up.months, kind="stable")
    months, event, x = follow_up.months[order], follow_up.event[order], centred[order]
    weight = np.exp(x @ coefficients)
    times = np.unique(months[event])
    # Everyone whose time is not before an event time is at risk there.
    last = np.searchsorted(-months, -times, side="right") - 1
    risk, risk_x = np.cumsum(weight)[last], np.cumsum(weight[:, None] * x, axis=0)[last]
    group = np.searchsorted(times, months[event])
    k, p = times.size, x.shape[1]
    deaths = np.bincount(group, minlength=k)
    failing, failing_x = np.zeros(k), np.zeros((k, p))
    np.add.at(failing, group, weight[event])
    np.add.at(failing_x, group, weight[event, None] * x[event])
    hazard, variance, shift = np.zeros(k), np.zeros(k), np.zeros((k, p))
    for tie in range(int(deaths.max(initial=0))):
        here = deaths > tie
        share = tie / deaths[here] if method == "efron" else np.zeros(int(here.sum()))
        total = risk[here] - share * failing[here]
        hazard[here] += 1 / total
        variance[here] += 1 / total**2
        shift[here] += (risk_x[here] - share[:, None] * failing_x[here]) / total[:, None] ** 2
    return Baseline(
        method,
        times,
        float(follow_up.months.max()),
        np.cumsum(hazard),
        np.cumsum(variance),
        np.cumsum(shift, axis=0),
    )
