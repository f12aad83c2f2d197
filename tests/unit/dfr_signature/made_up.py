"""A made-up study: a warm body in air with lesions in it."""

from __future__ import annotations

import numpy as np
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.clinical import ClinicalFactors

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
