"""A made-up study: a warm body in air with lesions in it; and a cohort of such."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from lymphoma.anatomy.organs import Anatomy
from lymphoma.dfr_signature.inputs import InputSettings, inputs_of, way_of
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

EDGES_MM = (4.0, 5.0, 6.0)  # column, row, section: all different, so that swapped axes show
SHAPE = (30, 40, 48)
BODY = (slice(1, 29), slice(6, 34), slice(8, 40))

Box = tuple[slice, slice, slice]


def grid(array: np.ndarray) -> Volume:
    affine = np.diag([*EDGES_MM, 1.0])
    affine[:3, 3] = (-90.0, -100.0, -50.0)
    return Volume(array, affine)


def box(k: int, j: int, i: int, shape: tuple[int, int, int] = (4, 5, 6)) -> Box:
    depth, height, width = shape
    return slice(k, k + depth), slice(j, j + height), slice(i, i + width)


def study(*lesions: Box, accepted: tuple[int, ...] | None = None, seed: int = 0) -> StudyArrays:
    rng = np.random.default_rng(seed)
    suv = np.zeros(SHAPE, dtype=np.float32)
    suv[BODY] = rng.uniform(0.5, 1.5, suv[BODY].shape)
    ct = np.full(SHAPE, -1000.0, dtype=np.float32)
    ct[BODY] = rng.normal(40, 30, ct[BODY].shape)
    labels = np.zeros(SHAPE, dtype=np.uint16)
    for number, lesion in enumerate(lesions, start=1):
        labels[lesion] = number
        suv[lesion] += 8.0
    clinical, pet = ClinicalFactors(), PetMeasures()
    return StudyArrays(grid(suv), grid(ct), grid(labels), Anatomy("none"), clinical, pet, accepted=accepted)


def patient(number: int) -> StudyArrays:
    """One lesion, of a height that differs among the patients."""
    return study(box(12, 15, 20, (4, 5 + number % 3, 6)), seed=number)


def content_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def cohort_in(folder: Path, numbers: Sequence[int], settings: InputSettings) -> InputCohort:
    """Every second patient has an early event of PFS; OS is not known."""
    made = InputFolder.make(folder, InputSource("made up", True, "dfr_signature", way_of(settings)))
    for number in numbers:
        rng = np.random.default_rng(number)
        seen, event = patient(number), bool(number % 2)
        outcome = Outcome(float(rng.uniform(5, 20) if event else rng.uniform(30, 60)), event)
        outcomes = {"pfs": outcome, "os": None}
        arrays = inputs_of(seen, settings)
        made.keep(KnownPatient(content_of(number), "one", seen.clinical, seen.pet, outcomes, arrays))
    return input_cohort(made)
