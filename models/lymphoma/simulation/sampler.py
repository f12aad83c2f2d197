"""Features of thousands of patients without images: the plan is drawn as ever, its features by a fitted model.

The model was fitted on patients that were built and measured (:mod:`lymphoma.simulation.sampler_fit`). A lesion's
features are a ridge regression on its plan and the patient's, plus the residual of a measured lesion of the same
station that resembles it (hot deck), plus what all lesions of one measured patient have in common; organs likewise,
all organs with the residuals of one measured patient, so that what goes together in images goes together here. Each
patient has a random stream of his or her own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from lymphoma.lesions.totals import body_surface_m2
from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.features import LesionFeatures, OrganFeatures
from lymphoma.simulation.plan import PatientPlan, draw_patient
from lymphoma.simulation.plan_vector import numbers_of, planned_uptake, vectors_of
from lymphoma.simulation.scan import PLAIN, Variety
from lymphoma.simulation.sites import ORGANS

__all__ = ["FeatureSampler", "SampledPatients", "sample_patients", "stored_sampler"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STREAM = 40
"""Random stream of the sampler; plans and outcomes use others."""
NEIGHBOURS = 5
"""Measured lesions, or patients, among which one is drawn [A]."""
LESION_OUTPUTS = (
    *("volume_ml", "suv_max", "suv_peak", "suv_mean", "suv_cv", "hu_sd"),
    *("true_suv_max", "true_suv_peak", "true_suv_mean", "true_suv_cv"),
    *("hu_mean", "height", "lateral", "depth"),
)
"""What the lesion model gives; the first ten as logarithms, the lateral place towards the lesion's own side."""
LOGARITHMS = 10
ORGAN_OUTPUTS = ("suv_mean", "suv_sd", "hu_sd", "volume_ml", "hu_mean")
"""What the organ model gives for each organ; the first four as logarithms. Three logarithms of ``size_mm`` follow."""
JITTER = 0.03
"""Smoothing of what is copied from a measured patient, as a share (bootstrap of a finite number of patients)."""


