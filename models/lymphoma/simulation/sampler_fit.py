"""Fits the feature sampler to patients that were built as images and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.features import PatientFeatures
from lymphoma.simulation.lesions import LesionTruth
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.plan_vector import numbers_of, planned_uptake, vectors_of
from lymphoma.simulation.sampler import (
    LESION_OUTPUTS,
    LOGARITHMS,
    ORGAN_OUTPUTS,
    FeatureSampler,
    lesion_covariates,
    lesion_key,
    organ_covariates,
)
from lymphoma.simulation.sites import ORGANS, group_of_station
from lymphoma.simulation.stations import PLACES

__all__ = ["MeasuredPatient", "fit_sampler"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RIDGE = 10.0
"""Penalty on standardised covariates; the constant is not penalised."""
SHRINK = 4.0
"""Lesions that a patient must have for half of the mean residual to count as common to the patient."""
FAR = 1.5
"""A truth and a planned lesion that differ by more (in log volume and ten times log uptake) are not the same."""


@dataclass(frozen=True, eq=False)
class MeasuredPatient:
    """A patient built as images.

    Attributes:
        measured: features of the images. true: features of the noise-free PET. lesions of both in the order of
            ``truths``.
    """

    plan: PatientPlan
    truths: tuple[LesionTruth, ...]
    measured: PatientFeatures
    true: PatientFeatures


def fit_sampler(patients: Sequence[MeasuredPatient]) -> FeatureSampler:
    """The model of :mod:`lymphoma.simulation.sampler`; 100 patients or more.

    Raises:
        ValueError: no lesion at all was planned.
    """
    numbers = [numbers_of(patient.plan) for patient in patients]
    names = sorted(set().union(*numbers))
    raw = vectors_of(numbers, names)
    kept = raw.std(axis=0) > 1e-6
    raw, names = raw[:, kept], [name for name, keep in zip(names, kept, strict=True) if keep]
    centre, scale = raw.mean(axis=0), raw.std(axis=0)
    standard = np.clip((raw - centre) / scale, -4, 4)
    lesions = _fit_lesions(patients, standard)
    organ_weights, organ_residuals, organ_uptake = _fit_organs(patients, standard)
    return FeatureSampler(
        fields=np.array(names),
        centre=centre,
        scale=scale,
        patient_fields=standard,
        organ_weights=organ_weights,
        organ_residuals=organ_residuals,
        organ_uptake=organ_uptake,
        **vars(lesions),
    )


@dataclass(frozen=True, eq=False)
class _LesionModel:
    """The lesion part of :class:`FeatureSampler`, field by field."""

    stations: npt.NDArray[np.str_]
    station_group: npt.NDArray[np.int8]
    lesion_weights: Floats
    lesion_residuals: Floats
    lesion_key: Floats
    lesion_station: Ints
    patient_effect: Floats
    extra: Floats
    extra_group: npt.NDArray[np.int8]


def _fit_lesions(patients: Sequence[MeasuredPatient], standard: Floats) -> _LesionModel:
    plans: list[LesionPlan] = []
    owner: list[int] = []
    rows: list[Floats] = []
    extra: list[Floats] = []
    groups: list[int] = []
    for number, patient in enumerate(patients):
        outputs = _outputs(patient)
        partner = match_lesions(patient.plan.disease.lesions, patient.truths)
        for index, lesion in enumerate(patient.plan.disease.lesions):
            found = outputs[partner[index]] if index in partner else np.full(len(LESION_OUTPUTS), np.nan)
            rows.append(np.where(np.arange(len(found)) == 12, found * lesion.side, found))
            plans.append(lesion)
            owner.append(number)
        disease = patient.plan.disease
        planned_ml = (disease.marrow_ml if disease.marrow_suv else 0) + (disease.spleen_ml if disease.spleen_suv else 0)
        for index in sorted(set(range(len(patient.truths))) - set(partner.values())) if planned_ml else ():
            values = outputs[index].copy()
            values[:LOGARITHMS] = np.exp(values[:LOGARITHMS])
            extra.append(np.concatenate(([number, planned_ml], values)))
            groups.append(int(patient.measured.lesions.group[index]))
    if not plans:
        raise ValueError("no lesion was planned in any patient")
    design, target, whose = lesion_covariates(plans, standard[owner]), np.stack(rows), np.array(owner)
    placed = np.isfinite(target).all(axis=1)
    weights, residuals = _ridge(design[placed], target[placed])
    effect = _patient_effect(residuals, whose[placed], len(patients))
    left = np.full(target.shape, np.nan)
    left[placed] = residuals - effect[whose[placed]]
    stations = sorted({lesion.station for lesion in plans} | set(PLACES))
    index_of = {name: row for row, name in enumerate(stations)}
    return _LesionModel(
        stations=np.array(stations),
        station_group=np.array([group_of_station(name) for name in stations], dtype=np.int8),
        lesion_weights=weights,
        lesion_residuals=left,
        lesion_key=lesion_key(plans),
        lesion_station=np.array([index_of[lesion.station] for lesion in plans], dtype=np.int64),
        patient_effect=effect,
        extra=np.array(extra, dtype=np.float64).reshape(-1, 2 + len(LESION_OUTPUTS)),
        extra_group=np.array(groups, dtype=np.int8),
    )


def match_lesions(planned: Sequence[LesionPlan], truths: Sequence[LesionTruth]) -> dict[int, int]:
    """Index of a planned lesion -> index of its truth; a lesion moved to another station counts as the same."""
    if not planned or not truths:
        return {}
    volume = np.abs(np.subtract.outer([np.log(p.volume_ml) for p in planned], [np.log(t.volume_ml) for t in truths]))
    uptake = np.abs(np.subtract.outer([np.log(p.suv) for p in planned], [np.log(t.suv) for t in truths]))
    moved = np.array([[0.5 * (p.station != t.station) for t in truths] for p in planned])
    cost = volume + 10 * uptake + moved
    first, second = linear_sum_assignment(cost)
    return {int(p): int(t) for p, t in zip(first, second, strict=True) if cost[p, t] <= FAR}


def _outputs(patient: MeasuredPatient) -> Floats:
    """The lesion outputs of a patient, (n, 14), logarithms taken, in the order of the truths."""
    measured, true = patient.measured.lesions, patient.true.lesions
    columns = [
        getattr(true, name.removeprefix("true_")) if name.startswith("true_") else getattr(measured, name)
        for name in LESION_OUTPUTS
    ]
    values = np.stack(columns, axis=1).astype(np.float64)
    values[:, :LOGARITHMS] = np.log(np.maximum(values[:, :LOGARITHMS], 1e-3))
    return values


def _patient_effect(residuals: Floats, owner: Ints, patients: int) -> Floats:
    """What the lesions of a patient have in common, shrunk; none for places, which are each lesion's own."""
    count = np.bincount(owner, minlength=patients)
    total = np.stack([np.bincount(owner, weights=column, minlength=patients) for column in residuals.T], axis=1)
    effect = total / (count + SHRINK)[:, np.newaxis]
    effect[:, [0, 11, 12, 13]] = 0.0
    return effect


