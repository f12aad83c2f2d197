"""A patient's values of a model's covariates."""

from __future__ import annotations

from collections.abc import Sequence

from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.prognosis.measures import Prospect
from lymphoma.survival.design import Term
from lymphoma.survival.nomogram import Value

__all__ = ["SCORE", "values_of"]

SCORE = "score:"
"""What the name of a covariate begins with that is a system's score."""


def values_of(terms: Sequence[Term], patient: Prospect) -> tuple[Value | None, ...]:
    """One value per covariate, None where it is not known; nothing is imputed."""
    return tuple(_value(term.name, patient) for term in terms)


def _value(name: str, patient: Prospect) -> Value | None:
    if name.startswith(SCORE):
        return patient.scores.get(name.removeprefix(SCORE))
    return COVARIATES[name].read(patient)