@dataclass(frozen=True, eq=False)
class FeatureSampler:
    """The fitted model; M measured patients, D measured lesions, F plan fields, K organs.

    Attributes:
        fields: names of the plan fields that count. centre, scale: (F,), to standardise them.
        lesion_weights: (covariates, 14). lesion_residuals: (D, 14), NaN for a lesion that found no room.
        lesion_key: (D, 3), standardised log volume, log uptake, anchor. lesion_station: (D,), index in ``stations``.
        patient_effect: (M, 14), what a patient's lesions have in common. patient_fields: (M, F) standardised.
        organ_weights: (covariates, 5 K + 3). organ_residuals: (M, 5 K + 3), NaN where an organ is not present.
        organ_uptake: (2, K), centre and scale of the planned uptake.
        extra: (E, 16), lesions of diffuse disease: measured patient, planned mL, and the 14 outputs. extra_group: (E,).
        station_group: (stations,), index in ``GROUPS``.
    """

    fields: npt.NDArray[np.str_]
    centre: Floats
    scale: Floats
    stations: npt.NDArray[np.str_]
    station_group: npt.NDArray[np.int8]
    lesion_weights: Floats
    lesion_residuals: Floats
    lesion_key: Floats
    lesion_station: Ints
    patient_effect: Floats
    patient_fields: Floats
    organ_weights: Floats
    organ_residuals: Floats
    organ_uptake: Floats
    extra: Floats
    extra_group: npt.NDArray[np.int8]

    @cached_property
    def trees(self) -> tuple[tuple[cKDTree, Ints], ...]:
        """For each station its measured lesions by key; all lesions where it was measured too seldom."""
        found = []
        for station in range(len(self.stations)):
            rows = np.flatnonzero(self.lesion_station == station)
            if len(rows) < NEIGHBOURS:
                same = self.station_group[self.lesion_station] == self.station_group[station]
                rows = np.flatnonzero(same) if same.sum() >= NEIGHBOURS else np.arange(len(self.lesion_station))
            found.append((cKDTree(self.lesion_key[rows]), rows))
        return tuple(found)

    @cached_property
    def patients(self) -> cKDTree:
        """Measured patients by their plan fields."""
        return cKDTree(self.patient_fields)

    def save(self, path: Path) -> None:
        """Writes an ``.npz``; numbers in half precision, which is finer than the model."""
        stored = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        exact = ("centre", "scale", "lesion_weights", "organ_weights", "organ_uptake", "extra")
        for name, values in stored.items():
            if values.dtype == np.float64:
                stored[name] = values.astype(np.float32 if name in exact else np.float16)
            elif values.dtype == np.int64:
                stored[name] = values.astype(np.int32)
        np.savez_compressed(path, **stored)

    @classmethod
    def load(cls, path: Path) -> FeatureSampler:
        """Reads what :meth:`save` wrote; nothing in it is executed."""
        with np.load(path, allow_pickle=False) as stored:
            found = {field.name: stored[field.name] for field in fields(cls)}
        for name, values in found.items():
            if values.dtype.kind == "f":
                found[name] = values.astype(np.float64)
            elif values.dtype == np.int32:
                found[name] = values.astype(np.int64)
        return cls(**found)


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
    rngs = [np.random.default_rng([plan.seed, STREAM]) for plan in plans]
    standard = (vectors_of([numbers_of(plan) for plan in plans], model.fields.tolist()) - model.centre) / model.scale
    standard = np.clip(standard, -4, 4)
    near = np.atleast_2d(model.patients.query(standard, k=min(2 * NEIGHBOURS, len(model.patient_fields)))[1])
    donor = near[np.arange(len(plans)), [int(rng.integers(near.shape[1])) for rng in rngs]]
    organs, size_mm = _organs(model, plans, standard, donor)
    outputs, owner, group = _lesions(model, plans, standard, donor, rngs)
    order = np.lexsort((-outputs[:, 0], owner))
    outputs, owner, group = outputs[order], owner[order], group[order]
    starts = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=len(plans))))).astype(np.int64)
    values = {name: outputs[:, row].astype(np.float32) for row, name in enumerate(LESION_OUTPUTS)}
    lesions = LesionFeatures(
        *(values[field.name] for field in fields(LesionFeatures) if field.name != "group"), group.astype(np.int8)
    )
    dmax_mm = _dmax_mm(outputs[:, 11:14][:, [1, 2, 0]] * size_mm[owner], starts)
    surface = np.array([body_surface_m2(plan.person.weight_kg, plan.person.height_m) for plan in plans])
    measured = FeatureTable(
        patient_ids=tuple(f"NODAL-V-{plan.seed}" for plan in plans),
        clinical=tuple(plan.clinical for plan in plans),
        starts=starts,
        lesions=lesions,
        organs=organs,
        size_mm=size_mm.astype(np.float32),
        dmax_mm=dmax_mm.astype(np.float32),
        sdmax_per_m=(dmax_mm / 1000 / surface).astype(np.float32),
    )
    noise_free = {name: values[f"true_{name}"] for name in ("suv_max", "suv_peak", "suv_mean", "suv_cv")}
    true = replace(measured, lesions=replace(lesions, **noise_free))
    return SampledPatients(tuple(plan.seed for plan in plans), measured, true)


def lesion_covariates(lesions: Sequence[LesionPlan], standard: Floats) -> Floats:
    """Design of the lesion model: the plan of each lesion and the fields of its patient, (n, 8 + F)."""
    volume = np.log([lesion.volume_ml for lesion in lesions]) - 3.0
    uptake = np.log([lesion.suv for lesion in lesions]) - 2.2
    texture = np.array([lesion.texture for lesion in lesions]) - 0.25
    necrotic = np.array([float(lesion.necrotic) for lesion in lesions])
    one = np.ones(len(lesions))
    own = (one, volume, volume**2, volume**3, uptake, uptake * volume, 4 * texture, necrotic)
    return np.column_stack((*own, standard))


def lesion_key(lesions: Sequence[LesionPlan]) -> Floats:
    """What makes two lesions of a station alike, (n, 3)."""
    volume = np.log([lesion.volume_ml for lesion in lesions]) / 1.5
    uptake = np.log([lesion.suv for lesion in lesions]) / 0.4
    return np.column_stack((volume, uptake, [1.5 * lesion.anchor for lesion in lesions]))


