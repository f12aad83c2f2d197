"""Virtual patients built as images and measured: the material of every acceptance at image level."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from lymphoma.simulation import PLAIN, LesionTruth, Protocol, Variety, VirtualPatient, build_patient, draw_patient
from lymphoma.simulation.cohort import features_of
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.sampler_fit import MeasuredPatient

__all__ = ["build_each", "show_progress"]


def build_each(
    seeds: Sequence[int], *, variety: Variety = PLAIN, protocol: Protocol = TRAINING_GRID
) -> Iterator[tuple[VirtualPatient, MeasuredPatient]]:
    """Each patient as images and as features, one at a time."""
    for seed in seeds:
        plan: PatientPlan = draw_patient(seed, variety=variety)
        patient = build_patient(plan, protocol)
        measured, true = features_of(patient), features_of(patient, noise_free=True)
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
