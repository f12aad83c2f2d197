"""Features of thousands of patients without images: the plan is drawn as ever, its features by a fitted model.

The model (:mod:`lymphoma.simulation.sampler_model`) was fitted on patients that were built and measured. At last each
feature is taken along a curve from the model's distribution to the measured one. Each patient has a random stream of
his or her own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lymphoma.lesions.totals import body_surface_m2
from lymphoma.simulation.cohort import virtual_id
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.features import LesionFeatures, OrganFeatures
from lymphoma.simulation.plan import PatientPlan, draw_patient
from lymphoma.simulation.sampler_model import (
    LESION_OUTPUTS,
    LOGARITHMS,
    ORGAN_OUTPUTS,
    STREAM,
    FeatureSampler,
    RawOutputs,
    raw_outputs,
)
from lymphoma.simulation.scan import PLAIN, Variety
from lymphoma.simulation.sites import ORGANS

__all__ = ["SampledPatients", "sample_patients", "stored_sampler"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

JITTER = 0.03
"""Smoothing of what is copied from a measured patient, as a share (bootstrap of a finite number of patients)."""


@dataclass(frozen=True, eq=False)
class SampledPatients:
    """What a system would measure, and what is true (the same without the noise of the scan)."""

    seeds: tuple[int, ...]
    measured: FeatureTable
    true: FeatureTable


@cache
def stored_sampler() -> FeatureSampler:
    """The shipped model."""
    with resources.as_file(resources.files("lymphoma.simulation").joinpath("data/sampler.npz")) as path:
        return FeatureSampler.load(path)


def sample_patients(
    seeds: Sequence[int],
    *,
    variety: Variety = PLAIN,
    sampler: FeatureSampler | None = None,
    progress: Callable[[int], None] | None = None,
) -> SampledPatients:
    """Features of the patients with these seeds, the same whoever else is asked for.

    Args:
        variety: how much scans differ. sampler: None takes the shipped one. progress: called with the number drawn.
    """
    model = sampler or stored_sampler()
    plans = []
    for number, seed in enumerate(seeds, start=1):
        plans.append(draw_patient(seed, variety=variety))
        if progress is not None and number % 500 == 0:
            progress(number)
    return _sample(model, plans)


def _sample(model: FeatureSampler, plans: Sequence[PatientPlan]) -> SampledPatients:
    rngs = [np.random.default_rng([plan.seed, STREAM, 0]) for plan in plans]
    raw = raw_outputs(model, plans, rngs=rngs)
    shown = _along(model.organ_curves, raw.organs)
    organs, size_mm = _organ_features(shown), np.exp(shown[:, -3:])
    outputs, owner, group = _with_diffuse(model, plans, raw, rngs)
    order = np.lexsort((-outputs[:, 0], owner))
    outputs, owner, group = outputs[order], owner[order], group[order]
    starts = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=len(plans))))).astype(np.int64)
    values = {name: outputs[:, row].astype(np.float32) for row, name in enumerate(LESION_OUTPUTS)}
    lesions = LesionFeatures(
        volume_ml=values["volume_ml"],
        suv_max=values["suv_max"],
        suv_peak=values["suv_peak"],
        suv_mean=values["suv_mean"],
        suv_cv=values["suv_cv"],
        hu_mean=values["hu_mean"],
        hu_sd=values["hu_sd"],
        height=values["height"],
        lateral=values["lateral"],
        depth=values["depth"],
        group=group.astype(np.int8),
    )
    dmax_mm = _dmax_mm(outputs[:, 11:14][:, [1, 2, 0]] * size_mm[owner], starts)
    surface = np.array([body_surface_m2(plan.person.weight_kg, plan.person.height_m) for plan in plans])
    measured = FeatureTable(
        patient_ids=tuple(virtual_id(plan.seed) for plan in plans),
        clinical=tuple(plan.clinical for plan in plans),
        starts=starts,
        lesions=lesions,
        organs=organs,
        size_mm=size_mm.astype(np.float32),
        dmax_mm=dmax_mm.astype(np.float32),
        sdmax_per_m=(dmax_mm / 1000 / surface).astype(np.float32),
    )
    noise_free = replace(
        lesions,
        suv_max=values["true_suv_max"],
        suv_peak=values["true_suv_peak"],
        suv_mean=values["true_suv_mean"],
        suv_cv=values["true_suv_cv"],
    )
    true = replace(measured, lesions=noise_free)
    return SampledPatients(tuple(plan.seed for plan in plans), measured, true)


def _along(curves: Floats, values: Floats) -> Floats:
    """Each column taken from the model's distribution to the measured one; beyond the ends by their distance."""
    if curves.shape[2] == 0:
        return values
    result = np.empty(values.shape)
    for column, (first, second) in enumerate(curves):
        beyond = values[:, column] - np.clip(values[:, column], first[0], first[-1])
        result[:, column] = np.interp(values[:, column], first, second) + np.clip(beyond, -0.1, 0.1)
    return np.where(np.isfinite(values), result, np.nan)


