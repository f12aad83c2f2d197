"""Virtual patients at feature level, with features that tell what radiomics of their lesions would tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from lymphoma.deepmts.nomogram import OutOfFoldRisk
from lymphoma.evaluation.patients import Patients
from lymphoma.radiomics import NAMES
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.risk import true_eta
from sklearn.model_selection import KFold

from tests.unit.evaluation.virtual_cohort import sampled, virtual_patients

Floats = npt.NDArray[np.float64]

NOISE = 24
"""Columns that tell nothing."""


@dataclass(frozen=True, eq=False)
class RadioPatients:
    """Patients with lesions, their features (n, 1456), and a network's risk that knows the truth with some noise."""

    patients: Patients
    features: Floats
    risk: OutOfFoldRisk


@cache
def radio_patients(count: int, mode: str, *, seed: int = 0) -> RadioPatients:
    drawn = sampled(count)
    with_lesion = np.flatnonzero(drawn.measured.counts > 0)
    patients = virtual_patients(count, mode=mode).take(with_lesion)
    rng = np.random.default_rng([seed, 3])
    eta = true_eta(drawn.true, mode, 1.0)[with_lesion]
    risk = eta + rng.normal(scale=1.5, size=len(eta))
    parts = tuple(part for _, part in KFold(5, shuffle=True, random_state=seed).split(eta))
    index = np.arange(len(eta))
    return RadioPatients(patients, _features(drawn.measured)[with_lesion], OutOfFoldRisk(index, parts, risk))


def _features(table: FeatureTable) -> Floats:
    """Of the lesions together: volumes, uptake, and its variation within and between lesions; the rest is 0."""
    one = table.lesions
    volume = one.volume_ml.astype(np.float64)
    total = np.maximum(table.tmtv_ml, 1e-3)

    def mean(values: Floats) -> Floats:
        return table.pooled(values.astype(np.float64) * volume, np.add, 0.0) / total

    uptake, spread = mean(one.suv_mean), mean((one.suv_cv * one.suv_mean) ** 2)
    between = mean(one.suv_mean.astype(np.float64) ** 2) - uptake**2
    known = {
        "shape_MeshVolume": total,
        "shape_SurfaceArea": table.pooled(volume ** (2 / 3), np.add, 0.0),
        "shape_Maximum3DDiameter": np.nan_to_num(table.dmax_mm.astype(np.float64)),
        "pet_original_firstorder_Mean": uptake,
        "pet_original_firstorder_Maximum": table.pooled(one.suv_max.astype(np.float64), np.maximum, 0.0),
        "pet_original_firstorder_Variance": spread + np.maximum(between, 0.0),
        "pet_original_firstorder_Energy": total * uptake**2,
        "pet_original_glcm_Contrast": spread,
        "pet_original_glcm_Idn": -mean(one.suv_cv),
        "pet_original_glrlm_GrayLevelNonUniformity": total / np.maximum(np.sqrt(spread), 0.25),
        "ct_original_firstorder_Mean": mean(one.hu_mean),
        "ct_original_firstorder_StandardDeviation": mean(one.hu_sd),
    }
    found = np.zeros((len(table), len(NAMES)))
    for name, values in known.items():
        found[:, NAMES.index(name)] = values
    noise = [at for at, name in enumerate(NAMES) if name.startswith("ct_wavelet-HHH_glcm")][:NOISE]
    found[:, noise] = np.random.default_rng(9).normal(size=(len(table), len(noise)))
    return found
