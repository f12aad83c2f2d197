"""C-indices and horizon AUCs of many models on many resamples, as matrix products.

With A[i, j] = 1 where patient i had the higher risk of a comparable pair (one half where equal) and w the counts of a
resample, the concordant pairs are w' A w; all resamples at once are one product of matrices. Counts and halves are
small, so that single precision holds the sums exactly. Same values as :mod:`lymphoma.survival.concordance`, where one
model costs a walk through a tree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = ["ComparablePairs", "auc_of_counts"]

Singles = npt.NDArray[np.float32]
ROWS = 512
"""Rows of A at a time: 20 MB for 10,000 patients."""


class ComparablePairs:
    """The comparable pairs of one test fold, ready for any number of models and resamples.

    Args:
        follow_up: of the n tested patients. uno: (n,) weights 1 / G of events, 0 from tau on.
    """

    def __init__(self, follow_up: FollowUp, uno: Floats) -> None:
        # Events come before censorings of the same time: what is comparable with an event is then all from one row on.
        self.order: Ints = np.lexsort((~follow_up.event, follow_up.months))
        months, event = follow_up.months[self.order], follow_up.event[self.order]
        self.rows: Ints = np.flatnonzero(event)
        failed_until = np.searchsorted(months, months[self.rows], side="left") + _failed_together(months, event)[event]
        self.first: Ints = failed_until.astype(np.int64)
        self.squared: Floats = np.square(uno[self.order][self.rows])
        self.n = follow_up.n

    def sums(self, risks: Floats, counts: Floats) -> tuple[Floats, Floats]:
        """Concordant weight (2, B, M) and comparable weight (2, B), Harrell's then Uno's.

        Args:
            risks: (M, n). counts: (n, B).
        """
        w = counts[self.order]
        later = np.concatenate([np.cumsum(w[::-1], axis=0)[::-1], np.zeros((1, w.shape[1]))])[self.first]
        own = w[self.rows]
        pairs = np.stack([(own * later).sum(axis=0), (self.squared[:, None] * own * later).sum(axis=0)])
        wins = np.stack([self._wins(risk[self.order], w, own) for risk in risks], axis=2)
        return wins, pairs

    def concordance(self, risks: Floats, counts: Floats) -> tuple[Floats, Floats]:
        """(Harrell, Uno), each (B, M), from risks (M, n) and counts (n, B); NaN without a comparable pair."""
        wins, pairs = self.sums(risks, counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = wins / pairs[:, :, None]
        return share[0], share[1]

    def _wins(self, risk: Floats, w: Floats, own: Floats) -> Floats:
        """(2, B) concordant weight of one risk in the order of time, Harrell's and Uno's."""
        rank, ties = _ranks(risk)
        singles = w.astype(np.float32)
        total = np.zeros((2, w.shape[1]))
        for start in range(0, self.rows.size, ROWS):
            block = slice(start, start + ROWS)
            begin = int(self.first[start])
            matrix = _higher(rank[self.rows[block]], rank[begin:], ties)
            # A later row of the block may begin later.
            for line, at in enumerate(self.first[block] - begin):
                matrix[line, :at] = 0
            product = own[block] * (matrix @ singles[begin:]).astype(np.float64)
            total[0] += product.sum(axis=0)
            total[1] += self.squared[block] @ product
        return total


def auc_of_counts(risks: Floats, case: Floats, control: Floats, counts: Floats) -> Floats:
    """Cumulative/dynamic AUC (B, M) of risks (M, n).

    Args:
        case, control: (n,) weights of :func:`lymphoma.survival.ipcw.horizon_weights`; those of controls are equal.
    """
    cases, controls = np.flatnonzero(case > 0), np.flatnonzero(control > 0)
    weight, others = counts[cases] * case[cases][:, None], counts[controls]
    singles = others.astype(np.float32)
    found = []
    for risk in risks:
        rank, ties = _ranks(risk)
        wins = np.zeros(counts.shape[1])
        for start in range(0, cases.size, ROWS):
            block = slice(start, start + ROWS)
            matrix = _higher(rank[cases[block]], rank[controls], ties)
            wins += (weight[block] * (matrix @ singles).astype(np.float64)).sum(axis=0)
        found.append(wins)
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Floats = np.stack(found, axis=1) / (weight.sum(axis=0) * others.sum(axis=0))[:, None]
    return area


def _ranks(risk: Floats) -> tuple[Singles, bool]:
    """Ranks from 0 in single precision, exact to 16 million, and whether any two are equal."""
    distinct, rank = np.unique(risk, return_inverse=True)
    return rank.astype(np.float32), distinct.size < risk.size


def _higher(first: Singles, second: Singles, ties: bool) -> Singles:
    """(a, b) 1 where the first is higher, one half where equal."""
    matrix = np.greater(first[:, None], second).astype(np.float32)
    if ties:
        matrix += np.float32(0.5) * np.equal(first[:, None], second)
    return matrix


def _failed_together(months: Floats, event: npt.NDArray[np.bool_]) -> Ints:
    """(n,) events at the same time as each patient."""
    group = np.unique(months, return_inverse=True)[1]
    return np.bincount(group, weights=event)[group].astype(np.int64)
