"""Virtual patients: plan -> anatomy -> uptake -> scanner -> patient, with lesions and organs known.

plan = draw_patient(seed)
patient = build_patient(plan)
"""

from lymphoma.simulation.lesions import LesionTruth
from lymphoma.simulation.patient import Protocol, VirtualPatient, build_patient
from lymphoma.simulation.plan import GENERATOR, LesionPlan, PatientPlan, draw_patient

__all__ = [
    "GENERATOR",
    "LesionPlan",
    "LesionTruth",
    "PatientPlan",
    "Protocol",
    "VirtualPatient",
    "build_patient",
    "draw_patient",
]