def _organ_features(shown: Floats) -> OrganFeatures:
    values = shown[:, :-3].reshape(len(shown), len(ORGANS), len(ORGAN_OUTPUTS))
    values = np.concatenate((np.exp(np.minimum(values[..., :4], 12)), values[..., 4:]), axis=-1)
    column = {name: values[..., row].astype(np.float32) for row, name in enumerate(ORGAN_OUTPUTS)}
    return OrganFeatures(
        suv_mean=column["suv_mean"],
        suv_sd=column["suv_sd"],
        hu_mean=column["hu_mean"],
        hu_sd=column["hu_sd"],
        volume_ml=column["volume_ml"],
        present=np.isfinite(values[..., 0]),
    )


def _with_diffuse(
    model: FeatureSampler, plans: Sequence[PatientPlan], raw: RawOutputs, rngs: Sequence[np.random.Generator]
) -> tuple[Floats, Ints, Ints]:
    """All lesions that exist, in their own units and on their own side: outputs (n, 14), patient, site group."""
    outputs = _along(model.lesion_curves, raw.lesions)
    outputs[:, :LOGARITHMS] = np.exp(outputs[:, :LOGARITHMS])
    outputs[:, 12] *= [lesion.side for plan in plans for lesion in plan.disease.lesions]
    diffuse = [_diffuse(model, plan, rng) for plan, rng in zip(plans, rngs, strict=True)]
    extra_owner = np.repeat(np.arange(len(plans)), [len(rows) for rows, _ in diffuse])
    outputs = np.concatenate((outputs[raw.placed], *(rows for rows, _ in diffuse)))
    group = np.concatenate((raw.group[raw.placed], *(kinds for _, kinds in diffuse)))
    for peak, mean, top in ((2, 3, 1), (7, 8, 6)):
        outputs[:, [peak, mean]] = np.minimum(outputs[:, [peak, mean]], outputs[:, [top]])
    return outputs, np.concatenate((raw.owner[raw.placed], extra_owner)), group


def _diffuse(model: FeatureSampler, plan: PatientPlan, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Lesions of diffuse marrow and spleen: those of the measured patient with the nearest volume, scaled to it."""
    disease = plan.disease
    wanted_ml = (disease.marrow_ml if disease.marrow_suv else 0.0) + (disease.spleen_ml if disease.spleen_suv else 0.0)
    if not wanted_ml or not len(model.extra):
        return np.zeros((0, len(LESION_OUTPUTS))), np.zeros(0, dtype=np.int64)
    source = np.unique(model.extra[:, :2], axis=0)
    nearest = source[np.argsort(np.abs(np.log(source[:, 1] / wanted_ml)), kind="stable")[:3]]
    rows = np.flatnonzero(model.extra[:, 0] == nearest[int(rng.integers(len(nearest))), 0])
    values = model.extra[rows, 2:] * np.exp(JITTER * rng.normal(size=(1, len(LESION_OUTPUTS))))
    values[:, 0] *= wanted_ml / model.extra[rows[0], 1]
    return values, model.extra_group[rows].astype(np.int64)


def _dmax_mm(places_mm: Floats, starts: Ints) -> Floats:
    """Largest distance between two lesions of each patient; 0 with one, NaN without."""
    found = np.full(len(starts) - 1, np.nan)
    for patient, (low, high) in enumerate(pairwise(starts)):
        if high > low:
            own = places_mm[low:high]
            found[patient] = np.sqrt(((own[:, np.newaxis] - own) ** 2).sum(axis=-1).max())
    return found
