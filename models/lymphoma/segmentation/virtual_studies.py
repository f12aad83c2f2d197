"""Virtual patients delineated on the same way as a study of the node, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import stored_truth
from lymphoma.imaging.registration import apply, register_ct
from lymphoma.imaging.volume import Volume
from lymphoma.lesions.measures import measure_lesions
from lymphoma.lesions.totals import measure_totals
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.prognosis.patient_folder import Arrays, KnownPatient
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.prognosis.system import StudyArrays
from lymphoma.segmentation.delineation import Delineation
from lymphoma.segmentation.way import Tools, delineate
from lymphoma.simulation.cohort import case_of, features_of, subject_of
from lymphoma.simulation.feature_table import FeatureTable, stack_features
from lymphoma.simulation.outcomes import draw_outcomes, outcome_model
from lymphoma.simulation.patient import Protocol, VirtualPatient, build_patient
from lymphoma.simulation.plan import draw_patient
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.risk import true_eta
from lymphoma.simulation.sets import PatientSet
from lymphoma.training.case import Case, Outcome

__all__ = ["VirtualStudy", "accepted_part", "each_virtual_study"]

MODE, SIGMA = "mixed", 1.0
"""Of the outcomes that are kept: the project's default cohort. The truth is kept too, from which any other follows."""


@dataclass(frozen=True, eq=False)
class VirtualStudy:
    """A virtual patient as the node sees him or her, and what is true.

    Attributes:
        content: digest of what the patient is made from. study: its lesion map holds the accepted lesions alone.
        pooled: their features; None where no lesion network took part. truth: an ``.npz`` file of one row.
    """

    content: str
    centre: str
    study: StudyArrays
    outcomes: Mapping[Endpoint, Outcome | None]
    pooled: PooledFeatures | None
    truth: bytes

    def known(self, arrays: Arrays) -> KnownPatient:
        """As a folder of a system's inputs keeps the patient."""
        seen = self.study
        return KnownPatient(self.content, self.centre, seen.clinical, seen.pet, self.outcomes, arrays, self.truth)


def each_virtual_study(
    members: PatientSet,
    tools: Tools,
    wanted: Callable[[str], bool],
    see: Callable[[VirtualStudy], None],
    pass_over: Callable[[str, str], None],
    *,
    protocol: Protocol = TRAINING_GRID,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Looks at one patient of a set after the other; the CT is registered as the node does it.

    Args:
        wanted: whether the patient of a content is to be looked at. pass_over: takes content and code of one who cannot
            be judged in a node: out of range, or without organs.
    """
    tell = progress or (lambda done, of: None)
    for done, seed in enumerate(members.seeds, start=1):
        plan = draw_patient(seed, variety=members.variety)
        subject = subject_of(plan, protocol=protocol)
        if wanted(subject.content):
            patient = build_patient(plan, protocol)
            try:
                see(_seen(patient, case_of(patient, subject), tools))
            except NotComputable as fault:
                pass_over(subject.content, fault.code)
        tell(done, members.patients)


def accepted_part(drawn: Delineation) -> tuple[Volume, PooledFeatures | None]:
    """Lesions that count, numbered anew in the same order, and their features."""
    if drawn.pooled is None:
        return drawn.accepted_map, None
    rows = np.array(drawn.accepted, dtype=np.int64) - 1
    return drawn.accepted_map, replace(drawn.pooled, lesions=drawn.pooled.lesions[rows], lesion_map="")


def _seen(patient: VirtualPatient, case: Case, tools: Tools) -> VirtualStudy:
    registration = register_ct(case.suv, case.ct_hu)
    ct_hu = apply(case.ct_hu, case.suv, registration) if registration.applied else case.ct_hu
    done = delineate(case.suv, ct_hu, tools, patient.plan.scan.uptake_minutes, registration.verdict)
    if done.verdict is not None and done.verdict.range == "outside":
        raise NotComputable("OUT_OF_DISTRIBUTION", "the scan is unlike those that the networks learned from")
    lesions, pooled = accepted_part(done.delineation)
    truth = stack_features([features_of(patient, noise_free=True)])
    clinical, pet = case.subject.clinical, _measures(case.suv, lesions, patient)
    study = StudyArrays(case.suv, ct_hu, lesions, done.anatomy, clinical, pet)
    outcomes = _outcomes(truth, patient.plan.seed)
    return VirtualStudy(case.subject.content, case.subject.centre, study, outcomes, pooled, stored_truth(truth))


def _measures(suv: Volume, lesions: Volume, patient: VirtualPatient) -> PetMeasures:
    person = patient.plan.person
    totals = measure_totals(measure_lesions(suv, lesions), weight_kg=person.weight_kg, height_m=person.height_m)
    return PetMeasures(**{one.name: getattr(totals, one.name) for one in fields(PetMeasures)})


def _outcomes(truth: FeatureTable, seed: int) -> dict[Endpoint, Outcome | None]:
    drawn = draw_outcomes(outcome_model(SIGMA), true_eta(truth, MODE, SIGMA), [seed])
    return dict(zip(ENDPOINTS, drawn.patient(0), strict=True))
