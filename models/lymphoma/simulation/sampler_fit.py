"""Fits the feature sampler to patients that were built as images and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.features import PatientFeatures
from lymphoma.simulation.lesions import LesionTruth
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.plan_vector import numbers_of, planned_uptake, vectors_of
from lymphoma.simulation.sampler_model import (
    CURVE_LEVELS,
    LESION_OUTPUTS,
    LOGARITHMS,
    ORGAN_OUTPUTS,
    OWN_COVARIATES,
    FeatureSampler,
    lesion_covariates,
    lesion_key,
    organ_covariates,
    raw_outputs,
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
REPEATS = 8
"""Times that the fitted patients are sampled to learn what the model gives."""
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
    """The model of :mod:`lymphoma.simulation.sampler_model`; 100 patients or more.

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
    weight = _field_weights(standard, patients)
    raw_model = FeatureSampler(
        fields=np.array(names),
        centre=centre,
        scale=scale,
        field_weight=weight,
        patient_fields=standard * weight,
        organ_weights=organ_weights,
        organ_residuals=organ_residuals,
        organ_uptake=organ_uptake,
        lesion_curves=np.zeros((len(LESION_OUTPUTS), 2, 0)),
        organ_curves=np.zeros((organ_weights.shape[1], 2, 0)),
        **vars(lesions),
    )
    return _with_curves(raw_model, patients)


def _field_weights(standard: Floats, patients: Sequence[MeasuredPatient]) -> Floats:
    """How much each plan field decides which measured patient is alike: its correlation with what organs show."""
    shown = np.concatenate(
        [np.stack([_organ_outputs(patient, organ) for patient in patients]) for organ in range(len(ORGANS))], axis=1
    )
    present = np.isfinite(shown[:, :: len(ORGAN_OUTPUTS)]).astype(np.float64)
    shown = np.where(np.isfinite(shown), shown, np.nan_to_num(np.nanmean(shown, axis=0)))
    related = _correlation(standard, np.concatenate((shown, 3 * present), axis=1)) ** 2
    return np.asarray(np.sqrt(np.where(related > 9 / len(patients), related, 0.0).mean(axis=1)) + 1e-3)


def _with_curves(model: FeatureSampler, patients: Sequence[MeasuredPatient]) -> FeatureSampler:
    """Adds the curves that give what the model samples the distribution of what was measured."""
    plans = [patient.plan for patient in patients]
    drawn = [raw_outputs(model, plans, turn) for turn in range(1, REPEATS + 1)]
    lesions = np.concatenate([one.lesions[one.placed] for one in drawn])
    organs = np.concatenate([one.organs for one in drawn])
    measured = np.concatenate([_planned_outputs(patient) for patient in patients])
    shown = [np.stack([_organ_outputs(patient, organ) for patient in patients]) for organ in range(len(ORGANS))]
    size = np.log(np.array([patient.measured.size_mm for patient in patients], dtype=np.float64))
    lesion_curves = np.stack([_curve(lesions[:, n], measured[:, n]) for n in range(len(LESION_OUTPUTS))])
    real = np.concatenate((*shown, size), axis=1)
    organ_curves = np.stack([_curve(organs[:, n], real[:, n]) for n in range(real.shape[1])])
    return replace(model, lesion_curves=lesion_curves, organ_curves=organ_curves)


def _planned_outputs(patient: MeasuredPatient) -> Floats:
    """Outputs of the lesions that were planned one by one, the lateral place towards their side."""
    outputs, partner = _outputs(patient), match_lesions(patient.plan.disease.lesions, patient.truths)
    rows = outputs[[partner[index] for index in sorted(partner)]]
    rows[:, 12] *= [patient.plan.disease.lesions[index].side for index in sorted(partner)]
    return rows


def _curve(sampled: Floats, measured: Floats) -> Floats:
    """Quantiles of both, shape (2, levels)."""
    sampled, measured = sampled[np.isfinite(sampled)], measured[np.isfinite(measured)]
    if min(len(sampled), len(measured)) < 10:
        return np.stack((CURVE_LEVELS, CURVE_LEVELS))
    first = np.quantile(sampled, CURVE_LEVELS)
    return np.stack((first + 1e-6 * np.arange(len(first)), np.quantile(measured, CURVE_LEVELS)))


