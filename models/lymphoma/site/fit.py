"""Fitting the clinical PET model on a cohort: TMTV, SUVpeak, Dmaxbulk, ECOG and age (Eertink, Blood 2023;141:3055).

The published coefficients are not known, so that they are always fitted. The number of covariates follows from the
number of events, never from how well they did; every figure of performance is out of fold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patient_folds import folds_of, held_out
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.prognosis.cross_fit import CrossFit, Progress, cross_fit
from lymphoma.prognosis.model import CutOffRule, Endpoint
from lymphoma.prognosis.reading import complete
from lymphoma.survival.design import Term
from lymphoma.survival.follow_up import Ints
from lymphoma.survival.nomogram import Value

__all__ = ["COVARIATES_IN_ORDER", "EVENTS_A_PARAMETER", "FOLDS", "EndpointFit", "fit_endpoint"]

COVARIATES_IN_ORDER = ("tmtv_ml", "age_years", "ecog", "dmax_bulk_mm", "suv_peak")
"""The last goes first where events are few: SUVpeak depends most on the scanner, Dmaxbulk needs every lesion found,
age and ECOG are known of nearly everybody, and the volume is what the model is for."""
EVENTS_A_PARAMETER = 10
"""Harrell's rule of thumb against overfitting."""
FOLDS = 5
RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class EndpointFit:
    """The model of one endpoint and how it did.

    Attributes:
        index: (n,) positions of the patients it was fitted on, among those of the cohort.
        left_out: patients with an outcome and without one of the values. dropped: covariates left out, for few events.
    """

    fit: CrossFit
    index: Ints
    left_out: int
    dropped: tuple[str, ...]


def fit_endpoint(
    patients: Patients,
    endpoint: Endpoint,
    *,
    rule: CutOffRule = "youden_24m",
    seed: int = 0,
    resamples: int = RESAMPLES,
    progress: Progress | None = None,
) -> EndpointFit:
    """Fits on the patients whose outcome and covariates are all known.

    Args:
        seed: of folds and resamples. progress: called with (steps done, steps in all).

    Raises:
        NotComputable: ``TOO_FEW_EVENTS`` under 10 events; ``FOLDS_IMPOSSIBLE``; ``COX_NOT_FITTED``;
            ``COVARIATE_INVALID`` for a covariate that is the same in all.
    """
    known = patients.known(endpoint)
    terms, kept, columns = _chosen(patients, endpoint, known)
    index = known[kept]
    folds = folds_of(patients, index, FOLDS, seed, endpoint)
    parts = held_out(folds, [patients.ids[i] for i in index])
    fit = cross_fit(
        endpoint,
        terms,
        columns,
        patients.follow_up(endpoint, index),
        parts,
        rule=rule,
        resamples=resamples,
        seed=seed,
        progress=progress,
    )
    dropped = tuple(name for name in COVARIATES_IN_ORDER if name not in {term.name for term in terms})
    return EndpointFit(fit, index, len(known) - len(index), dropped)


def _chosen(patients: Patients, endpoint: Endpoint, known: Ints) -> tuple[list[Term], Ints, list[list[Value]]]:
    """As many covariates as the events of the complete patients allow: terms, positions in ``known``, values."""
    prospects = [patients.prospect(int(position)) for position in known]
    terms = [COVARIATES[name].term for name in COVARIATES_IN_ORDER]
    kept, columns = complete(terms, prospects)
    events = patients.follow_up(endpoint, known[kept]).events if kept else 0
    allowed = events // EVENTS_A_PARAMETER
    if not allowed:
        raise NotComputable(
            "TOO_FEW_EVENTS", f"{events} events in complete patients, a model needs {EVENTS_A_PARAMETER}"
        )
    if allowed < len(terms):
        terms = terms[:allowed]
        kept, columns = complete(terms, prospects)
    return terms, np.array(kept, dtype=np.int64), columns
