"""Cut-offs by Youden's index, fitted on training patients only, and what a threshold then achieves.

A patient whose score equals the cut-off is HIGH. Patients censored before the horizon are handled by one of two named
ways: "ipcw" weights those of known status (Uno, JASA 2007;102:527); "naive" leaves the others out, as published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_curve

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.ipcw import horizon_weights
from lymphoma.survival.time_auc import naive_labels

__all__ = ["Censoring", "CutOff", "Stability", "ThresholdMetrics", "fit_cutoff", "stability", "threshold_metrics"]

Censoring = Literal["ipcw", "naive"]


@dataclass(frozen=True)
class CutOff:
    """Attributes: value: HIGH from here on. youden: sensitivity + specificity - 1 where it was fitted, optimistic."""

    value: float
    youden: float
    months: float
    censoring: Censoring


@dataclass(frozen=True)
class ThresholdMetrics:
    """A threshold at a horizon; a share without a denominator is None.

    Attributes:
        high, low: patients at or above, and below. left_out: of unknown status, so seen only through weights
            ("ipcw") or not at all ("naive").
    """

    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None
    high: int
    low: int
    left_out: int
    censoring: Censoring


@dataclass(frozen=True, eq=False)
class Stability:
    """How a cut-off moves between training folds.

    Attributes:
        values: (F,) one per fold. cv: their coefficient of variation. moved: share of patients whose group is not
            the same under all of them.
    """

    values: Floats
    cv: float
    moved: float


def fit_cutoff(follow_up: FollowUp, score: npt.ArrayLike, months: float, censoring: Censoring = "ipcw") -> CutOff:
    """The score (n,) that maximises Youden's index at a horizon; of equal ones the highest.

    Raises:
        NotComputable: ``ONE_CLASS``, or ``NO_SEPARATION`` where no cut does better than chance.
    """
    s = np.asarray(score, dtype=np.float64)
    case, control = _weights(follow_up, months, censoring)
    known = (case + control) > 0
    if not case.any() or not control.any():
        raise NotComputable("ONE_CLASS", "at the horizon there is no case or no control")
    false, true, thresholds = roc_curve(case[known] > 0, s[known], sample_weight=(case + control)[known])
    best = int(np.argmax(true - false))
    if not np.isfinite(thresholds[best]) or true[best] - false[best] <= 0:
        raise NotComputable("NO_SEPARATION", "no cut-off does better than chance")
    return CutOff(float(thresholds[best]), float(true[best] - false[best]), months, censoring)


def threshold_metrics(
    follow_up: FollowUp, score: npt.ArrayLike, cutoff: float, months: float, censoring: Censoring = "ipcw"
) -> ThresholdMetrics:
    """Sensitivity, specificity and predictive values at a horizon of the groups that a cut-off makes."""
    high = np.asarray(score, dtype=np.float64) >= cutoff
    case, control = _weights(follow_up, months, censoring)
    tp, fn, fp, tn = case[high].sum(), case[~high].sum(), control[high].sum(), control[~high].sum()
    return ThresholdMetrics(
        _share(tp, fn),
        _share(tn, fp),
        _share(tp, fp),
        _share(tn, fn),
        int(high.sum()),
        int((~high).sum()),
        int((case + control == 0).sum()),
        censoring,
    )


def stability(
    follow_up: FollowUp, score: npt.ArrayLike, folds: Sequence[Ints], months: float, censoring: Censoring = "ipcw"
) -> Stability:
    """Cut-offs refitted with each fold (indices of its patients) left out."""
    s = np.asarray(score, dtype=np.float64)
    values = []
    for fold in folds:
        kept = np.setdiff1d(np.arange(follow_up.n), fold)
        values.append(fit_cutoff(follow_up.take(kept), s[kept], months, censoring).value)
    found = np.asarray(values)
    high = s[:, None] >= found
    moved = float((high.any(axis=1) & ~high.all(axis=1)).mean())
    return Stability(found, float(found.std(ddof=1) / abs(found.mean())), moved)


def _weights(follow_up: FollowUp, months: float, censoring: Censoring) -> tuple[Floats, Floats]:
    if censoring == "ipcw":
        weights = horizon_weights(follow_up, follow_up, months)
        return weights.case, weights.control
    labels = naive_labels(follow_up, months)
    return (labels.known & labels.event).astype(np.float64), (labels.known & ~labels.event).astype(np.float64)


def _share(part: float, rest: float) -> float | None:
    return float(part / (part + rest)) if part + rest > 0 else None
