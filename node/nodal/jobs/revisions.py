"""New revisions: what a finished job is run again for, and what of it stays."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from nodal.audit import Trail
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Failed, WrongUsage
from nodal.findings import Review
from nodal.jobs.clinical import freeze, frozen
from nodal.jobs.given import CONTOUR_FILE, GivenContourFile, copy_durably, read_note, write_note
from nodal.jobs.model import JobRequest, JobView, Stage, job_id_of
from nodal.jobs.registry import Registry
from nodal.jobs.review import write_review
from nodal.jobs.tasks import Dispatcher, stage_task
from nodal.jobs.words import Word, read_words, write_words
from nodal.jobs.workspace import Workspace

__all__ = ["Inputs", "Revisions"]

log = structlog.get_logger()


@dataclass(frozen=True)
class Inputs:
    """What a revision is given beside what the job before it had; see :meth:`Revisions.revise`."""

    clinical: PatientStatements | None = None
    words: Sequence[Word] | None = None
    review: Review | None = None
    contour: tuple[Path, GivenContourFile] | None = None


def _give(part: Workspace, older: Workspace, inputs: Inputs) -> None:
    """Writes what people and other systems said into a new job's folder, on disk before the job is entered."""
    clinical = inputs.clinical or frozen(older)
    words = read_words(older) if inputs.words is None else inputs.words
    if clinical is not None:  # at once: the same record sent again shall find it here
        freeze(part, clinical)
    if words:
        write_words(part, words)
    if inputs.review is not None:
        write_review(part, inputs.review)
    if inputs.contour is not None:
        path, note = inputs.contour
        copy_durably(path, part.path(CONTOUR_FILE))
        write_note(part, note)
    elif (note_before := read_note(older)) is not None:
        part.path(CONTOUR_FILE).hardlink_to(older.path(CONTOUR_FILE))
        write_note(part, note_before)


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
        contour: tuple[Path, GivenContourFile] | None = None,
    ) -> JobView:
        """A new revision of a job that begins at a stage.

        Args:
            clinical: what is now known of the patient; None leaves it as the job has it.
            words: all that people said of its candidates; None leaves them as the job has them.
            review: who accepts the results; it holds for this revision alone.
            contour: a corrected contour, copied before the revision is entered; None leaves the job's own, if any.

        Raises:
            WrongUsage: nothing is computed in that stage. Failed: JOB_STATE where the job is superseded, or is being
                revised at this moment; SOURCE_GONE where its folder is gone.
        """
        entered = self.enter(view, cause, from_stage, Inputs(clinical, words, review, contour))
        self._dispatcher.start_task(stage_task("prepare", entered.job_id, 0))
        return entered

    def enter(self, view: JobView, cause: str, from_stage: Stage, inputs: Inputs) -> JobView:
        """As :meth:`revise`, but somebody else starts it: inside a durable step no work may be started."""
        with self._registry.jobs.revising:
            return self._enter(view, cause, from_stage, inputs)

    def _enter(self, view: JobView, cause: str, from_stage: Stage, inputs: Inputs) -> JobView:
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
            reference=request.reference if inputs.contour is None else Path(CONTOUR_FILE),
        )
        self._take_over(older, request, inputs)
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
        log.info("job revised", job_id=request.job_id, cause=cause, from_stage=str(from_stage))
        return self._registry.jobs.view(request.job_id)

    def _take_over(self, older: Workspace, request: JobRequest, inputs: Inputs) -> None:
        """A new folder with hard links to what the stages before the first one left, where all of it is there."""
        part, target = self.workspace(f".{request.job_id}"), self.workspace(request.job_id)
        for folder in (part.root, target.root):
            shutil.rmtree(folder, ignore_errors=True)
        part.root.mkdir(parents=True)
        part.save_request(request)
        _give(part, older, inputs)
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
