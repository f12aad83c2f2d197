"""The patients that a system learns from by their images: inputs beside clinical factors and outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.input_folder import InputFolder
from lymphoma.prognosis.model import ENDPOINTS
from lymphoma.prognosis.patient_folder import Arrays, KnownPatient, PatientFolder
from lymphoma.simulation.feature_table import FeatureTable, join_tables

__all__ = ["InputCohort", "input_cohort", "patients_of", "stored_truth", "truth_of"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class InputCohort:
    """n patients in a fixed order; their arrays are read one patient at a time.

    Attributes:
        patients: outcomes, clinical factors, measures. folder: where the inputs lie.
    """

    patients: Patients
    folder: InputFolder

    def __len__(self) -> int:
        return len(self.patients)

    def read(self, at: int) -> Arrays:
        """The inputs of one patient.

        Raises:
            NotComputable: ``FEATURES_UNREADABLE``.
        """
        return self.folder.known(self.patients.contents[at]).arrays

    def take(self, index: Ints | Sequence[int]) -> InputCohort:
        """The patients at ``index``, in that order."""
        return replace(self, patients=self.patients.take(index))


def input_cohort(folder: InputFolder, patients: Patients | None = None) -> InputCohort:
    """The patients of a cohort whose inputs the folder holds; without a cohort all of the folder, as it knows them.

    Raises:
        NotComputable: ``NO_USABLE_PATIENT``; ``FEATURES_UNREADABLE``.
    """
    if patients is None:
        source = folder.source
        found = patients_of(source.cohort, source.virtual, [folder.known(content) for content in folder.contents], {})
    else:
        found = patients.take([at for at, content in enumerate(patients.contents) if content in folder])
    if not len(found):
        raise NotComputable("NO_USABLE_PATIENT", "none of the patients has images that the system can read")
    return InputCohort(found, folder)


def patients_of(cohort: str, virtual: bool, known: Sequence[KnownPatient], ids: Mapping[str, str]) -> Patients:
    """Patients of a folder in columns.

    Args:
        ids: content -> id in the cohort; the content itself stands where there is none.
    """
    return Patients(
        cohort=cohort,
        virtual=virtual,
        ids=tuple(ids.get(one.content, one.content) for one in known),
        contents=tuple(one.content for one in known),
        centres=tuple(one.centre for one in known),
        clinical=tuple(one.clinical for one in known),
        pet=tuple(one.pet for one in known),
        outcomes={endpoint: tuple(one.outcomes[endpoint] for one in known) for endpoint in ENDPOINTS},
    )


def stored_truth(table: FeatureTable) -> bytes:
    """What is true of a virtual patient, a table of one row, as a folder keeps it; :func:`truth_of` reads it back."""
    stored = BytesIO()
    table.save(stored)
    return stored.getvalue()


def truth_of(folder: PatientFolder[Any], patients: Patients) -> FeatureTable:
    """What is true of virtual patients, a row for each of ``patients``.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``: the folder holds no truth of one of them.
    """
    tables = []
    for content in patients.contents:
        truth = folder.known(content).truth
        if truth is None:
            raise NotComputable("FEATURES_UNREADABLE", "the truth of a patient is not in the folder")
        tables.append(FeatureTable.load(BytesIO(truth)))
    return join_tables(tables)
