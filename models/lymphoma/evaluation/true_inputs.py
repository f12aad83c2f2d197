"""Virtual patients as a system reads them, with true lesions and organs, and outcomes under any mechanism.

What a network learns from: lesions and organs that it would be given wrongly now and then would teach it the faults of
one version. The patients it is judged on come on the node's own way (:mod:`lymphoma.segmentation.features`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort, stored_truth, truth_of
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.patient_folder import Arrays, KnownPatient
from lymphoma.prognosis.system import StudyArrays
from lymphoma.simulation.cohort import case_of, features_of, subject_of
from lymphoma.simulation.feature_table import stack_features
from lymphoma.simulation.outcomes import draw_outcomes, outcome_model
from lymphoma.simulation.patient import VirtualPatient, build_patient
from lymphoma.simulation.pet_measures import pet_measures
from lymphoma.simulation.plan import draw_patient
from lymphoma.simulation.protocol import training_grid
from lymphoma.simulation.risk import true_eta
from lymphoma.simulation.scan import HOSPITAL, Variety
from lymphoma.training.case import Case, Outcome

__all__ = ["EDGE_MM", "SIGMA", "Reader", "in_order", "make_true_inputs", "with_outcomes"]

EDGE_MM = 4.0
"""Voxels that the patients are imaged in."""
SIGMA = 1.0
"""SD of the log hazard ratio: Harrell's C of the truth is about .74."""


class Reader(Protocol):
    """What a system reads of a study; every learner is one (:mod:`lymphoma.evaluation.learner`)."""

    @property
    def name(self) -> str:
        """Of the system."""
        ...

    @property
    def way(self) -> str:
        """Names how inputs are prepared."""
        ...

    def inputs(self, study: StudyArrays) -> Arrays:
        """The arrays.

        Raises:
            NotComputable: the study cannot be read.
        """
        ...


def make_true_inputs(
    reader: Reader,
    folder: Path,
    seeds: Sequence[int],
    *,
    cohort: str = "virtual patients",
    variety: Variety = HOSPITAL,
    edge_mm: float = EDGE_MM,
    progress: Callable[[int, int], None] | None = None,
) -> InputFolder:
    """A folder of the patients with these seeds; one that is there already is gone on with.

    A patient whom the system cannot read, such as one without a lesion, is passed over. Outcomes are not kept: see
    :func:`with_outcomes`.

    Args:
        cohort: its name.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``: the folder holds inputs that were prepared otherwise.
    """
    way = f"{reader.way}; true lesions and organs, imaged in voxels of {edge_mm:g} mm"
    made = InputFolder.make(folder, InputSource(cohort, True, reader.name, way))
    protocol = training_grid(edge_mm)
    for done, seed in enumerate(seeds, start=1):
        plan = draw_patient(seed, variety=variety)
        subject = subject_of(plan, protocol=protocol)
        if made.lacks(subject.content):
            patient = build_patient(plan, protocol)
            try:
                made.keep(_known(reader, patient, case_of(patient, subject)))
            except NotComputable as fault:
                made.pass_over(subject.content, fault.code)
        if progress is not None:
            progress(done, len(seeds))
    return made


def with_outcomes(cohort: InputCohort, mode: str, *, sigma: float = SIGMA, draw: int = 0) -> InputCohort:
    """The same patients with outcomes under a mechanism of :data:`lymphoma.simulation.risk.MODES`.

    Args:
        draw: 0, 1, ... redraws times and censoring with the same true risk.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``: the folder holds no truth of a patient.
    """
    table = truth_of(cohort.folder, cohort.patients)
    model = outcome_model(0.0 if mode == "null" else sigma)
    drawn = draw_outcomes(model, true_eta(table, mode, sigma), _seeds(table.patient_ids), draw=draw)
    pairs = [drawn.patient(at) for at in range(len(cohort))]
    outcomes: dict[Endpoint, tuple[Outcome | None, ...]] = {
        "pfs": tuple(pfs for pfs, _ in pairs),
        "os": tuple(os for _, os in pairs),
    }
    return replace(cohort, patients=replace(cohort.patients, outcomes=outcomes))


def in_order(cohort: InputCohort) -> InputCohort:
    """By rising seed, so that the first of them are the same whatever was added later."""
    seeds = _seeds(truth_of(cohort.folder, cohort.patients).patient_ids)
    return cohort.take(np.argsort(seeds, kind="stable"))


def _known(reader: Reader, patient: VirtualPatient, case: Case) -> KnownPatient:
    subject = case.subject
    pet = pet_measures(stack_features([features_of(patient)]))[0]
    study = StudyArrays(case.suv, case.ct_hu, patient.lesion_map, case.anatomy, subject.clinical, pet)
    unknown: dict[Endpoint, Outcome | None] = {"pfs": None, "os": None}
    arrays = reader.inputs(study)
    truth = stored_truth(stack_features([features_of(patient, noise_free=True)]))
    return KnownPatient(subject.content, subject.centre, subject.clinical, pet, unknown, arrays, truth)


def _seeds(patient_ids: Sequence[str]) -> list[int]:
    """Seeds of virtual patients by their ids."""
    return [int(name.rpartition("-")[2]) for name in patient_ids]
