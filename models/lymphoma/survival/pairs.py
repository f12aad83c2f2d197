"""Counting concordant pairs of a cohort for many weightings at once, in O(n log n).

Two patients are comparable when one has the event strictly before the other's time, or at the same time at which the
other is censored. Patients are inserted from the last time to the first into a Fenwick tree
over the ranks of their risks (Fenwick, Softw Pract Exper 1994;24:327); every node of the tree is a row of sums, one
per weighting, so that a thousand bootstrap resamples cost one walk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lymphoma.survival.follow_up import Floats, FollowUp, Ints

__all__ = ["Pairs", "count_pairs"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Summed weights of comparable pairs; each array (B,), one value per weighting.

    Attributes:
        concordant: the earlier event had the higher risk. discordant: the lower. tied: both the same.
    """

    concordant: Floats
    discordant: Floats
    tied: Floats

    @property
    def concordance(self) -> Floats:
        """(concordant + tied / 2) / comparable, shape (B,); NaN where no pair is comparable."""
        comparable = self.concordant + self.discordant + self.tied
        with np.errstate(invalid="ignore"):
            share: Floats = (self.concordant + self.tied / 2) / comparable
        return share


def count_pairs(follow_up: FollowUp, risk: Floats, weights: Floats, earlier: Floats | None = None) -> Pairs:
    """Weighted pairs.

    Args:
        risk: (n,) higher is expected to fail earlier.
        weights: (n, B); a pair weighs the product of its two patients. Counts of a bootstrap resample make this equal
            to the count over the resampled copies, as copies of one patient are never comparable with each other.
        earlier: (n,) further factor of the patient with the earlier event, as Uno's 1 / G^2; 1 where None.
    """
    ranks = np.unique(risk, return_inverse=True)[1].astype(np.int64) + 1
    size = int(ranks.max())
    down, up = _paths(size)
    # One row more than there are ranks: paths are padded, downward with row 0, upward with the last row, never read.
    tree = np.zeros((size + 2, weights.shape[1]))
    inserted = np.zeros(weights.shape[1])
    sums = np.zeros((3, weights.shape[1]))
    factor = np.ones(follow_up.n) if earlier is None else earlier
    for censored, failed in _moments(follow_up):
        for one in censored:
            tree[up[ranks[one]]] += weights[one]
            inserted += weights[one]
        for one in failed:
            if factor[one] == 0:
                continue
            rank, own = ranks[one], weights[one] * factor[one]
            below, upto = tree[down[rank - 1]].sum(axis=0), tree[down[rank]].sum(axis=0)
            sums[0] += own * below
            sums[1] += own * (inserted - upto)
            sums[2] += own * (upto - below)
        for one in failed:
            tree[up[ranks[one]]] += weights[one]
            inserted += weights[one]
    return Pairs(sums[0], sums[1], sums[2])


def _moments(follow_up: FollowUp) -> list[tuple[list[int], list[int]]]:
    """Per distinct time, last first: indices of those censored there and of those with the event there."""
    order = np.argsort(-follow_up.months, kind="stable")
    edges = np.flatnonzero(np.diff(follow_up.months[order])) + 1
    together = np.split(order, edges)
    event = follow_up.event
    return [(group[~event[group]].tolist(), group[event[group]].tolist()) for group in together]


def _paths(size: int) -> tuple[Ints, Ints]:
    """Tree rows whose sum is the prefix up to each rank, and tree rows that hold each rank; both (size + 1, depth)."""
    depth = size.bit_length() + 1
    down = np.zeros((size + 1, depth), dtype=np.int64)
    up = np.full((size + 1, depth), size + 1, dtype=np.int64)
    at, to = np.arange(size + 1), np.arange(size + 1)
    to[0] = size + 1
    for level in range(depth):
        down[:, level] = at
        at = at - (at & -at)
        up[:, level] = to
        to = np.minimum(np.where(to > size, to, to + (to & -to)), size + 1)
    return down, up
