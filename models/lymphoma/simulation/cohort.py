"""Virtual patients as a cohort: each is made when it is loaded, none is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.resample import resample_like
from lymphoma.simulation.features import BodySize, PatientFeatures, measure_features
from lymphoma.simulation.patient import Protocol, VirtualPatient, build_patient
from lymphoma.simulation.plan import GENERATOR, PatientPlan, draw_patient
from lymphoma.simulation.scan import TRAINING, Variety
from lymphoma.training.case import Case, Subject

__all__ = ["VirtualCohort", "case_of", "features_of", "subject_of", "virtual_id"]


def virtual_id(seed: int) -> str:
    """The patient ID of a virtual patient."""
    return f"NODAL-V-{seed}"


def subject_of(plan: PatientPlan, *, protocol: Protocol | None = None) -> Subject:
    """The patient of a plan before he or she is built; outcomes are not known here."""
    content = hashlib.sha256(f"{GENERATOR}|{plan!r}|{protocol!r}".encode()).hexdigest()
    return Subject(virtual_id(plan.seed), "virtual", plan.clinical, None, None, content)


def case_of(patient: VirtualPatient, subject: Subject, *, noise_free: bool = False) -> Case:
    """A virtual patient's arrays as any other patient's, with the true lesions and organs as reference."""
    suv = patient.pet_noise_free if noise_free else patient.pet_suv
    ct = patient.ct_hu.with_array(patient.ct_hu.array.astype(np.float32))
    on_pet = ct if ct.same_grid(suv) else resample_like(ct, suv, fill=-1024, interpolation="linear")
    anatomy = Anatomy("given", patient.organs, patient.names)
    return Case(subject, suv, on_pet, patient.lesion_map, anatomy)


def features_of(patient: VirtualPatient, *, noise_free: bool = False) -> PatientFeatures:
    """Features within the true lesion map.

    Args:
        noise_free: from the PET before noise: the truth that a risk follows from.
    """
    person = patient.plan.person
    case = case_of(patient, subject_of(patient.plan), noise_free=noise_free)
    stations = {lesion.number: lesion.station for lesion in patient.lesions}
    return measure_features(case, size=BodySize(person.weight_kg, person.height_m), stations=stations)


@dataclass(frozen=True)
class VirtualCohort:
    """Patients made on the fly from consecutive seeds; outcomes are not known here.

    Attributes:
        protocol: the grid they are made on; None takes each scanner's own.
    """

    name: str
    seeds: range
    variety: Variety = TRAINING
    protocol: Protocol | None = None

    @property
    def virtual(self) -> bool:
        return True

    @cached_property
    def subjects(self) -> Sequence[Subject]:
        plans = (draw_patient(seed, variety=self.variety) for seed in self.seeds)
        return tuple(subject_of(plan, protocol=self.protocol) for plan in plans)

    def load(self, subject: Subject) -> Case:
        seed = int(subject.patient_id.rpartition("-")[2])
        return case_of(build_patient(draw_patient(seed, variety=self.variety), self.protocol), subject)
