"""DeLong's covariance of paired AUCs in O(n log n) (Sun and Xu, IEEE Signal Process Lett 2014;21:1389).

For binary labels only, so in this package for the naive AUC alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats

__all__ = ["Delong", "DelongTest", "delong", "delong_test"]


@dataclass(frozen=True, eq=False)
class Delong:
    """AUCs of M scores on the same patients, (M,), and their covariance, (M, M)."""

    auc: Floats
    covariance: Floats

    def interval(self, index: int, level: float = 0.95) -> tuple[float, float]:
        """Normal interval of one AUC, cut at 0 and 1."""
        reach = float(norm.ppf((1 + level) / 2) * np.sqrt(self.covariance[index, index]))
        return max(0.0, float(self.auc[index]) - reach), min(1.0, float(self.auc[index]) + reach)


@dataclass(frozen=True)
class DelongTest:
    """Difference of two paired AUCs, and its two-sided test."""

    difference: float
    standard_error: float
    z: float
    p: float


def delong(event: npt.ArrayLike, scores: npt.ArrayLike) -> Delong:
    """AUCs with covariance.

    Args:
        event: (n,) bool. scores: (n, M), higher expects the event.

    Raises:
        NotComputable: ``ONE_CLASS`` with fewer than two cases or controls.
    """
    case, s = np.asarray(event, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
    cases, controls = s[case], s[~case]
    m, n = len(cases), len(controls)
    if m < 2 or n < 2:
        raise NotComputable("ONE_CLASS", "two cases and two controls are needed")
    together = rankdata(np.concatenate([cases, controls]), axis=0)
    # Share of controls below each case, and of cases above each control.
    of_cases = (together[:m] - rankdata(cases, axis=0)) / n
    of_controls = 1 - (together[m:] - rankdata(controls, axis=0)) / m
    covariance = np.cov(of_cases, rowvar=False) / m + np.cov(of_controls, rowvar=False) / n
    return Delong(of_cases.mean(axis=0), np.atleast_2d(covariance))


def delong_test(found: Delong, first: int = 0, second: int = 1) -> DelongTest:
    """Tests that two of the AUCs are the same."""
    gap = float(found.auc[first] - found.auc[second])
    c = found.covariance
    error = float(np.sqrt(max(c[first, first] + c[second, second] - 2 * c[first, second], 0.0)))
    z = 0.0 if gap == 0 else float(np.copysign(np.inf, gap)) if error == 0 else gap / error
    return DelongTest(gap, error, z, float(2 * norm.sf(abs(z))))
