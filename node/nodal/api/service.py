"""What the HTTP interface needs of the node: the service of the jobs, as a protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from nodal.clinical.statements import PatientStatements
from nodal.jobs.clinical import ClinicalView
from nodal.jobs.decisions import Decision
from nodal.jobs.difference import Difference
from nodal.jobs.model import IntakeView, JobView, Stage, StudySource
from nodal.jobs.service import Health

__all__ = ["Announce", "NodeApi"]

Announce = Callable[[str], IntakeView | None]
"""Takes Orthanc's id of a study that the plugin calls stable; None when it holds nothing new."""


class NodeApi(Protocol):
    """``nodal.jobs.service.NodeService``. An unknown job raises JOB_UNKNOWN, an unfit state JOB_STATE."""

    def submit(self, source: StudySource, reason: str, study_instance_uid: str | None = None) -> IntakeView:
        """Enters a study; durable when this returns."""

    def intakes(self, study_instance_uid: str | None = None) -> Sequence[IntakeView]:
        """Studies announced or received, newest first."""

    def jobs(self, study_instance_uid: str | None = None) -> Sequence[JobView]:
        """Jobs, newest first."""

    def job(self, job_id: str) -> JobView:
        """One job."""

    def retry(self, job_id: str) -> JobView:
        """Tries a failed, refused or parked job again."""

    def cancel(self, job_id: str) -> JobView:
        """Stops a job."""

    def accept(self, job_id: str, observer: str) -> JobView:
        """A new revision whose report is verified by the person of this name, and leaves for every destination."""

    def reject(self, job_id: str) -> JobView:
        """Keeps results from leaving."""

    def rerun(self, job_id: str, from_stage: Stage) -> JobView:
        """A new revision that begins at a stage."""

    def decide(self, job_id: str, decision: Decision, by: str) -> JobView:
        """A new revision in which a candidate is what a person says; CANDIDATE_UNKNOWN where there is none."""

    def correct(self, job_id: str, contour: bytes, by: str) -> JobView:
        """A new revision with the lesions of a contour; CONTOUR_* where it is not one of this job's images."""

    def difference(self, job_id: str) -> Difference:
        """What a job changed of the one that it replaced; JOB_STATE where one of the two has no findings."""

    def put_clinical(self, patient: PatientStatements, by: str) -> Sequence[JobView]:
        """Stores a patient's record in place of what callers sent before; the new revisions that it caused."""

    def put_statements(self, patient: PatientStatements, *, replace_source: bool) -> Sequence[JobView]:
        """Adds what a source says of a patient; the new revisions that it caused."""

    def clinical(self, patient_key: str, study_date: str | None = None) -> ClinicalView:
        """What is known of a patient, and the record for the scan of that day, or the last one."""

    def health(self) -> Health:
        """How the node is."""
