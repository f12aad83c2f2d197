"""Virtual patients: plan -> anatomy -> uptake -> scanner -> patient, with lesions and organs known.

plan = draw_patient(seed)
patient = build_patient(plan)
"""

from lymphoma.simulation.lesions import LesionTruth
from lymphoma.simulation.patient import Protocol, VirtualPatient, build_patient, build_slab
from lymphoma.simulation.plan import GENERATOR, PatientPlan, draw_patient
from lymphoma.simulation.scan import HOSPITAL, PLAIN, TRAINING, Variety

__all__ = [
    "GENERATOR",
    "HOSPITAL",
    "PLAIN",
    "TRAINING",
    "LesionTruth",
    "PatientPlan",
    "Protocol",
    "Variety",
    "VirtualPatient",
    "build_patient",
    "build_slab",
    "draw_patient",
]
