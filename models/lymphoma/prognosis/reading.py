"""A patient's values as a model takes them: one per covariate, None where not known, never imputed."""

from __future__ import annotations

from collections.abc import Sequence

from lymphoma.prognosis.covariates import covariate
from lymphoma.prognosis.measures import Prospect
from lymphoma.survival.design import Term
from lymphoma.survival.nomogram import Value

__all__ = ["complete", "values_of"]


def values_of(terms: Sequence[Term], patient: Prospect) -> tuple[Value | None, ...]:
    """One value per covariate.

    Raises:
        KeyError: a covariate that this version does not know.
    """
    return tuple(covariate(term.name).read(patient) for term in terms)


def complete(terms: Sequence[Term], patients: Sequence[Prospect]) -> tuple[list[int], list[list[Value]]]:
    """The patients without a gap, and their values: (positions in ``patients``, one list per covariate)."""
    reads = [covariate(term.name).read for term in terms]
    rows = [[read(patient) for read in reads] for patient in patients]
    kept = [index for index, row in enumerate(rows) if all(value is not None for value in row)]
    columns: list[list[Value]] = [[] for _ in terms]
    for index in kept:
        for column, value in zip(columns, rows[index], strict=True):
            if value is not None:
                column.append(value)
    return kept, columns
