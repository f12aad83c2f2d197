"""Virtual patients as DeepMTS reads them, with their true lesions, and outcomes under a mechanism."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from lymphoma.deepmts.field import BodyField
from lymphoma.deepmts.inputs import inputs_of
from lymphoma.deepmts.learner import way_of
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort, truth_of
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.prognosis.system import StudyArrays
from lymphoma.simulation.cohort import case_of, features_of, subject_of
from lymphoma.simulation.feature_table import stack_features
from lymphoma.simulation.outcomes import draw_outcomes, outcome_model
from lymphoma.simulation.patient import build_patient
from lymphoma.simulation.pet_measures import pet_measures
from lymphoma.simulation.plan import draw_patient
from lymphoma.simulation.protocol import TRAINING_GRID
from lymphoma.simulation.risk import true_eta
from lymphoma.simulation.scan import HOSPITAL, Variety
from lymphoma.training.case import Outcome

__all__ = ["SIGMA", "VirtualInputs", "with_outcomes"]

SIGMA = 1.0
"""SD of the log hazard ratio: Harrell's C of the truth is about .74."""


@dataclass(frozen=True)
class VirtualInputs:
    """Patients made from seeds, imaged on the training grid, with their true lesions and organs.

    Attributes:
        name: of the cohort. field: of the body.
    """

    name: str
    field: BodyField
    variety: Variety = HOSPITAL

    def make(
        self, folder: Path, seeds: Sequence[int], progress: Callable[[int, int], None] | None = None
    ) -> InputCohort:
        """The patients of ``seeds``; a run that was killed goes on. Who has no lesion in the field is passed over.

        Raises:
            NotComputable: ``BUNDLE_MISMATCH``: the folder holds other inputs; ``NO_USABLE_PATIENT``.
        """
        kept = InputFolder.make(folder, InputSource(self.name, True, "deepmts", f"{way_of(self.field)}, true lesions"))
        for done, seed in enumerate(seeds, start=1):
            plan = draw_patient(seed, variety=self.variety)
            content = subject_of(plan, protocol=TRAINING_GRID).content
            if content not in kept and content not in kept.passed_over:
                self._keep(kept, seed)
            if progress is not None:
                progress(done, len(seeds))
        return input_cohort(kept)

    def _keep(self, folder: InputFolder, seed: int) -> None:
        patient = build_patient(draw_patient(seed, variety=self.variety), TRAINING_GRID)
        subject = subject_of(patient.plan, protocol=TRAINING_GRID)
        case = case_of(patient, subject)
        pet = pet_measures(stack_features([features_of(patient)]))[0]
        study = StudyArrays(case.suv, case.ct_hu, patient.lesion_map, case.anatomy, subject.clinical, pet)
        truth = BytesIO()
        stack_features([features_of(patient, noise_free=True)]).save(truth)
        try:
            arrays = inputs_of(study, self.field)
        except NotComputable as fault:
            folder.pass_over(subject.content, fault.code)
            return
        unknown: dict[Endpoint, Outcome | None] = {"pfs": None, "os": None}
        known = KnownPatient(subject.content, "virtual", subject.clinical, pet, unknown, arrays, truth.getvalue())
        folder.keep(known)


def with_outcomes(cohort: InputCohort, mode: str, *, sigma: float = SIGMA, draw: int = 0) -> InputCohort:
    """The same patients with outcomes under a mechanism of :data:`lymphoma.simulation.risk.MODES`.

    Args:
        draw: 0, 1, ... redraws times and censoring with the same true risk.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``: the folder holds no truth of a patient.
    """
    table = truth_of(cohort.folder, cohort.patients)
    model = outcome_model(0.0 if mode == "null" else sigma)
    seeds = [int(one.rpartition("-")[2]) for one in table.patient_ids]
    drawn = draw_outcomes(model, true_eta(table, mode, sigma), seeds, draw=draw)
    pairs = [drawn.patient(at) for at in range(len(cohort))]
    outcomes: dict[Endpoint, tuple[Outcome | None, ...]] = {
        "pfs": tuple(pfs for pfs, _ in pairs),
        "os": tuple(os for _, os in pairs),
    }
    return replace(cohort, patients=replace(cohort.patients, outcomes=outcomes))
