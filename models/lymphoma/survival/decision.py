"""Net benefit of acting on a predicted risk (Vickers, Med Decis Making 2006;26:565, with censoring as in 2008;8:53).

Acting on those whose risk is at or above the threshold gains the events among them and pays for the others at the
odds of the threshold. Events by the horizon are counted by Kaplan-Meier among those acted on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.survival.curves import kaplan_meier
from lymphoma.survival.follow_up import Floats, FollowUp

__all__ = ["DecisionCurve", "decision_curve"]


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit per patient, each (K,); acting on nobody is 0.

    Attributes:
        thresholds: of the risk by the horizon. model: NaN where those at risk cannot be judged: none of the chosen
            was followed to the horizon. everybody: acting on all.
    """

    months: float
    thresholds: Floats
    model: Floats
    everybody: Floats


def decision_curve(
    follow_up: FollowUp, predicted_risk: npt.ArrayLike, months: float, thresholds: npt.ArrayLike
) -> DecisionCurve:
    """The decision curve of predicted risks (n,), 1 - S(horizon), at thresholds (K,) between 0 and 1.

    Raises:
        NotComputable: ``HORIZON_BEYOND_FOLLOW_UP`` for the whole cohort.
    """
    risk, cuts = np.asarray(predicted_risk, dtype=np.float64), np.asarray(thresholds, dtype=np.float64)
    if ((cuts <= 0) | (cuts >= 1)).any():
        raise ValueError("thresholds lie between 0 and 1")
    odds = cuts / (1 - cuts)
    overall = 1 - float(kaplan_meier(follow_up).at([months])[0])
    model = np.array([_benefit(follow_up, risk >= cut, months, cost) for cut, cost in zip(cuts, odds, strict=True)])
    return DecisionCurve(months, cuts, model, overall - (1 - overall) * odds)


def _benefit(follow_up: FollowUp, chosen: npt.NDArray[np.bool_], months: float, cost: float) -> float:
    if not chosen.any():
        return 0.0
    try:
        failed = 1 - float(kaplan_meier(follow_up.take(chosen)).at([months])[0])
    except NotComputable:
        return float("nan")
    return float(chosen.mean() * (failed - (1 - failed) * cost))
