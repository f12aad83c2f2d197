"""The flexible calibration curve of :func:`lymphoma.survival.calibration.calibration_curve`, on resamples."""

from __future__ import annotations

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.weighted import StratifiedCox
from lymphoma.survival.follow_up import Floats, FollowUp
from lymphoma.survival.splines import quantile_knots, restricted_cubic

__all__ = ["FlexibleCurve"]

SAFE = 1e-10
"""Distance that predicted risks keep from 0 and 1 on the log(-log) scale."""


class FlexibleCurve:
    """A Cox model on a spline of log(-log) predicted survival, read at the horizon (Austin, Stat Med 2020;39:2714).

    Args:
        survival: (n,) predicted by ``months``.

    Raises:
        NotComputable: ``TOO_FEW_VALUES`` or ``COX_NOT_FITTED`` where predictions are too few or all alike.
    """

    def __init__(self, follow_up: FollowUp, survival: Floats, months: float) -> None:
        s = np.clip(survival, SAFE, 1 - SAFE)
        scale = np.log(-np.log(s))
        basis = restricted_cubic(scale, quantile_knots(scale, 3))
        self.months = months
        self.predicted: Floats = 1 - s
        self.cox = StratifiedCox(follow_up, basis, np.zeros(follow_up.n, dtype=np.int64))
        self.basis: Floats = basis - self.cox.centre
        found = self.cox.coefficients(np.ones((follow_up.n, 1)))[0]
        if not np.isfinite(found).all():
            raise NotComputable("COX_NOT_FITTED", "the calibration curve has no single maximum")
        self.start: Floats = found

    def observed(self, counts: Floats) -> Floats:
        """(n, B) risk by the horizon along the curve of each resample, from counts (n, B)."""
        beta = self.cox.coefficients(counts, self.start)
        hazard = self.cox.hazard_at(counts, beta, self.months)
        risk: Floats = 1 - np.exp(-np.exp(self.basis @ beta.T) * hazard)
        return risk

    def distances(self, counts: Floats) -> Floats:
        """(B, 3) mean, median and 90th percentile of the distance between the curve and the predicted risk."""
        gap = np.abs(self.observed(counts) - self.predicted[:, None])
        mean = (gap * counts).sum(axis=0) / counts.sum(axis=0)
        return np.column_stack([mean, *_quantiles(gap, counts, (0.5, 0.9))])


def _quantiles(values: Floats, weights: Floats, shares: tuple[float, ...]) -> list[Floats]:
    """(B,) per share: the least value (n, B) with that share of the weight at or below it."""
    # A resample in a row of its own: sorting and summing then run along memory.
    across, loads = np.ascontiguousarray(values.T), np.ascontiguousarray(weights.T)
    order = np.argsort(across, axis=1)
    reached = np.cumsum(np.take_along_axis(loads, order, axis=1), axis=1)
    ranks = [np.minimum((reached < share * reached[:, -1:]).sum(axis=1), len(values) - 1) for share in shares]
    lines = np.arange(across.shape[0])
    return [across[lines, order[lines, rank]] for rank in ranks]
