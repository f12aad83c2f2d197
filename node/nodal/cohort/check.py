"""Who of a cohort can be used for what, and why the others cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lymphoma.training.case import Outcome

from nodal.cohort.about import About
from nodal.cohort.examine import examine
from nodal.cohort.index import Index
from nodal.cohort.model import ALL_USES, CohortReport, Fault, ImageFacts, PatientReport, Use
from nodal.cohort.sources import sources_of
from nodal.cohort.summary import summarise
from nodal.cohort.table import Row, read_table
from nodal.errors import Code, WrongUsage
from nodal.settings import Settings

__all__ = ["TABLE_NAME", "check_cohort"]

TABLE_NAME = "cohort.csv"
SAVED_EVERY = 20
"""Patients after which a check that is stopped need not begin again; 20 DICOM studies are read in about two minutes."""


def check_cohort(
    folder: Path,
    settings: Settings | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> CohortReport:
    """Reads the table and every patient's files; a patient's images only where they are new or changed.

    Args:
        settings: how far PET headers may be read; None takes the defaults.
        progress: called with (rows done, rows in all).

    Raises:
        WrongUsage: no such folder. Refused: COHORT_TABLE, the table as a whole cannot be read.
    """
    if not folder.is_dir():
        raise WrongUsage(f"{folder} is not a folder")
    about, rows = About.read(folder), read_table(folder / TABLE_NAME)
    rules, index = settings or Settings(), Index.open(folder)
    patients: list[PatientReport] = []
    for done, row in enumerate(rows):
        if progress is not None:
            progress(done, len(rows))
        patients.append(_patient(row, folder, index, rules))
        if done % SAVED_EVERY == SAVED_EVERY - 1:
            index.save()
    if progress is not None:
        progress(len(rows), len(rows))
    index.save(patient.content for patient in patients)
    judged = tuple(_judged(patient) for patient in _without_shared_images(patients))
    virtual = about.virtual or any(patient.images.virtual for patient in judged)
    return CohortReport(folder, about.name, about.note, virtual, judged, summarise(judged))


def _patient(row: Row, folder: Path, index: Index, settings: Settings) -> PatientReport:
    facts, content = ImageFacts(), ""
    if not any(fault.code is Code.ROW_UNREADABLE for fault in row.faults):
        facts, content = _examined(row, folder, index, settings)
    return PatientReport(
        line=row.line,
        patient_id=row.patient_id,
        centre=row.centre,
        uses=(),
        faults=(*row.faults, *facts.faults),
        clinical=row.clinical,
        pfs=row.pfs,
        os=row.os,
        images=facts,
        content=content,
    )


def _examined(row: Row, folder: Path, index: Index, settings: Settings) -> tuple[ImageFacts, str]:
    """What is found in the files, and the digest of their content; both from the index where nothing changed."""
    sources = sources_of(row, folder)
    if not row.study or not sources.study.is_dir():
        return ImageFacts((Fault(Code.STUDY_MISSING, "the study's folder is not there"),)), ""
    try:
        content = sources.content(index, settings)
    except OSError as error:
        said = f"a file of the study cannot be read ({error.strerror})"
        return ImageFacts((Fault(Code.PIXELS_UNREADABLE, said),)), ""
    facts = index.facts(content)
    if facts is None:
        facts = examine(sources, settings)
        index.keep(content, facts)
    return facts, content


def _without_shared_images(patients: Sequence[PatientReport]) -> list[PatientReport]:
    """Two patients of the same images are one, or a mistake; in two folds they would leak from one to the other."""
    times = Counter(patient.images.images or "" for patient in patients)
    del times[""]
    said = Fault(Code.STUDY_DUPLICATE, "another row has the same PET and CT")
    return [
        replace(patient, faults=(*patient.faults, said)) if times[patient.images.images or ""] > 1 else patient
        for patient in patients
    ]


def _judged(patient: PatientReport) -> PatientReport:
    """With what the patient can be used for; whatever is barred has its reason."""
    barred = {use for fault in patient.faults for use in fault.bars}
    if not patient.images.has_reference and "segmentation" not in barred:
        named = Fault(Code.REFERENCE_MISSING, "the row names no contour", ("segmentation",))
        patient = replace(patient, faults=(*patient.faults, named))
    has: dict[Use, bool | Outcome | None] = {
        "segmentation": patient.images.has_reference,
        "pfs": patient.pfs,
        "os": patient.os,
    }
    return replace(patient, uses=tuple(use for use in ALL_USES if has[use] and use not in barred))
