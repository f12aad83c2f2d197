"""A cohort folder as the patients that a prognosis is fitted and judged on: outcomes, clinical factors, PET measures.

Measures come from ``measures.csv`` where it has the patient's row; else from the images, inside the reference where
there is one, inside the node's own segmentation where there is none. What was measured is kept beside the cohort under
the digest of the patient's files. A row without a study needs ``measures.csv`` alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

from nodal.cohort.about import About
from nodal.cohort.check import TABLE_NAME
from nodal.cohort.folder import FolderCohort, read_cohort
from nodal.cohort.measures import MEASURES_NAME, MeasureTable, read_measures
from nodal.cohort.table import Row, read_table
from nodal.errors import Code, Refused, WrongUsage
from nodal.evaluation.measuring import Measuring
from nodal.settings import Settings

__all__ = ["Origins", "patients_of", "patients_with_origins"]

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Origins:
    """Where the measures of the patients come from, and who is not among them.

    Attributes:
        table, reference, segmented: patients measured elsewhere, inside a contour, inside the node's segmentation.
        method: of that segmentation. without_outcome: rows without a usable outcome.
        unusable: rows with a fault of their own, in the table, in ``measures.csv`` or in their files.
        unmeasured: patients whose images could not be measured; their measures are unknown.
    """

    table: int = 0
    reference: int = 0
    segmented: int = 0
    method: str = ""
    without_outcome: int = 0
    unusable: int = 0
    unmeasured: int = 0

    @property
    def sentence(self) -> str:
        """For a card or a table."""
        method = f" ({self.method})" if self.method else ""
        return (
            f"Measures of {self.table} patients from {MEASURES_NAME}, of {self.reference} inside a contour, of "
            f"{self.segmented} segmented here{method}; rows not used: {self.without_outcome} without an outcome, "
            f"{self.unusable} unusable; images of {self.unmeasured} could not be measured."
        )


@dataclass(frozen=True)
class _Patient:
    """One row."""

    patient_id: str
    content: str
    centre: str
    clinical: ClinicalFactors
    pet: PetMeasures
    outcomes: Mapping[Endpoint, Outcome | None]


@dataclass
class _Gathered:
    """What has been read so far."""

    patients: list[_Patient] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + number


def patients_of(folder: Path, settings: Settings | None = None, progress: Progress | None = None) -> Patients:
    """The patients with a usable outcome, in ascending order of id; see :func:`patients_with_origins`."""
    return patients_with_origins(folder, settings, progress)[0]


def patients_with_origins(
    folder: Path, settings: Settings | None = None, progress: Progress | None = None
) -> tuple[Patients, Origins]:
    """The patients of a cohort folder, and where their measures come from.

    Args:
        settings: how PET headers are read, and the segmentation of a patient without a contour.
        progress: called with (steps done, steps in all); a cohort with images is checked first, then measured.

    Raises:
        WrongUsage: no such folder. Refused: COHORT_TABLE; NO_USABLE_PATIENT. Failed: NOT_INSTALLED, the segmentation.
    """
    if not folder.is_dir():
        raise WrongUsage(f"{folder} is not a folder")
    rules, tell = settings or Settings(), progress or (lambda done, of: None)
    about, rows = About.read(folder), read_table(folder / TABLE_NAME)
    told = read_measures(folder / MEASURES_NAME)
    gathered = _Gathered()
    plain = [row for row in rows if not row.study]
    for row in plain:
        _add_row(gathered, row, told)
    studies, virtual, method = len(rows) - len(plain), about.virtual, ""
    steps = len(rows) if not studies else 2 * len(rows)
    if studies:
        cohort = _read_images(folder, rules, lambda done, _: tell(done, steps))
        gathered.count("unusable", studies - (len(cohort.subjects) if cohort else 0))
        if cohort is not None:
            virtual = virtual or cohort.virtual
            method = _add_studies(gathered, cohort, told, rules, lambda done: tell(len(rows) + done, steps))
    tell(steps, steps)
    if not gathered.patients:
        raise Refused(Code.NO_USABLE_PATIENT, f"none of {len(rows)} patients has an outcome that can be used")
    counts = gathered.counts
    return _patients(about.name, virtual, gathered.patients), Origins(**counts, method=method)


def _add_row(gathered: _Gathered, row: Row, told: MeasureTable) -> None:
    """A patient without images."""
    pet = told.measures.get(row.patient_id)
    barred = {use for fault in row.faults for use in fault.bars}
    given: dict[Endpoint, Outcome | None] = {"pfs": row.pfs, "os": row.os}
    outcomes = {endpoint: None if endpoint in barred else one for endpoint, one in given.items()}
    wrong = any(fault.bars and fault.code is not Code.NO_FOLLOW_UP for fault in row.faults)
    if pet is None or (wrong and barred.issuperset(ENDPOINTS)):
        gathered.count("unusable")
    elif not any(outcomes.values()):
        gathered.count("without_outcome")
    else:
        gathered.count("table")
        content = _content(row.clinical, pet, outcomes)
        gathered.patients.append(_Patient(row.patient_id, content, row.centre, row.clinical, pet, outcomes))


def _content(clinical: ClinicalFactors, pet: PetMeasures, outcomes: Mapping[Endpoint, Outcome | None]) -> str:
    """Digest of all that is known of a patient without images; two patients alike in every digit are one."""
    known = {name: None if one is None else asdict(one) for name, one in outcomes.items()}
    text = json.dumps({"clinical": asdict(clinical), "pet": asdict(pet), **known}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_images(folder: Path, settings: Settings, progress: Progress) -> FolderCohort | None:
    """The part of the cohort that has images; None where none of it can be used."""
    try:
        return read_cohort(folder, settings, progress=progress)
    except Refused as fault:
        if fault.code is not Code.NO_USABLE_PATIENT:
            raise
        return None


def _add_studies(
    gathered: _Gathered, cohort: FolderCohort, told: MeasureTable, settings: Settings, tell: Callable[[int], None]
) -> str:
    """Patients with images; the method of the segmentation that was used, where one was."""
    measuring = Measuring.open(cohort, settings)
    for done, subject in enumerate(cohort.subjects, start=1):
        outcomes: dict[Endpoint, Outcome | None] = {"pfs": subject.pfs, "os": subject.os}
        if subject.patient_id in told.unusable:
            gathered.count("unusable")
        elif not any(outcomes.values()):
            gathered.count("without_outcome")
        else:
            pet, origin = _measured(subject.patient_id, told, measuring)
            gathered.count(origin)
            gathered.patients.append(
                _Patient(subject.patient_id, subject.content, subject.centre, subject.clinical, pet, outcomes)
            )
        tell(done)
    measuring.save()
    return measuring.method if gathered.counts.get("segmented") else ""


def _measured(patient_id: str, told: MeasureTable, measuring: Measuring) -> tuple[PetMeasures, str]:
    if (pet := told.measures.get(patient_id)) is not None:
        return pet, "table"
    try:
        return measuring.measure(patient_id)
    except Refused:
        # Counted and said; a cohort of hundreds is not lost for one study that cannot be read or segmented.
        return PetMeasures(), "unmeasured"


def _patients(name: str, virtual: bool, found: Sequence[_Patient]) -> Patients:
    ordered = sorted(found, key=lambda one: one.patient_id)
    return Patients(
        cohort=name,
        virtual=virtual,
        ids=tuple(one.patient_id for one in ordered),
        contents=tuple(one.content for one in ordered),
        centres=tuple(one.centre for one in ordered),
        clinical=tuple(one.clinical for one in ordered),
        pet=tuple(one.pet for one in ordered),
        outcomes={endpoint: tuple(one.outcomes[endpoint] for one in ordered) for endpoint in ENDPOINTS},
    )
