"""A cohort folder as the training sees it: small subjects in memory, one patient's arrays at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lymphoma.anatomy.organs import Anatomy
from lymphoma.training.case import Case, Subject

from nodal.cohort.check import TABLE_NAME, check_cohort
from nodal.cohort.examine import reference_of
from nodal.cohort.images import StudyImages, read_images, read_organs, upright
from nodal.cohort.index import Index
from nodal.cohort.model import CohortReport, PatientReport, Use
from nodal.cohort.sources import Sources, sources_of
from nodal.cohort.table import read_table
from nodal.errors import Code, Failed, Refused
from nodal.settings import Settings

__all__ = ["FolderCohort", "read_cohort"]


@dataclass(frozen=True)
class FolderCohort:
    """A :class:`lymphoma.training.case.Cohort` of a folder that was checked; made by :func:`read_cohort`.

    Attributes:
        report: of the check. sources: patient id -> files.
    """

    report: CohortReport
    sources: dict[str, Sources]
    settings: Settings = field(default_factory=Settings)

    @property
    def name(self) -> str:
        """What the cohort is called in reports and cards."""
        return self.report.name

    @property
    def note(self) -> str:
        """What a reader must know of the cohort; empty where nothing was said."""
        return self.report.note

    @property
    def virtual(self) -> bool:
        """Whether any of its patients is simulated."""
        return self.report.virtual

    @cached_property
    def subjects(self) -> Sequence[Subject]:
        """All patients usable for anything, in ascending order of id, whatever the order of the rows."""
        usable = sorted((p for p in self.report.patients if p.uses), key=lambda patient: patient.patient_id)
        return tuple(_subject(patient) for patient in usable)

    def usable_for(self, use: Use) -> tuple[Subject, ...]:
        """The subjects that can serve one purpose, in the order of :attr:`subjects`."""
        able = {patient.patient_id for patient in self.report.patients if use in patient.uses}
        return tuple(subject for subject in self.subjects if subject.patient_id in able)

    @cached_property
    def with_lesions(self) -> dict[str, bool]:
        """Patient id -> whether the reference shows a lesion, of those usable for segmentation."""
        return {p.patient_id: bool(p.images.lesions) for p in self.report.patients if "segmentation" in p.uses}

    def load(self, subject: Subject) -> Case:
        """Reads one patient's arrays; lesions are there where he or she is usable for segmentation.

        Raises:
            Failed: COHORT_CHANGED, the files are no longer those that were checked.
            KeyError: not one of the subjects.
        """
        patient = self._usable[subject.patient_id]
        sources = self.sources[subject.patient_id]
        self._check_unchanged(sources, subject)
        images = read_images(sources.study, self.settings)
        lesions = reference_of(sources, images)[0] if "segmentation" in patient.uses else None
        anatomy = _anatomy(sources, images)
        return Case(
            subject=subject,
            suv=upright(images.suv),
            ct_hu=upright(images.ct_hu),
            lesions=None if lesions is None else upright(lesions),
            anatomy=anatomy,
        )

    @cached_property
    def _usable(self) -> dict[str, PatientReport]:
        return {patient.patient_id: patient for patient in self.report.patients if patient.uses}

    @cached_property
    def _index(self) -> Index:
        return Index.open(self.report.folder)

    def _check_unchanged(self, sources: Sources, subject: Subject) -> None:
        try:
            content = sources.content(self._index, self.settings)
        except OSError as fault:
            raise Failed(Code.COHORT_CHANGED, "a patient's files can no longer be read; check the cohort") from fault
        if content != subject.content:
            raise Failed(Code.COHORT_CHANGED, "a patient's files changed since the cohort was read; check it again")


def read_cohort(
    folder: Path,
    settings: Settings | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> FolderCohort:
    """Checks a cohort folder and makes it loadable; quick where it was checked before and nothing changed.

    Args:
        settings, progress: as of :func:`nodal.cohort.check.check_cohort`.

    Raises:
        WrongUsage: no such folder. Refused: COHORT_TABLE; NO_USABLE_PATIENT.
    """
    rules = settings or Settings()
    report = check_cohort(folder, rules, progress=progress)
    if not report.summary.usable:
        raise Refused(Code.NO_USABLE_PATIENT, f"none of {report.summary.rows} patients can be used")
    rows = {row.patient_id: row for row in read_table(folder / TABLE_NAME)}
    usable = (patient.patient_id for patient in report.patients if patient.uses)
    return FolderCohort(report, {name: sources_of(rows[name], folder) for name in usable}, rules)


def _subject(patient: PatientReport) -> Subject:
    return Subject(
        patient_id=patient.patient_id,
        centre=patient.centre,
        clinical=patient.clinical,
        pfs=patient.pfs if "pfs" in patient.uses else None,
        os=patient.os if "os" in patient.uses else None,
        content=patient.content,
    )


def _anatomy(sources: Sources, images: StudyImages) -> Anatomy:
    """The organs given beside the study; none where there are none, or where the check found them unreadable."""
    if sources.organs is None:
        return Anatomy("none")
    try:
        found = read_organs(sources.organs, images)
    except Refused:
        return Anatomy("none")
    return found if found.organs is None else Anatomy(found.engine, upright(found.organs), found.names)
