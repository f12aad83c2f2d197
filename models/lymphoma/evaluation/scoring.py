"""A bundle's word on the patients of a cohort: out of fold where it was trained on them, else its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lymphoma.combined import COMBINED
from lymphoma.combined.store import combined_of
from lymphoma.errors import NotComputable
from lymphoma.evaluation.combine import IMPI
from lymphoma.evaluation.patients import Patients, Scores
from lymphoma.prognosis.covariates import SCORE
from lymphoma.prognosis.model import ENDPOINTS, Endpoint, PrognosticModel
from lymphoma.prognosis.reading import complete, values_of
from lymphoma.site.features import FEATURES, range_features
from lymphoma.survival.follow_up import Bools, Floats
from lymphoma.survival.indices import impi_linear_predictor
from lymphoma.training.bundle import Bundle
from lymphoma.training.metadata import contents_digest
from lymphoma.training.statistics import in_range

__all__ = ["Judged", "impi_of", "judge_patients", "outside_range", "with_scores"]


@dataclass(frozen=True, eq=False)
class Judged:
    """A bundle's word on n patients.

    Attributes:
        scores: of one endpoint; NaN where ``codes`` says why. codes: (n,) None where there is a score.
    """

    scores: Scores
    codes: tuple[str | None, ...]


def judge_patients(bundle: Bundle, patients: Patients, endpoint: Endpoint) -> Judged | None:
    """The bundle's linear predictors, before any recalibration, and its survival, after it.

    A patient that the bundle was trained on has the kept prediction by a model that never saw him or her. Where none
    are kept, and the cohort is that of the training, the scores are marked as not out of fold.

    Returns:
        None where the bundle has no model of the endpoint.

    Raises:
        NotComputable: ``NOT_INSTALLED`` for a system whose score must be computed from images first, and was not
            (:attr:`lymphoma.evaluation.patients.Patients.image_scores`).
    """
    model = bundle.survival(endpoint)
    if model is None:
        return None
    if bundle.metadata.nodal.system == COMBINED:
        lp = _combined(bundle, model, patients, endpoint)
    else:
        read = {term.name.removeprefix(SCORE) for term in model.terms if term.name.startswith(SCORE)}
        if any((bundle.metadata.name, one) not in patients.image_scores for one in read):
            what = f"{bundle.metadata.nodal.system} reads images; its scores of a cohort are not computed here"
            raise NotComputable("NOT_INSTALLED", what)
        lp = _predicted(model, patients, bundle.metadata.name)
    stored = bundle.out_of_fold()
    own = {} if stored is None else stored.linear_predictors.get(endpoint, {})
    for index, content in enumerate(patients.contents):
        lp[index] = own.get(content, lp[index])
    same = bundle.metadata.nodal.cohort_digest == contents_digest(patients.contents)
    codes = tuple(None if np.isfinite(lp[i]) else _missing(model, patients, i) for i in range(len(patients)))
    survival = _survival(model, lp)
    name = bundle.metadata.name
    scores = Scores(name, lp, survival, model.horizons_months, out_of_fold=stored is not None or not same)
    return Judged(scores, codes)


def _predicted(model: PrognosticModel, patients: Patients, bundle: str) -> Floats:
    """(n,) linear predictors, NaN where a covariate is not known."""
    lp = np.full(len(patients), np.nan)
    kept, columns = complete(model.terms, [patients.prospect(index, bundle) for index in range(len(patients))])
    if kept:
        lp[kept] = model.linear_predictor(columns)
    return lp


def _combined(bundle: Bundle, model: PrognosticModel, patients: Patients, endpoint: Endpoint) -> Floats:
    """(n,) of the patients who have every input; those with fewer have another sub-model, and are not compared here."""
    combined = combined_of(bundle, endpoint)
    if combined is None or combined.full is None:
        raise NotComputable("NO_BUNDLE", f"{bundle.metadata.name} holds no combination of {endpoint}")
    absent = [one.bundle for one in combined.parts if (one.bundle, endpoint) not in patients.scores]
    if absent:
        raise NotComputable("NO_BUNDLE", f"{bundle.metadata.name} reads {', '.join(absent)}, which is not given")
    given = {one.system: patients.scores[one.bundle, endpoint].linear_predictor for one in combined.parts}
    given[IMPI] = impi_of(patients)
    values = np.stack([given[name] for name in combined.full.blend.inputs], axis=1)
    whole = np.isfinite(values).all(axis=1)
    lp = np.full(len(patients), np.nan)
    lp[whole] = model.linear_predictor([combined.full.blend.scores(values[whole]).tolist()])
    return lp


def with_scores(patients: Patients, bundles: Sequence[Bundle]) -> Patients:
    """The patients with the word of each bundle on every endpoint that it has a model of; a combined one goes last.

    Raises:
        NotComputable: as :func:`judge_patients`. ValueError: two bundles of one name.
    """
    if len({bundle.metadata.name for bundle in bundles}) != len(bundles):
        raise ValueError("bundles are told apart by name")
    found = dict(patients.scores)
    for bundle in sorted(bundles, key=lambda one: one.metadata.nodal.system == COMBINED):
        for endpoint in ENDPOINTS:
            if (judged := judge_patients(bundle, replace(patients, scores=found), endpoint)) is not None:
                found[bundle.metadata.name, endpoint] = judged.scores
    return replace(patients, scores=found)


def outside_range(bundle: Bundle, patients: Patients) -> Bools | None:
    """(n,) who is unlike the bundle's training patients; None where that needs features of images.

    A combined bundle is compared by its inputs, of the patients who have them all.
    """
    if bundle.metadata.nodal.system == COMBINED:
        return _outside_inputs(bundle, patients)
    if bundle.statistics.names != FEATURES:
        return None
    verdicts = (in_range(np.array(range_features(pet)), bundle.statistics) for pet in patients.pet)
    return np.array([verdict.range == "outside" for verdict in verdicts], dtype=np.bool_)


def _outside_inputs(bundle: Bundle, patients: Patients) -> Bools | None:
    found = [combined for endpoint in ENDPOINTS if (combined := combined_of(bundle, endpoint)) is not None]
    columns: dict[str, Floats] = {IMPI: impi_of(patients)}
    for combined in found:
        for part in combined.parts:
            scores = patients.scores.get((part.bundle, combined.endpoint))
            if scores is not None:
                columns[f"{part.system}_{combined.endpoint}"] = scores.linear_predictor
    if not set(bundle.statistics.names) <= set(columns):
        return None
    values = np.stack([columns[name] for name in bundle.statistics.names], axis=1)
    return np.array([in_range(row, bundle.statistics).range == "outside" for row in values], dtype=np.bool_)


def impi_of(patients: Patients) -> Floats:
    """(n,) linear predictor of the IMPI as published; NaN where volume, age or stage is not known."""
    values = np.full(len(patients), np.nan)
    for index, (pet, clinical) in enumerate(zip(patients.pet, patients.clinical, strict=True)):
        if pet.tmtv_ml is not None and clinical.age_years is not None and clinical.stage is not None:
            values[index] = impi_linear_predictor(pet.tmtv_ml, clinical.age_years, clinical.stage)
    return values


def _survival(model: PrognosticModel, lp: Floats) -> Floats:
    survival = np.full((lp.size, len(model.horizons_months)), np.nan)
    known = np.isfinite(lp)
    if known.any() and model.horizons_months:
        survival[known] = model.survival_of(lp[known], model.horizons_months)
    return survival


_CLINICAL = frozenset(
    (
        *("age_years", "sex", "stage", "stage_four", "ldh_ratio", "ecog", "ecog_group", "extranodal_count"),
        *("cell_of_origin", "bulky", "ipi", "nccn_ipi", "nccn_ipi_high"),
    )
)
"""Covariates of the record alone."""


def _missing(model: PrognosticModel, patients: Patients, index: int) -> str:
    """Why a patient has no score: the node's code."""
    values = values_of(model.terms, patients.prospect(index))
    gaps = {term.name for term, value in zip(model.terms, values, strict=True) if value is None}
    if gaps - _CLINICAL and patients.pet[index].lesion_count == 0:
        return "NO_AVID_LESION"
    return "NO_CLINICAL_RECORD" if gaps & _CLINICAL else "MEASURE_MISSING"
