"""Fitting the clinical PET model on a cohort: TMTV, SUVpeak, Dmaxbulk, ECOG and age (Eertink, Blood 2023;141:3055).

The published coefficients are not known, so that they are always fitted. The number of covariates follows from the
number of events, never from how well they did; every figure of performance is out of fold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.folded import folded_concordance
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.covariates import COVARIATES
from lymphoma.prognosis.fit import fit_prognostic_model
from lymphoma.prognosis.model import CutOffRule, Endpoint, PrognosticModel
from lymphoma.prognosis.reading import complete
from lymphoma.survival.bootstrap import Interval
from lymphoma.survival.cox import fit_cox
from lymphoma.survival.design import Term, columns_of, encode
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.nomogram import Value
from lymphoma.training.case import Subject
from lymphoma.training.folds import stratified_folds

__all__ = ["COVARIATES_IN_ORDER", "EVENTS_A_PARAMETER", "FOLDS", "EndpointFit", "fit_endpoint", "folds_of"]

COVARIATES_IN_ORDER = ("tmtv_ml", "age_years", "ecog", "dmax_bulk_mm", "suv_peak")
"""The last goes first where events are few: SUVpeak depends most on the scanner, Dmaxbulk needs every lesion found,
age and ECOG are known of nearly everybody, and the volume is what the model is for."""
EVENTS_A_PARAMETER = 10
"""Harrell's rule of thumb against overfitting."""
FOLDS = 5
RESAMPLES = 1000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class EndpointFit:
    """The model of one endpoint and how it did.

    Attributes:
        index: (n,) positions of the patients it was fitted on, among those of the cohort.
        left_out: patients with an outcome and without one of the values. dropped: covariates left out, for few events.
        out_of_fold: (n,) linear predictors of folds that never saw the patient, about the mean covariates of all n.
        concordance: Harrell's C within folds, in mean. slope: of a Cox model on ``out_of_fold``; 1 is well calibrated.
    """

    model: PrognosticModel
    index: Ints
    left_out: int
    dropped: tuple[str, ...]
    out_of_fold: Floats
    concordance: Interval
    slope: Interval

    @property
    def beats_chance(self) -> bool:
        """The interval of the concordance lies above one half."""
        return self.concordance.lower > 0.5


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
    follow_up = patients.follow_up(endpoint, index)
    parts = folds_of(patients, index, seed, endpoint)
    tell = _Steps(progress, FOLDS + resamples)
    out_of_fold = _out_of_fold(terms, encode(terms, columns), follow_up, parts, tell)
    model = fit_prognostic_model(endpoint, terms, columns, follow_up, rule=rule, out_of_fold=out_of_fold)
    return EndpointFit(
        model=model,
        index=index,
        left_out=len(known) - len(index),
        dropped=tuple(name for name in COVARIATES_IN_ORDER if name not in {term.name for term in terms}),
        out_of_fold=out_of_fold,
        concordance=folded_concordance(
            follow_up,
            out_of_fold,
            parts,
            resamples=resamples,
            seed=seed,
            progress=lambda done, _: tell.reach(FOLDS + done),
        ),
        slope=_slope(follow_up, out_of_fold),
    )


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


def folds_of(patients: Patients, index: Ints, seed: int, endpoint: Endpoint) -> list[Ints]:
    """Positions in ``index`` that each fold holds out."""
    place = {patients.ids[position]: row for row, position in enumerate(index)}
    subjects = [
        Subject(
            patients.ids[i],
            patients.centres[i],
            patients.clinical[i],
            patients.outcomes["pfs"][i],
            patients.outcomes["os"][i],
            patients.contents[i],
        )
        for i in index
    ]
    made = stratified_folds(subjects, FOLDS, seed, endpoint=endpoint)
    return [np.array([place[name] for name in fold.validation], dtype=np.int64) for fold in made.folds]


def _out_of_fold(terms: list[Term], x: Floats, follow_up: FollowUp, parts: list[Ints], tell: _Steps) -> Floats:
    """(n,) linear predictors about the mean covariates (n, p) of all, each by the other folds' model."""
    found = np.empty(len(x))
    for held in parts:
        train = np.setdiff1d(np.arange(len(x)), held)
        cox = fit_cox(columns_of(terms), x[train], follow_up.take(train), endpoint="out of fold")
        found[held] = (x[held] - x.mean(axis=0)) @ cox.coefficients
        tell.forward(1)
    return found


def _slope(follow_up: FollowUp, risk: Floats) -> Interval:
    row = fit_cox(["lp"], risk[:, None], follow_up, endpoint="slope").table()[0]
    wide = row.coefficient - float(np.log(row.lower))
    return Interval(row.coefficient, row.coefficient - wide, row.coefficient + wide, 0.95)


class _Steps:
    """Counts steps for a progress bar."""

    def __init__(self, progress: Progress | None, of: int) -> None:
        self._progress, self._of, self._done = progress, of, 0

    def forward(self, steps: int) -> None:
        self.reach(self._done + steps)

    def reach(self, done: int) -> None:
        self._done = done
        if self._progress is not None:
            self._progress(done, self._of)