def organ_covariates(standard: Floats, uptake: Floats, organ: int) -> Floats:
    """Design of the organ model: its own planned uptake and the plan fields, (n, 2 + F)."""
    return np.column_stack((np.ones(len(standard)), uptake[:, organ], standard))


def _organs(
    model: FeatureSampler, plans: Sequence[PatientPlan], standard: Floats, donor: Ints
) -> tuple[OrganFeatures, Floats]:
    planned = np.stack([planned_uptake(plan) for plan in plans])
    uptake = np.clip((planned - model.organ_uptake[0]) / model.organ_uptake[1], -5, 5)
    left = model.organ_residuals[donor]
    width = len(ORGAN_OUTPUTS)
    found = np.empty((len(plans), len(ORGANS), width))
    for organ in range(len(ORGANS)):
        columns = slice(organ * width, (organ + 1) * width)
        found[:, organ] = organ_covariates(standard, uptake, organ) @ model.organ_weights[:, columns] + left[:, columns]
    found[..., :4] = np.exp(np.minimum(found[..., :4], 12))
    base = organ_covariates(standard, np.zeros((len(plans), 1)), 0)
    size_mm = np.exp(base @ model.organ_weights[:, -3:] + left[:, -3:])
    column = {name: found[..., row].astype(np.float32) for row, name in enumerate(ORGAN_OUTPUTS)}
    names = (field.name for field in fields(OrganFeatures) if field.name != "present")
    return OrganFeatures(*(column[name] for name in names), np.isfinite(found[..., 0])), size_mm


def _lesions(
    model: FeatureSampler,
    plans: Sequence[PatientPlan],
    standard: Floats,
    donor: Ints,
    rngs: Sequence[np.random.Generator],
) -> tuple[Floats, Ints, Ints]:
    """Outputs (n, 14) in their own units, the patient and the site group of each lesion."""
    lesions = [lesion for plan in plans for lesion in plan.disease.lesions]
    owner = np.repeat(np.arange(len(plans)), [len(plan.disease.lesions) for plan in plans])
    luck = np.concatenate([rng.random(len(plan.disease.lesions)) for rng, plan in zip(rngs, plans, strict=True)])
    index = {name: row for row, name in enumerate(model.stations.tolist())}
    station = np.array([index.get(lesion.station, -1) for lesion in lesions], dtype=np.int64)
    if (station < 0).any():
        raise ValueError("the plan knows stations that the sampler was not fitted on: fit it again")
    key = lesion_key(lesions)
    chosen = np.zeros(len(lesions), dtype=np.int64)
    for number, (tree, rows) in enumerate(model.trees):
        mine = np.flatnonzero(station == number)
        if len(mine):
            near = tree.query(key[mine], k=NEIGHBOURS)[1]
            chosen[mine] = rows[near[np.arange(len(mine)), (luck[mine] * NEIGHBOURS).astype(np.int64)]]
    outputs = lesion_covariates(lesions, standard[owner]) @ model.lesion_weights
    outputs += model.lesion_residuals[chosen] + model.patient_effect[donor[owner]]
    outputs[:, :LOGARITHMS] = np.exp(outputs[:, :LOGARITHMS])
    outputs[:, 12] *= [lesion.side for lesion in lesions]
    group = model.station_group[station].astype(np.int64)
    room = np.isfinite(outputs).all(axis=1)
    diffuse = [_diffuse(model, plan, rng) for plan, rng in zip(plans, rngs, strict=True)]
    extra_owner = np.repeat(np.arange(len(plans)), [len(rows) for rows, _ in diffuse])
    outputs = np.concatenate((outputs[room], *(rows for rows, _ in diffuse)))
    group = np.concatenate((group[room], *(kinds for _, kinds in diffuse)))
    for peak, mean, top in ((2, 3, 1), (7, 8, 6)):
        outputs[:, [peak, mean]] = np.minimum(outputs[:, [peak, mean]], outputs[:, [top]])
    return outputs, np.concatenate((owner[room], extra_owner)), group


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
