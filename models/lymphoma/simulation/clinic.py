"""What the clinic would know of a virtual patient: stage, LDH, performance status and the rest of the record."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lymphoma.simulation.disease import LOG_SD_ML, MEDIAN_ML, Disease
from lymphoma.simulation.person import Person
from lymphoma.simulation.staging import extranodal_organs, stage_of
from lymphoma.survival.clinical import ClinicalFactors

__all__ = ["draw_clinical"]

LDH_MEDIAN, LDH_LOG_SD = 1.12, 0.50
LDH_WITH_BURDEN = 0.5
"""Correlation of the logarithms of LDH and of total volume."""
ECOG_CUTS = (-0.30, 0.62, 1.45, 2.10)
"""Latent values that part ECOG 0|1|2|3|4: two and more in about a quarter, as in the trials (20 to 34 %)."""
GCB_SHARE = 0.57
BULKY_MM = 100.0
LONGEST = 1.62
"""Longest diameter of the generator's shapes over the diameter of the ball of the same volume."""


def draw_clinical(rng: np.random.Generator, person: Person, disease: Disease) -> ClinicalFactors:
    """The clinical factors that follow from the person and the planned disease.

    LDH over its upper limit is log-normal and correlates with the logarithm of the volume by 0.5. Performance status
    gets worse with volume and age, B symptoms come with volume [A]. Cell of origin follows nothing.
    """
    noise = rng.normal(size=3)
    shares = rng.random(1)
    burden = (np.log(max(disease.total_ml, 1.0)) - np.log(MEDIAN_ML)) / LOG_SD_ML
    age = (person.age_years - 63.0) / 13.0
    ldh = LDH_MEDIAN * np.exp(LDH_LOG_SD * (LDH_WITH_BURDEN * burden + np.sqrt(1 - LDH_WITH_BURDEN**2) * noise[0]))
    unwell = 0.40 * burden + 0.30 * age + np.sqrt(1 - 0.40**2 - 0.30**2) * noise[1]
    ecog: tuple[Literal[0, 1, 2, 3, 4], ...] = (0, 1, 2, 3, 4)
    return ClinicalFactors(
        age_years=float(person.age_years),
        sex=person.sex,
        stage=stage_of(disease),
        ldh_ratio=round(float(np.clip(ldh, 0.35, 12.0)), 2),
        ecog=ecog[int(np.searchsorted(ECOG_CUTS, unwell))],
        extranodal_sites=extranodal_organs(disease),
        cell_of_origin="GCB" if shares[0] < GCB_SHARE else "non-GCB",
        bulky=any(_longest_mm(lesion.volume_ml) >= BULKY_MM for lesion in disease.lesions),
        b_symptoms=bool(0.45 * burden + np.sqrt(1 - 0.45**2) * noise[2] > 0.45),
    )


def _longest_mm(volume_ml: float) -> float:
    return LONGEST * 2 * float((volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3))
