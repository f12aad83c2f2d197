"""Concordance by ranks, with a standard error from disjoint groups of patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from lymphoma.simulation.outcomes import OutcomeTable
from scipy.stats import kendalltau
from sksurv.metrics import concordance_index_censored

__all__ = ["Concordance", "harrell_in_groups", "with_true_risk"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Concordance:
    """A concordance and its standard error."""

    value: float
    error: float


def with_true_risk(eta: Floats, score: npt.ArrayLike) -> Concordance:
    """Share of all pairs that a score puts in the order of the true risk, ties counted half.

    The standard error is that of Kendall's tau of independent values, 2 / (3 sqrt n), on the scale of C.
    """
    score = np.asarray(score, dtype=np.float64)
    known = np.isfinite(score)
    eta, score = eta[known], score[known]
    n = len(eta)
    pairs = n * (n - 1) / 2
    free = [pairs - float((counts * (counts - 1) / 2).sum()) for counts in (_ties(eta), _ties(score))]
    difference = float(kendalltau(eta, score).statistic) * np.sqrt(free[0] * free[1])
    return Concordance(0.5 + difference / (2 * pairs), float(1 / (3 * np.sqrt(n))))


def _ties(values: Floats) -> Floats:
    return np.unique(values, return_counts=True)[1].astype(np.float64)


def harrell_in_groups(outcomes: OutcomeTable, score: Floats, groups: int = 20) -> Concordance:
    """Harrell's C of progression-free survival: mean over disjoint groups, standard error from their scatter."""
    found = [
        float(concordance_index_censored(outcomes.pfs_event[part], outcomes.pfs_months[part], score[part])[0])
        for part in np.array_split(np.arange(len(score)), groups)
    ]
    return Concordance(float(np.mean(found)), float(np.std(found, ddof=1) / np.sqrt(groups)))
