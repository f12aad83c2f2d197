"""The plan of a virtual patient: all that is drawn at random before anything is built.

Each part is drawn from a stream of its own, so that a change in one leaves the others as they are. Ranges marked [A]
are assumptions of the generator, not measurements; the others follow the published values named.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lymphoma.simulation.clinic import draw_clinical
from lymphoma.simulation.disease import Disease, draw_disease
from lymphoma.simulation.person import Person, draw_person
from lymphoma.simulation.physiology import Physiology, draw_physiology
from lymphoma.simulation.scan import PLAIN, Scan, Variety, draw_scan
from lymphoma.survival.clinical import ClinicalFactors

__all__ = ["GENERATOR", "PatientPlan", "draw_patient"]

GENERATOR = "A2"


@dataclass(frozen=True)
class PatientPlan:
    """A virtual patient before he or she is built.

    Attributes:
        seed: the seed that gives everything, later draws included.
    """

    seed: int
    person: Person
    disease: Disease
    physiology: Physiology
    scan: Scan
    clinical: ClinicalFactors


def draw_patient(seed: int, *, lesions: int | None = None, variety: Variety = PLAIN) -> PatientPlan:
    """Draws the plan of one patient; the same arguments give the same plan.

    Args:
        seed: not negative.
        lesions: their number; None draws it.
        variety: how much the scans differ.
    """
    person = draw_person(np.random.default_rng([seed, 1]))
    disease = draw_disease(np.random.default_rng([seed, 10]), person, lesions)
    return PatientPlan(
        seed=seed,
        person=person,
        disease=disease,
        physiology=draw_physiology(np.random.default_rng([seed, 11]), person),
        scan=draw_scan(np.random.default_rng([seed, 12]), person, variety),
        clinical=draw_clinical(np.random.default_rng([seed, 13]), person, disease),
    )
