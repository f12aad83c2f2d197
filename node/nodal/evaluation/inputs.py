"""A cohort folder as the patients that a system learns from by their images: its inputs of every study, made once.

They are kept beside the cohort, a folder for each system.
"""

from __future__ import annotations

from pathlib import Path

from lymphoma.evaluation.input_cohort import InputCohort, input_cohort
from lymphoma.evaluation.learner import Learner
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.prognosis.system import StudyArrays

from nodal.evaluation.studies import CohortStudies, Progress
from nodal.settings import Settings

__all__ = ["KEPT", "inputs_of_cohort"]

KEPT = ".nodal-inputs"


def inputs_of_cohort(
    folder: Path, patients: Patients, learner: Learner, settings: Settings, progress: Progress | None = None
) -> InputCohort:
    """The patients that a system can read.

    Lesions are those of the contour where there is one, else those that the way of the settings accepts.

    Raises:
        Refused: NO_USABLE_PATIENT. NotComputable: BUNDLE_MISMATCH where kept inputs were made in another way.
    """
    studies = CohortStudies.open(folder, patients, settings)
    source = InputSource(patients.cohort, patients.virtual, learner.name, f"{learner.way}; {studies.way}")
    kept = InputFolder.make(folder / KEPT / learner.name, source)

    def see(at: int, study: StudyArrays) -> None:
        kept.keep(
            KnownPatient(
                patients.contents[at],
                patients.centres[at],
                patients.clinical[at],
                patients.pet[at],
                studies.outcomes(at),
                learner.inputs(study),
            )
        )

    studies.each(kept.lacks, see, kept.pass_over, progress)
    return input_cohort(kept, patients)
