"""The covariates that a model may have, each by one name: how it is read from a patient, and what readers call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lymphoma.prognosis.measures import Prospect
from lymphoma.survival.design import Categorical, Continuous, Term
from lymphoma.survival.nomogram import Value

__all__ = ["COVARIATES", "Covariate"]


@dataclass(frozen=True)
class Covariate:
    """A covariate.

    Attributes:
        term: as a fit takes it. label: for readers, "TMTV". read: its value of a patient, None where not known.
    """

    term: Term
    label: str
    read: Callable[[Prospect], Value | None]


def _number(name: str, label: str, unit: str, read: Callable[[Prospect], float | None]) -> Covariate:
    return Covariate(Continuous(name, unit), label, read)


COVARIATES: dict[str, Covariate] = {
    one.term.name: one
    for one in (
        _number("age_years", "Age", "years", lambda patient: patient.clinical.age_years),
        _number("tmtv_ml", "TMTV", "mL", lambda patient: patient.pet.tmtv_ml),
        Covariate(
            Categorical("stage", ("I-II", "III-IV")),
            "Ann Arbor stage",
            lambda patient: None if patient.clinical.stage is None else ("I-II", "III-IV")[patient.clinical.stage >= 3],
        ),
    )
}
"""By name; the room of :mod:`lymphoma.prognosis` fills the list."""
