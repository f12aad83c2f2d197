"""The covariates of a cohort: univariate and multivariate Cox tables, and Table 1 by event or by centre."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.result import CoxTables, TableOne, TableOneRow
from lymphoma.prognosis.covariates import COVARIATES, Covariate
from lymphoma.survival.cox_tables import TermRow, multivariate_table, univariate_table
from lymphoma.survival.design import Categorical, Continuous
from lymphoma.survival.follow_up import FollowUp, Ints
from lymphoma.survival.nomogram import Value
from lymphoma.survival.tables import categorical_row, continuous_row

__all__ = ["MULTIVARIATE", "cox_tables", "table_one"]

UNIVARIATE = (
    *("age_years", "sex", "stage", "ldh_ratio", "ecog_group", "extranodal_count", "cell_of_origin", "bulky"),
    *("ipi", "nccn_ipi", "tmtv_ml", "tlg_g", "suv_max", "suv_peak", "lesion_count", "dmax_mm", "dmax_bulk_mm"),
    "sdmax_per_m",
)
MULTIVARIATE = ("tmtv_ml", "age_years", "stage", "ecog_group", "ldh_ratio", "dmax_mm", "suv_peak", "extranodal_count")
"""Named beforehand, the most established first: choosing by univariate p would make every p below too small. Indices,
and measures that repeat another, stay out."""
EVENTS_PER_COVARIATE = 10
LEAST_KNOWN = 0.5
"""A covariate known in a smaller share of patients does not enter the multivariate table [A]."""
TABLE_ONE = (
    *("age_years", "sex", "stage_four", "ldh_ratio", "ecog_group", "extranodal_count", "cell_of_origin", "bulky"),
    *("ipi", "nccn_ipi", "tmtv_ml", "tlg_g", "suv_max", "suv_peak", "lesion_count", "dmax_mm", "dmax_bulk_mm"),
    "sdmax_per_m",
)

_Column = list[Value | None]


def cox_tables(patients: Patients, index: Ints, follow_up: FollowUp) -> CoxTables:
    """Hazard ratios of the covariates among the patients at ``index``, whose follow-up is given.

    A univariate row uses every patient whose covariate is known, the multivariate table those for whom all are.
    """
    columns = {name: _read(patients, index, COVARIATES[name]) for name in dict.fromkeys((*UNIVARIATE, *MULTIVARIATE))}
    rows, sizes = [], []
    for name in UNIVARIATE:
        known = np.array([value is not None for value in columns[name]])
        sizes.append(int(known.sum()))
        rows.append(_univariate(name, columns[name], known, follow_up))
    chosen, kept = _room(columns, follow_up)
    left_out = tuple(name for name in MULTIVARIATE if name not in chosen)
    part = follow_up.take(kept) if kept.any() else None
    n, events = (0, 0) if part is None else (part.n, part.events)
    if part is None or not chosen:
        problem = "there are too few events or known values for a multivariate table"
        return CoxTables(tuple(rows), tuple(sizes), (), n, events, left_out, problem)
    terms = [COVARIATES[name].term for name in chosen]
    values = [[value for value, use in zip(columns[name], kept, strict=True) if use] for name in chosen]
    try:
        _, table = multivariate_table(terms, [_array(one) for one in values], part, endpoint="evaluation")
    except NotComputable as problem_found:
        return CoxTables(tuple(rows), tuple(sizes), (), n, events, left_out, problem_found.reason)
    return CoxTables(tuple(rows), tuple(sizes), table, n, events, left_out)


def table_one(
    patients: Patients, index: Ints, by: Literal["event", "centre"], event: npt.NDArray[np.bool_]
) -> TableOne:
    """The patients at ``index`` by event (``event``, in the order of ``index``) or by centre."""
    if by == "event":
        labels = np.where(event, "event", "no event")
        order = [label for label in ("no event", "event") if (labels == label).any()]
    else:
        labels = np.array([patients.centres[i] or "unnamed" for i in index])
        order = sorted(set(labels.tolist()))
    groups = [np.flatnonzero(labels == label) for label in order]
    rows = tuple(_row(COVARIATES[name], _read(patients, index, COVARIATES[name]), groups) for name in TABLE_ONE)
    return TableOne(by, tuple(order), tuple(int(group.size) for group in groups), rows)


def _read(patients: Patients, index: Ints, covariate: Covariate) -> _Column:
    return [covariate.read(patients.prospect(int(i))) for i in index]


def _array(values: Sequence[Value | None]) -> npt.ArrayLike:
    return np.asarray(values)


def _univariate(name: str, column: _Column, known: npt.NDArray[np.bool_], follow_up: FollowUp) -> TermRow:
    term = COVARIATES[name].term
    if not known.any():
        return TermRow(name, (), None, "it is not known of any patient")
    values = _array([value for value in column if value is not None])
    return univariate_table([term], [values], follow_up.take(known), endpoint="evaluation")[0]


def _room(columns: dict[str, _Column], follow_up: FollowUp) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Covariates of the multivariate table in their order, as many as the events carry, and the patients used."""
    chosen: list[str] = []
    kept = np.ones(follow_up.n, dtype=np.bool_)
    for name in MULTIVARIATE:
        known = kept & np.array([value is not None for value in columns[name]])
        values = {value for value, use in zip(columns[name], known, strict=True) if use}
        if known.sum() < LEAST_KNOWN * follow_up.n or len(values) < 2:
            continue
        width = sum(COVARIATES[one].term.width for one in (*chosen, name))
        if follow_up.event[known].sum() >= EVENTS_PER_COVARIATE * width:
            chosen.append(name)
            kept = known
    return chosen, kept


