"""Concordance of a risk with survival: Harrell's C, Uno's C, and tests of paired differences.

Harrell, JAMA 1982;247:2543; Uno, Stat Med 2011;30:1105; Kang, Stat Med 2015;34:685. Ties in risk count one half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.ipcw import CensoringLimit, event_weights
from lymphoma.survival.pairs import count_pairs

__all__ = ["KangTest", "harrell", "harrell_of_resamples", "kang", "uno", "uno_of_resamples"]

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class KangTest:
    """Two paired C-indices and the test that they are the same.

    Attributes:
        first, second: Harrell's C. standard_error: of the difference. p: two-sided.
        first_error, second_error: standard errors of the two.
    """

    first: float
    second: float
    difference: float
    standard_error: float
    z: float
    p: float
    first_error: float
    second_error: float


def harrell(follow_up: FollowUp, risk: npt.ArrayLike) -> float:
    """Harrell's C of a risk (n,), higher is worse.

    Raises:
        NotComputable: ``NO_COMPARABLE_PAIRS``.
    """
    return _single(harrell_of_resamples(follow_up, np.asarray(risk, dtype=np.float64)[:, None]), follow_up)


def uno(
    train: FollowUp,
    test: FollowUp,
    risk: npt.ArrayLike,
    tau_months: float | None = None,
    limit: CensoringLimit = "at",
) -> float:
    """Uno's C of a risk (n,) of ``test``; censoring from ``train``, events from ``tau_months`` on left out."""
    column = np.asarray(risk, dtype=np.float64)[:, None]
    return _single(uno_of_resamples(train, test, column, tau_months, limit), test)


def harrell_of_resamples(follow_up: FollowUp, risks: Floats) -> Callable[[Floats], Floats]:
    """The statistic for :func:`lymphoma.survival.bootstrap.bootstrap`; risks (n, M) give values (B, M)."""

    def statistic(counts: Floats) -> Floats:
        columns = [count_pairs(follow_up, risks[:, one], counts).concordance for one in range(risks.shape[1])]
        return np.stack(columns, axis=1)

    return statistic


def uno_of_resamples(
    train: FollowUp,
    test: FollowUp,
    risks: Floats,
    tau_months: float | None = None,
    limit: CensoringLimit = "at",
) -> Callable[[Floats], Floats]:
    """As :func:`harrell_of_resamples`; the censoring distribution of ``train`` is kept fixed over resamples."""
    earlier = np.square(event_weights(train, test, tau_months, limit))

    def statistic(counts: Floats) -> Floats:
        columns = [count_pairs(test, risks[:, one], counts, earlier).concordance for one in range(risks.shape[1])]
        return np.stack(columns, axis=1)

    return statistic


def kang(follow_up: FollowUp, first: npt.ArrayLike, second: npt.ArrayLike) -> KangTest:
    """Difference of two Harrell C on the same patients, by U-statistics without resampling.

    C = (t_risk / t_time + 1) / 2 with t_risk the mean of concordance signs over all pairs and t_time the share of
    comparable pairs. Variances and covariances of the three means are the unbiased ones of U-statistics of order two,
    in O(n^2) time and O(n) memory; the delta method carries them to C.

    Raises:
        NotComputable: ``TOO_FEW_PATIENTS`` under four patients, ``NO_COMPARABLE_PAIRS``.
    """
    if follow_up.n < 4:
        raise NotComputable("TOO_FEW_PATIENTS", "the test needs four patients or more")
    risks = np.stack([np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)])
    means, covariance = _pair_means(follow_up, risks)
    share = means[2]
    if share == 0:
        raise NotComputable("NO_COMPARABLE_PAIRS", "no two patients can be compared")
    slopes = np.array([[1 / share, 0, -means[0] / share**2], [0, 1 / share, -means[1] / share**2]]) / 2
    of_c = slopes @ covariance @ slopes.T
    one, two = (means[:2] / share + 1) / 2
    error = float(np.sqrt(max(of_c[0, 0] + of_c[1, 1] - 2 * of_c[0, 1], 0.0)))
    # Two risks of the same order differ by nothing: then z is 0, not 0 / 0.
    z = 0.0 if one == two else float((one - two) / error) if error > 0 else float(np.copysign(np.inf, one - two))
    errors = np.sqrt(np.maximum(np.diag(of_c), 0))
    p = float(2 * norm.sf(abs(z)))
    return KangTest(float(one), float(two), float(one - two), error, z, p, float(errors[0]), float(errors[1]))


def _single(statistic: Callable[[Floats], Floats], follow_up: FollowUp) -> float:
    value = float(statistic(np.ones((follow_up.n, 1)))[0, 0])
    if np.isnan(value):
        raise NotComputable("NO_COMPARABLE_PAIRS", "no two patients can be compared")
    return value


def _pair_means(follow_up: FollowUp, risks: Floats) -> tuple[Floats, Floats]:
    """Means over ordered pairs of (sign of risk 1, sign of risk 2, comparable), and their covariance (3, 3)."""
    n, months, event = follow_up.n, follow_up.months, follow_up.event
    rows, products = np.zeros((3, n)), np.zeros((3, 3))
    for start in range(0, n, ROWS_AT_ONCE):
        here = slice(start, min(start + ROWS_AT_ONCE, n))
        t, e = months[here, None], event[here, None]
        before = e & ((t < months) | ((t == months) & ~event))
        after = event & ((months < t) | ((months == t) & ~e))
        order = before.astype(np.float64) - after
        signs = [order * np.sign(risk[here, None] - risk) for risk in risks]
        kernels = np.stack([*signs, np.abs(order)])
        rows[:, here] = kernels.sum(axis=2)
        flat = kernels.reshape(3, -1)
        products += flat @ flat.T
    totals = rows.sum(axis=1)
    ordered = n * (n - 1)
    # Sum over four different patients: all products less those that share one patient or both.
    apart = np.outer(totals, totals) - 4 * rows @ rows.T + 2 * products
    covariance = np.outer(totals, totals) / ordered**2 - apart / (ordered * (n - 2) * (n - 3))
    return totals / ordered, covariance
