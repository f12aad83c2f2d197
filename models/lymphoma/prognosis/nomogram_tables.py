"""What stands beside a nomogram: values by covariate, the screening of single factors, paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.covariates import SCORE, covariate
from lymphoma.prognosis.cross_fit import CrossFit
from lymphoma.prognosis.measures import Prospect
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.bootstrap import Interval, bootstrap, difference
from lymphoma.survival.concordance import harrell_of_resamples
from lymphoma.survival.cox_tables import TermRow, univariate_table
from lymphoma.survival.design import Term
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.nomogram import Value

__all__ = ["SCREENED", "Columns", "Comparison", "compared", "paired_gain", "parts_within", "screened"]

SCREENED = (
    "age_years",
    "sex",
    "stage",
    "ldh_ratio",
    "ecog",
    "extranodal_count",
    "bulky",
    "ipi",
    "suv_max",
    "tmtv_ml",
    "tlg_g",
    "dmax_mm",
)
"""Clinical factors and PET measures of the univariate table, after the paper's Table 2: its own for nasopharyngeal
carcinoma (T, N, EBV DNA, haemoglobin, histology) have the lymphoma's in their place."""


@dataclass(frozen=True)
class Comparison:
    """The nomogram against another model on the same patients: difference of their concordances, paired."""

    against: str
    gain: Interval


@dataclass(frozen=True, eq=False)
class Columns:
    """Values of the patients at ``index``, by the names of covariates; ``scores``: name -> one value each."""

    patients: Patients
    index: Ints
    scores: Mapping[str, Floats]

    def column(self, name: str) -> list[Value | None]:
        """A score as it is given, a factor or measure as it is known."""
        read = covariate(name).read
        return [read(self._prospect(row, int(at))) for row, at in enumerate(self.index)]

    def known(self, names: Sequence[str]) -> Ints:
        """Rows of the patients of whom all of these are known."""
        columns = [self.column(name) for name in names]
        return np.array(
            [row for row in range(len(self.index)) if all(one[row] is not None for one in columns)], np.int64
        )

    def take(self, rows: Ints) -> Columns:
        """The patients at ``rows``."""
        return Columns(self.patients, self.index[rows], {name: one[rows] for name, one in self.scores.items()})

    def _prospect(self, row: int, at: int) -> Prospect:
        own = {name: float(values[row]) for name, values in self.scores.items()}
        return replace(self.patients.prospect(at), scores=own)

    def of(self, names: Sequence[str]) -> tuple[list[Term], list[list[Value]]]:
        """Terms and columns of covariates that are known of everybody here."""
        columns = [[one for one in self.column(name) if one is not None] for name in names]
        if any(len(column) != len(self.index) for column in columns):
            raise ValueError("a covariate is not known of everybody")
        return [covariate(name).term for name in names], columns


def screened(columns: Columns, endpoint: Endpoint, follow_up: FollowUp) -> tuple[TermRow, ...]:
    """Each factor, measure and score alone, on the patients of whom it is known."""
    rows: list[TermRow] = []
    for name in (*SCREENED, *(f"{SCORE}{score}" for score in columns.scores)):
        found = columns.column(name)
        known = np.array([at for at, one in enumerate(found) if one is not None], dtype=np.int64)
        if len(known) < 2:
            rows.append(TermRow(name, (), None, "known of fewer than two patients"))
            continue
        values = [one for one in found if one is not None]
        rows += univariate_table([covariate(name).term], [values], follow_up.take(known), endpoint=endpoint)
    return tuple(rows)


def parts_within(parts: Sequence[Ints], rows: Ints) -> tuple[Ints, ...]:
    """The folds of the rows that are left, in their new order; a fold without anybody falls away."""
    left = [np.flatnonzero(np.isin(rows, part)).astype(np.int64) for part in parts]
    return tuple(part for part in left if len(part))


def compared(
    fits: Mapping[str, CrossFit], first: str, follow_up: FollowUp, *, resamples: int, seed: int
) -> tuple[Comparison, ...]:
    """One model against each of the others, all over the same folds of the same patients."""
    own = fits[first]
    return tuple(
        Comparison(
            name,
            paired_gain(follow_up, own.parts, own.out_of_fold, other.out_of_fold, resamples=resamples, seed=seed),
        )
        for name, other in fits.items()
        if name != first
    )


def paired_gain(
    follow_up: FollowUp, parts: Sequence[Ints], first: Floats, second: Floats, *, resamples: int, seed: int
) -> Interval:
    """Harrell's C of the first score less that of the second, within folds and in mean, on the same resamples.

    Args:
        parts: positions that each fold held out. first, second: (n,) out of fold, higher is worse.
    """
    both = np.column_stack((first, second))
    each = [harrell_of_resamples(follow_up.take(part), both[part]) for part in parts]

    def mean(counts: Floats) -> Floats:
        found = [statistic(np.ascontiguousarray(counts[part])) for statistic, part in zip(each, parts, strict=True)]
        average: Floats = np.nanmean(found, axis=0)
        return average

    own = mean(np.ones((follow_up.n, 1)))[0]
    draws = bootstrap(follow_up.n, mean, resamples=resamples, seed=seed)
    return difference(float(own[0]), float(own[1]), draws)
