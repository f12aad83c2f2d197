"""Area under the ROC curve at a horizon: cumulative/dynamic, and the naive one of the papers.

Cumulative/dynamic (Uno, JASA 2007;102:527; Hung, Can J Stat 2010;38:8): cases failed by the horizon, controls live
beyond it, weights for those censored before. Naive, "as published": those censored before the horizon are left out,
which is a different quantity and is named so wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Bools, Floats, FollowUp
from lymphoma.survival.ipcw import CensoringLimit, horizon_weights

__all__ = ["NaiveLabels", "auc_of_resamples", "cumulative_auc", "naive_auc", "naive_labels"]


@dataclass(frozen=True, eq=False)
class NaiveLabels:
    """Event by the horizon or not.

    Attributes:
        known: (n,) False for patients censored before the horizon. event: (n,) meaningless where not known.
    """

    known: Bools
    event: Bools


def naive_labels(follow_up: FollowUp, months: float) -> NaiveLabels:
    """Binary labels at a horizon; a patient censored exactly there counts as free of the event."""
    event = follow_up.event & (follow_up.months <= months)
    return NaiveLabels(event | (follow_up.months >= months), event)


def naive_auc(follow_up: FollowUp, risk: npt.ArrayLike, months: float) -> float:
    """AUC over patients of known status ("as published").

    Raises:
        NotComputable: ``ONE_CLASS`` without cases or without controls.
    """
    labels = naive_labels(follow_up, months)
    event = labels.event[labels.known]
    if event.all() or not event.any():
        raise NotComputable("ONE_CLASS", "at the horizon all patients of known status have the same one")
    return float(roc_auc_score(event, np.asarray(risk, dtype=np.float64)[labels.known]))


def cumulative_auc(
    train: FollowUp, test: FollowUp, risk: npt.ArrayLike, months: npt.ArrayLike, limit: CensoringLimit = "at"
) -> Floats:
    """Cumulative/dynamic AUC at times (T,), shape (T,).

    Args:
        train: whose censoring distribution is used. risk: (n,) of ``test``, or (n, T) with a column per time.
        limit: of the censoring distribution at an event.

    Raises:
        NotComputable: ``HORIZON_BEYOND_FOLLOW_UP``, ``ONE_CLASS`` without a case or a control at a time.
    """
    times = np.atleast_1d(np.asarray(months, dtype=np.float64))
    scores = np.asarray(risk, dtype=np.float64)
    found = np.zeros(times.size)
    for index, time in enumerate(times):
        column = scores if scores.ndim == 1 else scores[:, index]
        weights = horizon_weights(train, test, float(time), limit)
        if not weights.case.any() or not weights.control.any():
            raise NotComputable("ONE_CLASS", "at the horizon there is no case or no control")
        found[index] = _weighted_auc(column, weights.case[:, None], weights.control[:, None])[0]
    return found


def auc_of_resamples(train: FollowUp, test: FollowUp, risks: Floats, months: float) -> Callable[[Floats], Floats]:
    """The statistic for :func:`lymphoma.survival.bootstrap.bootstrap` at one horizon; risks (n, M) give (B, M).

    The censoring distribution of ``train`` is kept fixed over resamples.
    """
    weights = horizon_weights(train, test, months)

    def statistic(counts: Floats) -> Floats:
        cases, controls = counts * weights.case[:, None], counts * weights.control[:, None]
        return np.stack([_weighted_auc(risks[:, one], cases, controls) for one in range(risks.shape[1])], axis=1)

    return statistic


def _weighted_auc(risk: Floats, cases: Floats, controls: Floats) -> Floats:
    """(B,) from weights (n, B): for each risk, the controls below it plus half of those equal."""
    order = np.argsort(risk, kind="stable")
    first = np.concatenate([[0], np.flatnonzero(np.diff(risk[order])) + 1])
    case, control = np.add.reduceat(cases[order], first, axis=0), np.add.reduceat(controls[order], first, axis=0)
    below = np.cumsum(control, axis=0) - control / 2
    with np.errstate(invalid="ignore"):
        area: Floats = (case * below).sum(axis=0) / (case.sum(axis=0) * control.sum(axis=0))
    return area
