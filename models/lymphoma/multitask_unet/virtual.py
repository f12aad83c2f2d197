"""Virtual patients for the training: inputs with true lesions and organs, made once; outcomes under any mechanism."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort, truth_of
from lymphoma.multitask_unet.inputs import WAY, inputs_of_case
from lymphoma.multitask_unet.shape import Size
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.simulation.cohort import case_of, features_of, subject_of
from lymphoma.simulation.feature_table import stack_features
from lymphoma.simulation.outcomes import draw_outcomes, outcome_model
from lymphoma.simulation.patient import build_patient
from lymphoma.simulation.pet_measures import pet_measures
from lymphoma.simulation.plan import draw_patient
from lymphoma.simulation.protocol import training_grid
from lymphoma.simulation.risk import true_eta
from lymphoma.simulation.scan import HOSPITAL, Variety
from lymphoma.training.case import Outcome

__all__ = ["EDGE_MM", "SIGMA", "in_order", "make_inputs", "with_outcomes"]

EDGE_MM = 4.0
"""Voxels that the patients are made in; their PET is then brought to the network's."""
SIGMA = 1.0
"""SD of the log hazard ratio: Harrell's C of the truth is about .74."""

Progress = Callable[[int, int], None]


def make_inputs(
    folder: Path,
    seeds: Sequence[int],
    size: Size,
    *,
    edge_mm: float = EDGE_MM,
    variety: Variety = HOSPITAL,
    progress: Progress | None = None,
) -> InputFolder:
    """A folder of the patients with these seeds; one that is there already is gone on with.

    A patient without a lesion, or with lesions outside the field, is passed over.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``: the folder holds inputs that were prepared otherwise.
    """
    way = f"{WAY}; {'x'.join(map(str, size))}; true lesions and organs, made in voxels of {edge_mm:g} mm"
    made = InputFolder.make(folder, InputSource("virtual patients", True, "multitask_unet", way))
    protocol = training_grid(edge_mm)
    for done, seed in enumerate(seeds, start=1):
        plan = draw_patient(seed, variety=variety)
        subject = subject_of(plan, protocol=protocol)
        if subject.content not in made and subject.content not in made.passed_over:
            patient = build_patient(plan, protocol)
            try:
                arrays = inputs_of_case(case_of(patient, subject), size)
            except NotComputable as fault:
                made.pass_over(subject.content, fault.code)
                continue
            table = stack_features([features_of(patient, noise_free=True)])
            truth = BytesIO()
            table.save(truth)
            made.keep(
                KnownPatient(
                    subject.content,
                    subject.centre,
                    subject.clinical,
                    pet_measures(table)[0],
                    {"pfs": None, "os": None},
                    arrays,
                    truth.getvalue(),
                )
            )
        if progress is not None:
            progress(done, len(seeds))
    return made


def with_outcomes(folder: InputFolder, mode: str, *, sigma: float = SIGMA, draw: int = 0) -> InputCohort:
    """All patients of a folder with outcomes under a mechanism of :data:`lymphoma.simulation.risk.MODES`.

    The same folder serves every mechanism and every drawing of times.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``, ``NO_USABLE_PATIENT``.
    """
    cohort = input_cohort(folder)
    table = truth_of(folder, cohort.patients)
    eta = true_eta(table, mode, sigma)
    model = outcome_model(0.0 if mode == "null" else sigma)
    drawn = draw_outcomes(model, eta, _seeds(table.patient_ids), draw=draw)
    both = [drawn.patient(at) for at in range(len(cohort))]
    outcomes: dict[Endpoint, tuple[Outcome | None, ...]] = {
        "pfs": tuple(one for one, _ in both),
        "os": tuple(one for _, one in both),
    }
    patients = dataclasses.replace(cohort.patients, outcomes=outcomes)
    return dataclasses.replace(cohort, patients=patients)


def _seeds(patient_ids: Sequence[str]) -> list[int]:
    """Seeds of virtual patients by their ids."""
    return [int(name.rpartition("-")[2]) for name in patient_ids]


def in_order(cohort: InputCohort) -> InputCohort:
    """By rising seed, so that the first of them are the same whatever was added later."""
    seeds = _seeds(truth_of(cohort.folder, cohort.patients).patient_ids)
    return cohort.take(np.argsort(seeds, kind="stable"))
