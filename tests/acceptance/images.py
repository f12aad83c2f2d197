"""Virtual patients built as images and measured: the material of every acceptance at image level."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from lymphoma.simulation import PLAIN, LesionTruth, Protocol, Variety, VirtualPatient, build_patient, draw_patient
from lymphoma.simulation.cohort import case_of, virtual_id
from lymphoma.simulation.features import BodySize, PatientFeatures, measure_features
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.sampler_fit import MeasuredPatient
from lymphoma.training.case import Subject

__all__ = ["TRAINING_GRID", "build_each", "measure_patient", "show_progress"]

TRAINING_GRID = Protocol(ct_spacing_mm=(4.0, 4.0, 4.0), ct_matrix=168)
"""PET and CT in voxels of 4 mm, the grid on which features are measured."""


def measure_patient(patient: VirtualPatient, *, noise_free: bool = False) -> PatientFeatures:
    """Features with the true lesion map.

    Args:
        noise_free: from the PET before noise.
    """
    plan = patient.plan
    case = case_of(patient, Subject(virtual_id(plan.seed), "virtual", plan.clinical, None, None, ""))
    if noise_free:
        case = replace(case, suv=patient.pet_noise_free)
    stations = {truth.number: truth.station for truth in patient.lesions}
    return measure_features(case, size=BodySize(plan.person.weight_kg, plan.person.height_m), stations=stations)


def build_each(
    seeds: Sequence[int], *, variety: Variety = PLAIN, protocol: Protocol = TRAINING_GRID
) -> Iterator[tuple[VirtualPatient, MeasuredPatient]]:
    """Each patient as images and as features, one at a time."""
    for seed in seeds:
        plan: PatientPlan = draw_patient(seed, variety=variety)
        patient = build_patient(plan, protocol)
        measured, true = measure_patient(patient), measure_patient(patient, noise_free=True)
        yield patient, MeasuredPatient(plan, _in_map(patient), measured, true)


def _in_map(patient: VirtualPatient) -> tuple[LesionTruth, ...]:
    """The truths of lesions that own voxels of the map, by number, as the features are."""
    there = np.unique(patient.lesion_map.array)
    return tuple(truth for truth in sorted(patient.lesions, key=lambda t: t.number) if truth.number in there)


def show_progress(what: str, total: int, say: Callable[[str], None]) -> Callable[[int], None]:
    """Says how many of ``total`` are done and how long the rest may take."""
    began = time.monotonic()

    def step(done: int) -> None:
        left_s = (time.monotonic() - began) / done * (total - done)
        say(f"\r{what}: {done} of {total}, {left_s:.0f} s left ")

    return step
