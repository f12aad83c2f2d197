"""New revisions: what a finished job is run again for, and what of it stays."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from nodal.audit import Trail
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Failed, WrongUsage
from nodal.findings import Review
from nodal.jobs.arrivals import job_id_of
from nodal.jobs.clinical import freeze, frozen
from nodal.jobs.model import JobRequest, JobView, Stage
from nodal.jobs.registry import Registry
from nodal.jobs.review import write_review
from nodal.jobs.tasks import Dispatcher, stage_task
from nodal.jobs.words import Word, read_words, write_words
from nodal.jobs.workspace import Workspace

__all__ = ["Revisions"]

log = structlog.get_logger()


class Revisions:
    """Revision n+1 of a job takes over, by hard links, what the stages before its first one have left."""

    def __init__(self, state_dir: Path, registry: Registry, trail: Trail, dispatcher: Dispatcher) -> None:
        self._state_dir = state_dir
        self._registry = registry
        self._trail = trail
        self._dispatcher = dispatcher

    def revise(
        self,
        view: JobView,
        cause: str,
        from_stage: Stage,
        clinical: PatientStatements | None = None,
        words: Sequence[Word] | None = None,
        review: Review | None = None,
    ) -> JobView:
        """A new revision of a job that begins at a stage.

        Args:
            clinical: what is now known of the patient; None leaves it as the job has it.
            words: all that people said of its candidates; None leaves them as the job has them.
            review: who accepts the results; it holds for this revision alone.

        Raises:
            WrongUsage: nothing is computed in that stage. Failed: JOB_STATE where the job is superseded, or is being
                revised at this moment; SOURCE_GONE where its folder is gone.
        """
        if from_stage is Stage.DELIVER:
            raise WrongUsage("deliver makes no new revision; retry sends again what did not arrive")
        if view.state == "superseded":
            raise Failed(Code.JOB_STATE, "rerun is not possible: the job is superseded; take the one that replaced it")
        jobs, older = self._registry.jobs, self.workspace(view.job_id)
        if not older.path("request.json").exists():
            raise Failed(Code.SOURCE_GONE, "the folder of this job is gone; send the study again")
        request = older.request()
        revision = jobs.next_revision(request.digest)
        request = replace(
            request,
            job_id=job_id_of(request.digest, revision),
            revision=revision,
            cause=cause,
            predecessor=view.job_id,
            from_stage=from_stage,
        )
        said = read_words(older) if words is None else words
        self._take_over(older, request, clinical or frozen(older), said, review)
        if not jobs.add(request, jobs.patient_key(view.job_id), view.orthanc_id):
            raise Failed(Code.JOB_STATE, "another re-run of this study began at this very moment")
        self._trail.record(
            "job_revised",
            job_id=request.job_id,
            study_instance_uid=request.study_instance_uid,
            predecessor=view.job_id,
            cause=cause,
            from_stage=from_stage,
        )
        self._dispatcher.start_task(stage_task("prepare", request.job_id, 0))
        log.info("job revised", job_id=request.job_id, cause=cause, from_stage=str(from_stage))
        return self._registry.jobs.view(request.job_id)

    def _take_over(
        self,
        older: Workspace,
        request: JobRequest,
        clinical: PatientStatements | None,
        words: Sequence[Word],
        review: Review | None,
    ) -> None:
        """A new folder with hard links to what the stages before ``from_stage`` left, where all of it is there."""
        part, target = self.workspace(f".{request.job_id}"), self.workspace(request.job_id)
        for folder in (part.root, target.root):
            shutil.rmtree(folder, ignore_errors=True)
        part.root.mkdir(parents=True)
        part.save_request(request)
        if clinical is not None:  # at once: the same record sent again shall find it here
            freeze(part, clinical)
        if words:
            write_words(part, words)
        if review is not None:
            write_review(part, review)
        self._registry.jobs.forget_stages(request.job_id)
        left = self._registry.jobs.stage_files(older.root.name)
        seconds = self._registry.jobs.view(older.root.name).stage_seconds
        for stage in list(Stage)[: list(Stage).index(request.from_stage)]:
            files = left.get(stage, ())
            if not files or not all(older.path(name).exists() for name in files):
                continue
            for name in files:
                part.path(name).parent.mkdir(parents=True, exist_ok=True)
                part.path(name).hardlink_to(older.path(name))
            self._registry.jobs.end_stage(request.job_id, stage, seconds[stage], files)
        part.root.rename(target.root)

    def workspace(self, name: str) -> Workspace:
        """A job's folder."""
        return Workspace(self._state_dir / "jobs" / name)
