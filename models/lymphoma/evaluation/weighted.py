"""Cox coefficients and Kaplan-Meier values of many resamples at once, from counts.

A patient drawn twice is a tie with himself, so that ties are Breslow's here; Efron's would treat the copies as two
people who failed in an unknown order.
"""

from __future__ import annotations

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = ["FailedBy", "StratifiedCox"]

STEPS = 25
"""Newton steps at most; from the coefficient of the whole cohort three or four are enough."""
CLOSE = 1e-3
"""Last change, in standard deviations of the covariate; Newton's error after it is of the order of its square."""


class StratifiedCox:
    """A Cox model with a baseline per stratum, fitted to resamples.

    Args:
        covariates: (n, p). strata: (n,) risk sets hold patients of one stratum only; below 0 is left out.
    """

    def __init__(self, follow_up: FollowUp, covariates: Floats, strata: Ints) -> None:
        used = np.flatnonzero(strata >= 0)
        x = covariates[used]
        self.scale: Floats = x.std(axis=0)
        if not (self.scale > 0).all():
            raise NotComputable("COX_NOT_FITTED", "a covariate is the same in every patient")
        self.centre: Floats = x.mean(axis=0)
        order = used[np.lexsort((-follow_up.months[used], strata[used]))]
        self.order: Ints = order
        self.x: Floats = (covariates[order] - self.centre) / self.scale
        self.months, self.event = follow_up.months[order], follow_up.event[order]
        labels = strata[order]
        starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
        self.before = np.repeat(starts - 1, np.diff(np.append(starts, order.size)))
        leaves = np.concatenate([(self.months[1:] != self.months[:-1]) | (labels[1:] != labels[:-1]), [True]])
        # Everybody of one time is at risk together: the last row of the time holds the sums.
        ends = np.flatnonzero(leaves)
        self.last: Ints = ends[np.searchsorted(ends, np.arange(order.size))]
        self.rows: Ints = np.flatnonzero(self.event)

    def coefficients(self, counts: Floats, start: Floats | None = None) -> Floats:
        """(B, p) from counts (n, B); NaN where a resample has no maximum.

        Args:
            start: (p,) where Newton begins; None begins at 0.
        """
        w = counts[self.order]
        size, p = w.shape[1], self.x.shape[1]
        beta = np.zeros((size, p)) if start is None else np.tile(start * self.scale, (size, 1))
        for _ in range(STEPS):
            slope, curve = self._derivatives(w, beta)
            step = _solved(curve, slope)
            beta = beta + np.clip(step, -2, 2)
            moved = np.abs(step).max(axis=1)
            if not (moved[np.isfinite(moved)] > CLOSE).any():
                break
        # Where the steps have not come to rest the likelihood has no maximum.
        beta = np.where((moved <= CLOSE)[:, None], beta, np.nan)
        return beta / self.scale

    def hazard_at(self, counts: Floats, beta: Floats, months: float) -> Floats:
        """(B,) Breslow's cumulative hazard at ``months`` at the mean covariates; one stratum only."""
        w = counts[self.order]
        risk = np.cumsum(w * np.exp(self.x @ (beta * self.scale).T), axis=0)
        rows = self.rows[self.months[self.rows] <= months]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(w[rows] > 0, w[rows] / risk[self.last[rows]], 0.0)
        total: Floats = share.sum(axis=0)
        return total

    def _derivatives(self, w: Floats, beta: Floats) -> tuple[Floats, Floats]:
        """Gradient (B, p) and information (B, p, p) of the partial likelihood."""
        # A resample without a maximum runs off to where nothing is a number; it is NaN in the end, and no warning.
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._sums(w, beta)

    def _sums(self, w: Floats, beta: Floats) -> tuple[Floats, Floats]:
        p = self.x.shape[1]
        own = w[self.rows]
        weight = w * np.exp(np.clip(self.x @ beta.T, -50, 50))
        s0 = self._at_risk(weight)
        inverse = np.where(own > 0, 1 / s0, 0.0)
        s1 = [self._at_risk(weight * self.x[:, k, None]) * inverse for k in range(p)]
        slope = np.stack([(own * (self.x[self.rows, k, None] - s1[k])).sum(axis=0) for k in range(p)], axis=1)
        curve = np.zeros((w.shape[1], p, p))
        for k in range(p):
            for m in range(k + 1):
                product = (self.x[:, k] * self.x[:, m])[:, None]
                s2 = self._at_risk(weight * product) * inverse
                curve[:, k, m] = curve[:, m, k] = (own * (s2 - s1[k] * s1[m])).sum(axis=0)
        return slope, curve

    def _at_risk(self, weight: Floats) -> Floats:
        """(events, B) sums over those at risk at each event."""
        sums = np.cumsum(weight, axis=0)
        found: Floats = sums[self.last[self.rows]]
        # What stands before a stratum is not of it; the first stratum has nothing before it.
        earlier = self.before[self.rows]
        later = earlier >= 0
        if later.any():
            found[later] -= sums[earlier[later]]
        return found


class FailedBy:
    """Kaplan-Meier of a part of the patients, positions ``index``, at one time, on resamples."""

    def __init__(self, follow_up: FollowUp, index: Ints, months: float) -> None:
        self.index: Ints = index[np.argsort(follow_up.months[index], kind="stable")]
        times, event = follow_up.months[self.index], follow_up.event[self.index]
        self.first: Ints = np.flatnonzero(np.concatenate([[True], times[1:] != times[:-1]])) if times.size else index
        self.early: Ints = self.first[times[self.first] <= months]
        self.event = event
        self.followed = times >= months

    def share(self, counts: Floats) -> Floats:
        """(B,) share failed by the time; NaN where nobody drawn was followed so far, 0 where nobody is chosen."""
        w = counts[self.index]
        if not self.index.size:
            return np.zeros(counts.shape[1])
        total = w.sum(axis=0)
        if not self.early.size:
            return np.where(total > 0, 0.0, np.nan)
        gone = np.add.reduceat(w, self.first, axis=0)[: self.early.size]
        failed = np.add.reduceat(w * self.event[:, None], self.first, axis=0)[: self.early.size]
        at_risk = total - np.concatenate([np.zeros((1, w.shape[1])), np.cumsum(gone, axis=0)[:-1]])
        with np.errstate(invalid="ignore", divide="ignore"):
            steps = np.where(failed > 0, 1 - failed / at_risk, 1.0)
        survival = steps.prod(axis=0)
        known = (w[self.followed].sum(axis=0) > 0) | (survival <= 0)
        share: Floats = np.where(known, 1 - survival, np.nan)
        return share


def _solved(curve: Floats, slope: Floats) -> Floats:
    """Newton's step (B, p); NaN where the information cannot be inverted."""
    step = np.full(slope.shape, np.nan)
    good = np.isfinite(curve).all(axis=(1, 2)) & (np.linalg.det(np.nan_to_num(curve)) > 0)
    step[good] = np.linalg.solve(curve[good], slope[good][:, :, None])[:, :, 0]
    return step