@dataclass(frozen=True, eq=False)
class _LesionModel:
    """The lesion part of :class:`FeatureSampler`, field by field."""

    stations: npt.NDArray[np.str_]
    station_group: npt.NDArray[np.int8]
    station_usual: Floats
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
    stations = sorted({lesion.station for lesion in plans} | set(PLACES))
    station_group = np.array([group_of_station(name) for name in stations], dtype=np.int8)
    index_of = {name: row for row, name in enumerate(stations)}
    station = np.array([index_of[lesion.station] for lesion in plans], dtype=np.int64)
    usual = _station_means(target[placed], station[placed], station_group)
    weights, residuals = _ridge(design[placed], target[placed] - usual[station[placed]], OWN_COVARIATES, len(patients))
    effect = _patient_effect(residuals, whose[placed], len(patients))
    left = np.full(target.shape, np.nan)
    left[placed] = residuals - effect[whose[placed]]
    return _LesionModel(
        stations=np.array(stations),
        station_group=station_group,
        station_usual=usual,
        lesion_weights=weights,
        lesion_residuals=left,
        lesion_key=lesion_key(plans),
        lesion_station=station,
        patient_effect=effect,
        extra=np.array(extra, dtype=np.float64).reshape(-1, 2 + len(LESION_OUTPUTS)),
        extra_group=np.array(groups, dtype=np.int8),
    )


def _station_means(target: Floats, station: Ints, station_group: npt.NDArray[np.int8]) -> Floats:
    """Mean outputs of each station, shrunk to those of its site group; (stations, 14)."""
    overall = target.mean(axis=0)
    means = np.empty((len(station_group), target.shape[1]))
    for number, group in enumerate(station_group):
        alike, own = target[station_group[station] == group], target[station == number]
        wider = (alike.sum(axis=0) + SHRINK * overall) / (len(alike) + SHRINK)
        means[number] = (own.sum(axis=0) + SHRINK * wider) / (len(own) + SHRINK)
    return means


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
    """What the lesions of a patient have in common, shrunk; not their volume, which the plan gives."""
    count = np.bincount(owner, minlength=patients)
    total = np.stack([np.bincount(owner, weights=column, minlength=patients) for column in residuals.T], axis=1)
    effect = total / (count + SHRINK)[:, np.newaxis]
    effect[:, 0] = 0.0
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
            found, left[seen] = _ridge(design[seen], target[seen], 2, int(seen.sum()))
        weights.append(found)
        residuals.append(left)
    size = np.log(np.array([patient.measured.size_mm for patient in patients], dtype=np.float64))
    found, left = _ridge(organ_covariates(standard, np.zeros((len(patients), 1)), 0), size, 2, len(patients))
    return np.concatenate([*weights, found], axis=1), np.concatenate([*residuals, left], axis=1), scale


def _organ_outputs(patient: MeasuredPatient, organ: int) -> Floats:
    values = np.array([getattr(patient.measured.organs, name)[organ] for name in ORGAN_OUTPUTS], dtype=np.float64)
    values[:4] = np.log(np.maximum(values[:4], 1e-3))
    return values


def _ridge(design: Floats, target: Floats, always: int, patients: int) -> tuple[Floats, Floats]:
    """Weights and residuals, the residuals widened by what the fit took from their spread.

    Of the columns after the first ``always`` only those count that correlate with the output by more than three
    standard errors of a correlation among ``patients``.
    """
    weights, left = np.zeros((design.shape[1], target.shape[1])), np.empty(target.shape)
    related = np.abs(_correlation(design, target)) > 3 / np.sqrt(patients)
    related[:always] = np.ptp(design[:, :always], axis=0)[:, np.newaxis] > 0
    related[0] = True
    for column, kept in enumerate(related.T):
        used = design[:, kept]
        penalty = np.full(used.shape[1], RIDGE)
        penalty[0] = 0.0
        gram = used.T @ used
        weights[kept, column] = np.linalg.solve(gram + np.diag(penalty), used.T @ target[:, column])
        freedom = float(np.trace(np.linalg.solve(gram + np.diag(penalty), gram)))
        residual = target[:, column] - used @ weights[kept, column]
        left[:, column] = residual * np.sqrt(len(design) / max(len(design) - freedom, 1.0))
    return weights, left


def _correlation(first: Floats, second: Floats) -> Floats:
    """Correlation of the columns of two tables, 0 for a constant column."""
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    norm = np.outer(np.sqrt((a**2).sum(axis=0)), np.sqrt((b**2).sum(axis=0)))
    return np.asarray(np.divide(a.T @ b, norm, out=np.zeros(norm.shape), where=norm > 0))
