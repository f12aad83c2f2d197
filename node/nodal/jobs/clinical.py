"""The clinical record of a job: its statements are frozen into the job's folder, the record is made of them there.

A job shall be the same when it is run again after a kill, so that it reads what was known when it began, not what is
known now. A record that changes afterwards makes a new revision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import Dataset

from nodal.clinical.combine import record_of
from nodal.clinical.file import beside_or_note
from nodal.clinical.record import ClinicalRecord, Source, Statement, Unusable
from nodal.clinical.statements import PatientStatements
from nodal.clinical.stored import from_plain, to_plain
from nodal.dicom.patient import statements_of_header
from nodal.jobs.model import Stage
from nodal.jobs.workspace import Workspace

__all__ = [
    "ClinicalView",
    "freeze",
    "frozen",
    "known_later",
    "known_now",
    "record_of_study",
    "stage_to_rerun",
    "view_of",
]

FROZEN = "clinical.json"
_OF_THE_REGISTRY: tuple[Source, ...] = ("api", "fhir", "hl7")


@dataclass(frozen=True)
class ClinicalView:
    """All that the node knows of a patient.

    Attributes:
        study_date: DA of the scan that the record is made for; None where none is known.
        record: without what headers and files beside studies say: these belong to each study's findings.
        statements, unusable: of every source, oldest first.
    """

    study_date: str | None
    record: ClinicalRecord
    statements: tuple[Statement, ...]
    unusable: tuple[Unusable, ...]


def view_of(patient: PatientStatements, study_date: str | None) -> ClinicalView:
    """What is known, and the record that it makes for a scan of that day."""
    record = record_of(patient.statements, patient.unusable, study_date=study_date)
    return ClinicalView(study_date, record, patient.statements, patient.unusable)


def freeze(workspace: Workspace, patient: PatientStatements) -> None:
    """Writes what is known into the job."""
    workspace.write_json(FROZEN, to_plain(replace(patient, patient_key="")))


def frozen(workspace: Workspace) -> PatientStatements | None:
    """What was known when the job began; None for a folder that was not prepared."""
    return from_plain("", workspace.read_json(FROZEN)) if workspace.path(FROZEN).exists() else None


def known_now(stored: PatientStatements, source: Path, earlier: Sequence[Workspace] = ()) -> PatientStatements:
    """What the registry and a file beside the study say.

    Args:
        source: folder with the study's instances.
        earlier: this job's folder and its predecessor's: images fetched from an archive come without the file, and
            what it said then still holds.
    """
    beside = beside_or_note(source)
    if beside is None:
        beside = next((_of_file(known) for known in map(frozen, earlier) if known is not None), PatientStatements(""))
    return _joined(stored, beside)


def known_later(workspace: Workspace, stored: PatientStatements) -> PatientStatements:
    """What a job would begin with if it began now: what the registry says, and the file beside the study said."""
    return _joined(stored, _of_file(frozen(workspace) or PatientStatements("")))


def _joined(stored: PatientStatements, beside: PatientStatements) -> PatientStatements:
    return replace(
        stored,
        statements=(*stored.statements, *beside.statements),
        unusable=(*stored.unusable, *beside.unusable),
    )


def _of_file(known: PatientStatements) -> PatientStatements:
    return replace(
        known,
        statements=tuple(one for one in known.statements if one.source not in _OF_THE_REGISTRY),
        unusable=tuple(one for one in known.unusable if one.source not in _OF_THE_REGISTRY),
    )


def record_of_study(known: PatientStatements, header: Dataset) -> ClinicalRecord:
    """The record of one study: what is known of the patient, and what the study's own header says."""
    told = statements_of_header(header)
    return record_of(
        (*told.statements, *known.statements),
        (*told.unusable, *known.unusable),
        study_date=str(header.get("StudyDate", "") or "") or None,
    )


def stage_to_rerun(workspace: Workspace, known: PatientStatements, study_date: str | None) -> Stage | None:
    """Where a job must begin again for what is known now; None where its record stays as it is.

    The time point takes part in the selection; everything else is first read by the prognosis. When a statement was
    entered is no change.
    """
    then = frozen(workspace) or PatientStatements("")
    before = record_of(then.statements, then.unusable, study_date=study_date)
    after = record_of(known.statements, known.unusable, study_date=study_date)
    if _without_entry(before) == _without_entry(after):
        return None
    return Stage.PROGNOSIS if before.timepoint == after.timepoint else Stage.SELECT


def _without_entry(record: ClinicalRecord) -> ClinicalRecord:
    unusable = tuple(replace(one, entered_at="") for one in record.unusable)
    return replace(record, entered_at=None, unusable=unusable)
