"""The steps of an intake: take the study as it is now, select, digest, and enter a job or a refusal."""

from __future__ import annotations

import shutil
from dataclasses import asdict

import structlog

from nodal.errors import Code, NodalError
from nodal.jobs.context import JobContext, Verdict, log_fault
from nodal.jobs.contour_steps import ContourSteps
from nodal.jobs.model import IntakeView, JobRequest, job_id_of
from nodal.jobs.pipeline import Admission

__all__ = ["ArrivalSteps"]

log = structlog.get_logger()

ADMISSION = "admission.json"
"""In a job's folder: what its intake found out."""


class ArrivalSteps:
    """Each method is one durable step: run to its end, it is never run again; killed, it is run from the start."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._registry = context.registry
        self.contours = ContourSteps(context)

    def fetch(self, intake_id: str) -> Verdict:
        """Brings the study, as it is at this instant, into the intake's folder."""
        intake = self._registry.intakes.view(intake_id)
        if intake.state != "waiting":
            return Verdict.STOP
        self._registry.intakes.begin(intake_id)
        workspace = self._context.intake_workspace(intake_id)
        shutil.rmtree(workspace.root, ignore_errors=True)
        workspace.source.mkdir(parents=True)
        try:
            self._context.pipeline.fetch(intake.source, workspace.source)
        except NodalError as error:
            if error.retry:
                self._registry.intakes.delay(intake_id, error.code, error.message)
                return Verdict.AGAIN
            return self._refuse(intake, error.code, error.message)
        except Exception as error:  # noqa: BLE001 - the intake is refused and recorded
            return self._refuse(intake, Code.INTERNAL, log_fault("fetch", error, intake_id=intake_id))
        return Verdict.ON

    def admit(self, intake_id: str) -> str | None:
        """Selects and takes the digest.

        Returns:
            The job to start, which may be one that was started before: the study's own, or the revision that a
            corrected contour among its instances begins. None when the study was refused.
        """
        intake = self._registry.intakes.view(intake_id)
        workspace = self._context.intake_workspace(intake_id)
        if intake.state == "refused":
            return None
        if workspace.source.is_dir():
            try:
                admission = self._context.pipeline.admit(workspace.source)
            except NodalError as error:
                if error.code is Code.NO_PET and (job_id := self._contours_alone(intake)) is not None:
                    return job_id
                self._refuse(intake, error.code, error.message)
                return None
            except Exception as error:  # noqa: BLE001 - the intake is refused and recorded
                self._refuse(intake, Code.INTERNAL, log_fault("select", error, intake_id=intake_id))
                return None
            return self._take(intake, admission)
        # killed after the folder became the job's: what is left is to enter it
        job_id = self._registry.intakes.intended(intake_id)
        if job_id is None:
            return None
        if self._context.workspace(job_id).path(ADMISSION).exists():
            self._enter(intake_id, job_id)
        return self._corrected(job_id)

    def give_up(self, intake_id: str) -> None:
        """Refuses an intake whose source could not be reached for as long as the node keeps trying."""
        intake = self._registry.intakes.view(intake_id)
        if intake.state == "waiting":
            self._refuse(intake, Code(intake.code or Code.UNREACHABLE), intake.message or "the source does not answer")

    def _take(self, intake: IntakeView, admission: Admission) -> str:
        study, job_id = admission.study_instance_uid, job_id_of(admission.digest, 0)
        workspace, target = self._context.intake_workspace(intake.intake_id), self._context.workspace(job_id)
        self.contours.note(self.contours.foreign(workspace.source, study), intake.source, intake.intake_id)
        if self._registry.jobs.known(job_id):
            self._registry.intakes.select(intake.intake_id, job_id, study)
            if intake.source.orthanc_id is not None:
                self._registry.jobs.note_orthanc(job_id, intake.source.orthanc_id)
            shutil.rmtree(workspace.root, ignore_errors=True)
            record = self._context.trail.record
            record("study_known", job_id=job_id, intake_id=intake.intake_id, study_instance_uid=study)
            return self._corrected(job_id)
        predecessor = self._registry.jobs.latest_of_study(study)
        workspace.save_request(
            JobRequest(job_id, admission.digest, 0, "intake", study, intake.source, predecessor=predecessor)
        )
        workspace.write_json(ADMISSION, asdict(admission))
        self._context.pipeline.prepare(workspace, admission.patient_key)
        self._registry.intakes.intend(intake.intake_id, job_id)
        target.root.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target.root, ignore_errors=True)
        workspace.root.rename(target.root)
        self._enter(intake.intake_id, job_id)
        return self._corrected(job_id)

    def _contours_alone(self, intake: IntakeView) -> str | None:
        """A workstation sends the contour, not the study again: the job to start where the study has one.

        None where nothing in the intake is a contour, or the study has never been here.
        """
        workspace = self._context.intake_workspace(intake.intake_id)
        found = self._context.pipeline.contours(workspace.source)
        study = intake.study_instance_uid or next((one.study_instance_uid for one in found), "")
        job_id = self._registry.jobs.latest_of_study(study)
        if not found or job_id is None:
            return None
        self.contours.note(self.contours.foreign(workspace.source, study), intake.source, intake.intake_id)
        self._registry.intakes.select(intake.intake_id, job_id, study)
        shutil.rmtree(workspace.root, ignore_errors=True)
        self._context.trail.record(
            "study_known", job_id=job_id, intake_id=intake.intake_id, study_instance_uid=study, contours=len(found)
        )
        return self._corrected(job_id)

    def _corrected(self, job_id: str) -> str:
        """Takes up a contour that waits for the study of a job; the study's newest job, which this may have entered."""
        study = self._registry.jobs.view(job_id).study_instance_uid
        self.contours.take_up(study)
        return self._registry.jobs.latest_of_study(study) or job_id

    def _enter(self, intake_id: str, job_id: str) -> None:
        workspace = self._context.workspace(job_id)
        request, admission = workspace.request(), Admission(**workspace.read_json(ADMISSION))
        added = self._registry.jobs.add(request, admission.patient_key, request.source.orthanc_id)
        study = admission.study_instance_uid
        self._registry.intakes.select(intake_id, job_id, study)
        self._registry.memory.note_study(admission.patient_key, study, admission.study_date)
        if added:
            record = self._context.trail.record
            record("study_selected", job_id=job_id, intake_id=intake_id, study_instance_uid=study)
            if request.predecessor is not None:
                record("job_superseded", job_id=request.predecessor, by=job_id, study_instance_uid=study)
            log.info("job entered", job_id=job_id, intake_id=intake_id)
        if request.predecessor is not None:
            self.contours.await_again(request.predecessor)

    def _refuse(self, intake: IntakeView, code: Code, message: str) -> Verdict:
        self._registry.intakes.refuse(intake.intake_id, code, message)
        shutil.rmtree(self._context.intake_workspace(intake.intake_id).root, ignore_errors=True)
        self._context.trail.record(
            "study_refused",
            outcome="refused",
            intake_id=intake.intake_id,
            study_instance_uid=intake.study_instance_uid,
            code=code,
            sentence=message,
            source=intake.source.kind,
        )
        log.info("study refused", intake_id=intake.intake_id, code=str(code))
        return Verdict.STOP