def _fit_organs(patients: Sequence[MeasuredPatient], standard: Floats) -> tuple[Floats, Floats, Floats]:
    planned = np.stack([planned_uptake(patient.plan) for patient in patients])
    scale = np.stack((planned.mean(axis=0), np.maximum(planned.std(axis=0), 1e-3)))
    uptake = (planned - scale[0]) / scale[1]
    weights, residuals = [], []
    for organ in range(len(ORGANS)):
        target = np.stack([_organ_outputs(patient, organ) for patient in patients])
        seen = np.isfinite(target).all(axis=1)
        design = organ_covariates(standard, uptake, organ)
        left = np.full(target.shape, np.nan)
        found = np.zeros((design.shape[1], target.shape[1]))
        if seen.sum() >= 10:
            found, left[seen] = _ridge(design[seen], target[seen])
        weights.append(found)
        residuals.append(left)
    size = np.log(np.array([patient.measured.size_mm for patient in patients], dtype=np.float64))
    found, left = _ridge(organ_covariates(standard, np.zeros((len(patients), 1)), 0), size)
    return np.concatenate([*weights, found], axis=1), np.concatenate([*residuals, left], axis=1), scale


def _organ_outputs(patient: MeasuredPatient, organ: int) -> Floats:
    values = np.array([getattr(patient.measured.organs, name)[organ] for name in ORGAN_OUTPUTS], dtype=np.float64)
    values[:4] = np.log(np.maximum(values[:4], 1e-3))
    return values


def _ridge(design: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Weights and residuals; the residuals are widened by what the fit took from their spread."""
    penalty = np.full(design.shape[1], RIDGE)
    penalty[0] = 0.0
    penalty[np.ptp(design, axis=0) == 0] += 1e-6
    gram = design.T @ design
    weights = np.linalg.solve(gram + np.diag(penalty), design.T @ target)
    freedom = float(np.trace(np.linalg.solve(gram + np.diag(penalty), gram)))
    left = target - design @ weights
    return weights, left * np.sqrt(len(design) / max(len(design) - freedom, 1.0))