def _row(covariate: Covariate, column: _Column, groups: Sequence[Ints]) -> TableOneRow:
    parts = [[column[i] for i in group] for group in groups]
    known = tuple(sum(value is not None for value in part) for part in parts)
    missing = tuple(len(part) - there for part, there in zip(parts, known, strict=True))
    term = covariate.term
    if isinstance(term, Categorical):
        return _levels(covariate, term, parts, known, missing)
    return _numbers(covariate, term, parts, known, missing)


def _levels(
    covariate: Covariate,
    term: Categorical,
    parts: Sequence[Sequence[Value | None]],
    known: tuple[int, ...],
    missing: tuple[int, ...],
) -> TableOneRow:
    counts = tuple(tuple(sum(value == level for value in part) for level in term.levels) for part in parts)
    words = [[None if value is None else str(value) for value in part] for part in parts]
    test, p, problem = None, None, None
    try:
        found = categorical_row(term.levels, words)
        test, p = found.test, found.p
    except NotComputable as why:
        problem = why.reason
    return TableOneRow(
        term.name,
        covariate.label,
        "",
        known,
        missing,
        levels=term.levels,
        counts=counts,
        test=test,
        p=p,
        problem=problem,
    )


def _numbers(
    covariate: Covariate,
    term: Continuous,
    parts: Sequence[Sequence[Value | None]],
    known: tuple[int, ...],
    missing: tuple[int, ...],
) -> TableOneRow:
    values = [np.array([float(value) for value in part if value is not None]) for part in parts]
    quartiles = [np.quantile(one, [0.25, 0.5, 0.75]) if one.size else None for one in values]
    test, p, problem = _difference(values)
    return TableOneRow(
        term.name,
        covariate.label,
        term.unit,
        known,
        missing,
        medians=tuple(None if q is None else float(q[1]) for q in quartiles),
        lower_quartiles=tuple(None if q is None else float(q[0]) for q in quartiles),
        upper_quartiles=tuple(None if q is None else float(q[2]) for q in quartiles),
        means=tuple(float(one.mean()) if one.size else None for one in values),
        test=test,
        p=p,
        problem=problem,
    )


def _difference(values: Sequence[npt.NDArray[np.float64]]) -> tuple[str | None, float | None, str | None]:
    """Test, p and why there is none."""
    try:
        if len(values) == 2:
            found = continuous_row(values[0], values[1])
            return found.test, found.p, None
    except NotComputable as why:
        return None, None, why.reason
    if len(values) < 2 or min(one.size for one in values) < 3 or np.unique(np.concatenate(values)).size < 2:
        return None, None, "there is nothing to compare"
    return "kruskal", float(stats.kruskal(*values).pvalue), None
