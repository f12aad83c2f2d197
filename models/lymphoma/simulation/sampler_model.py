"""The fitted model of the feature sampler: what it holds, and what it gives for a plan.

A lesion's features are a ridge regression on its plan and the patient's, plus what is usual at its station, plus the
residual of a measured lesion of the same station that resembles it (hot deck), plus what all lesions of one measured
patient have in common. Organs likewise, all organs with the residuals of one measured patient, so that what goes
together in images goes together here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.plan_vector import numbers_of, planned_uptake, vectors_of
from lymphoma.simulation.sites import ORGANS

__all__ = [
    "CURVE_LEVELS",
    "LESION_OUTPUTS",
    "LOGARITHMS",
    "ORGAN_OUTPUTS",
    "OWN_COVARIATES",
    "STREAM",
    "FeatureSampler",
    "RawOutputs",
    "lesion_covariates",
    "lesion_key",
    "organ_covariates",
    "raw_outputs",
]

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
OWN_COVARIATES = 8
"""Columns of the lesion model's design that come from the lesion itself."""
CURVE_LEVELS = np.concatenate(([0.0, 0.005, 0.01], np.arange(0.025, 0.98, 0.025), [0.99, 0.995, 1.0]))
"""Probability levels of the curves."""


@dataclass(frozen=True, eq=False)
class FeatureSampler:
    """The fitted model; M measured patients, D measured lesions, F plan fields, K organs.

    Attributes:
        fields: names of the plan fields that count. centre, scale: (F,), to standardise them. field_weight: (F,), how
            much each makes two patients alike.
        lesion_weights: (covariates, 14). lesion_residuals: (D, 14), NaN for a lesion that found no room.
        lesion_key: (D, 3), standardised log volume, log uptake, anchor. lesion_station: (D,), index in ``stations``.
        patient_effect: (M, 14), what a patient's lesions have in common. patient_fields: (M, F) standard, weighted.
        organ_weights: (covariates, 5 K + 3). organ_residuals: (M, 5 K + 3), NaN where an organ is not present.
        organ_uptake: (2, K), centre and scale of the planned uptake.
        lesion_curves, organ_curves: (outputs, 2, levels), quantiles of what the model gives and of what was measured.
        extra: (E, 16), lesions of diffuse disease: measured patient, planned mL, and the 14 outputs. extra_group: (E,).
        station_group: (stations,), index in ``GROUPS``. station_usual: (stations, 14), mean outputs of a station.
    """

    fields: npt.NDArray[np.str_]
    centre: Floats
    scale: Floats
    field_weight: Floats
    stations: npt.NDArray[np.str_]
    station_group: npt.NDArray[np.int8]
    station_usual: Floats
    lesion_weights: Floats
    lesion_residuals: Floats
    lesion_key: Floats
    lesion_station: Ints
    patient_effect: Floats
    patient_fields: Floats
    organ_weights: Floats
    organ_residuals: Floats
    organ_uptake: Floats
    lesion_curves: Floats
    organ_curves: Floats
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
        """Writes an ``.npz``; measured residuals in half precision, finer than they are known."""
        stored: dict[str, Any] = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        exact = (
            "centre",
            "scale",
            "lesion_weights",
            "organ_weights",
            "organ_uptake",
            "extra",
            "lesion_curves",
            "organ_curves",
        )
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
class RawOutputs:
    """What the model gives for plans, before the curves; logarithms where the outputs are logarithms.

    Attributes:
        lesions: (n, 14), of every planned lesion. placed: (n,), it found room. owner: (n,), its patient. group: (n,).
        organs: (P, 5 K + 3), NaN where not present.
    """

    lesions: Floats
    placed: npt.NDArray[np.bool_]
    owner: Ints
    group: Ints
    organs: Floats


def raw_outputs(
    model: FeatureSampler, plans: Sequence[PatientPlan], turn: int = 0, rngs: Sequence[np.random.Generator] = ()
) -> RawOutputs:
    """Regression, station and hot deck for every patient.

    Args:
        turn: another number draws other neighbours. rngs: each patient's own stream, begun; made where not given.
    """
    rngs = rngs or [np.random.default_rng([plan.seed, STREAM, turn]) for plan in plans]
    standard = (vectors_of([numbers_of(plan) for plan in plans], model.fields.tolist()) - model.centre) / model.scale
    standard = np.clip(standard, -4, 4)
    near = model.patients.query(standard * model.field_weight, k=min(2 * NEIGHBOURS, len(model.patient_fields)))[1]
    near = near.reshape(len(plans), -1)
    donor = near[np.arange(len(plans)), [int(rng.integers(near.shape[1])) for rng in rngs]]
    lesions, owner, group = _lesions(model, plans, standard, donor, rngs)
    organs = _organs(model, plans, standard, donor)
    return RawOutputs(lesions, np.asarray(np.isfinite(lesions).all(axis=1)), owner, group, organs)


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


def _organs(model: FeatureSampler, plans: Sequence[PatientPlan], standard: Floats, donor: Ints) -> Floats:
    planned = np.stack([planned_uptake(plan) for plan in plans])
    uptake = np.clip((planned - model.organ_uptake[0]) / model.organ_uptake[1], -5, 5)
    width = len(ORGAN_OUTPUTS)
    found = []
    for organ in range(len(ORGANS)):
        weights = model.organ_weights[:, organ * width : (organ + 1) * width]
        found.append(organ_covariates(standard, uptake, organ) @ weights)
    found.append(organ_covariates(standard, np.zeros((len(plans), 1)), 0) @ model.organ_weights[:, -3:])
    return np.concatenate(found, axis=1) + model.organ_residuals[donor]


def _lesions(
    model: FeatureSampler,
    plans: Sequence[PatientPlan],
    standard: Floats,
    donor: Ints,
    rngs: Sequence[np.random.Generator],
) -> tuple[Floats, Ints, Ints]:
    """Outputs (n, 14), NaN for a lesion without room, and the patient and the site group of each lesion."""
    lesions = [lesion for plan in plans for lesion in plan.disease.lesions]
    owner = np.repeat(np.arange(len(plans)), [len(plan.disease.lesions) for plan in plans])
    luck = np.concatenate([rng.random(len(plan.disease.lesions)) for rng, plan in zip(rngs, plans, strict=True)])
    index = {name: row for row, name in enumerate(model.stations.tolist())}
    station = np.array([index.get(lesion.station, -1) for lesion in lesions], dtype=np.int64)
    if (station < 0).any():
        raise ValueError("the plan knows stations that the sampler was not fitted on: fit it again")
    if not lesions:
        return np.zeros((0, len(LESION_OUTPUTS))), owner, station
    key = lesion_key(lesions)
    chosen = np.zeros(len(lesions), dtype=np.int64)
    for number, (tree, rows) in enumerate(model.trees):
        mine = np.flatnonzero(station == number)
        if len(mine):
            near = tree.query(key[mine], k=NEIGHBOURS)[1]
            chosen[mine] = rows[near[np.arange(len(mine)), (luck[mine] * NEIGHBOURS).astype(np.int64)]]
    outputs = lesion_covariates(lesions, standard[owner]) @ model.lesion_weights
    outputs += model.station_usual[station] + model.lesion_residuals[chosen] + model.patient_effect[donor[owner]]
    return outputs, owner, model.station_group[station].astype(np.int64)
