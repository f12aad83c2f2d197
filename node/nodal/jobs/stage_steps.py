"""The steps of a job up to its result objects."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import structlog

from nodal.errors import Code, NodalError, Refused, SourceGone
from nodal.jobs.book import ENDED, UNFINISHED
from nodal.jobs.context import JobContext, Verdict, link_tree, log_fault
from nodal.jobs.given import CONTOUR_FILE, CONTOUR_NOTE
from nodal.jobs.model import JobRequest, JobState, Stage, StudySource
from nodal.jobs.results import OWN_ORTHANC
from nodal.jobs.review import REVIEW_FILE, read_review
from nodal.jobs.words import WORDS_FILE
from nodal.jobs.workspace import Workspace

__all__ = ["COMPUTED", "StageSteps"]

log = structlog.get_logger()

COMPUTED = tuple(stage for stage in Stage if stage is not Stage.DELIVER)
"""The stages that the pipeline runs; delivery is tried on its own, for hours if need be."""


class StageSteps:
    """Each method is one durable step: run to its end, it is never run again; killed, it is run from the start."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._jobs = context.registry.jobs

    def ensure_source(self, job_id: str, round_: int) -> Verdict:
        """Sees to it that what the unfinished stages read is there: earlier stages' files, and the images."""
        standing = self._jobs.standing(job_id)
        if standing.round != round_ or standing.state not in UNFINISHED:
            return self.stopped(job_id)
        workspace = self._context.workspace(job_id)
        lost = [
            stage
            for stage, files in self._jobs.stage_files(job_id).items()
            if not all(workspace.path(name).exists() for name in files)
        ]
        self._jobs.forget_stages(job_id, lost)
        if standing.finished.difference(lost).issuperset(COMPUTED):
            return Verdict.ON
        try:
            if not workspace.source.is_dir():
                self._bring_back(workspace)
            # what was said between the intake and the job's entry still counts for a job that has done nothing
            if round_ > 0 or workspace.request().revision > 0 or not standing.finished:
                self._context.pipeline.prepare(workspace, self._jobs.patient_key(job_id))
        except NodalError as error:
            return self._stop(job_id, round_, error, Stage.SELECT)
        except Exception as error:  # noqa: BLE001 - the job is failed and recorded
            return self._broken(job_id, round_, "fetch", error)
        return Verdict.ON

    def run(self, job_id: str, round_: int, stage: Stage) -> Verdict:
        """Runs one stage unless it is finished, or the job was stopped."""
        standing = self._jobs.standing(job_id)
        if standing.round == round_ and standing.state in UNFINISHED and stage in standing.finished:
            return Verdict.ON
        if not self._jobs.begin_stage(job_id, round_, stage):
            return self.stopped(job_id)
        workspace = self._context.workspace(job_id)
        self._context.trail.record("stage_begun", job_id=job_id, stage=stage)
        begun = time.perf_counter()
        try:
            self._context.pipeline.run_stage(stage, workspace)
        except NodalError as error:
            return self._stop(job_id, round_, error, stage)
        except Exception as error:  # noqa: BLE001 - the job is failed and recorded
            return self._broken(job_id, round_, f"stage {stage}", error)
        seconds = round(time.perf_counter() - begun, 3)
        self._jobs.end_stage(job_id, stage, seconds, self._left_by(job_id, workspace))
        return Verdict.ON

    def plan(self, job_id: str, round_: int) -> list[str]:
        """Enters what is to be delivered.

        Returns:
            The destinations to send to now; with ``after_review`` only the node's own Orthanc, for the reviewer,
            until a person has accepted.
        """
        standing = self._jobs.standing(job_id)
        if standing.round != round_ or standing.state not in (*UNFINISHED, "delivering", "awaiting_review"):
            self.stopped(job_id)
            return []
        workspace, registry = self._context.workspace(job_id), self._context.registry
        try:
            objects = self._context.pipeline.planned(workspace)
            summary = self._context.pipeline.summary(workspace)
        except Exception as error:  # noqa: BLE001 - the job is failed and recorded
            self._broken(job_id, round_, "planning the delivery", error)
            return []
        registry.deliveries.plan(job_id, objects)
        registry.memory.note_own(job_id, ((entry.sop_instance_uid, entry.sha256) for entry in objects))
        self._jobs.summarise(job_id, summary)
        review = self._context.delivery.release == "after_review" and read_review(workspace) is None
        to: JobState = "awaiting_review" if review else "delivering"
        if self._jobs.move(job_id, to, out_of=UNFINISHED, round_=round_, stage=Stage.DELIVER):
            self._context.trail.record(f"job_{to}", job_id=job_id, objects=len(objects))
        open_ = dict.fromkeys(entry.target for entry in registry.deliveries.undelivered(job_id))
        return [name for name in open_ if not review or name == OWN_ORTHANC]

    def give_up(self, job_id: str, round_: int, reason: str) -> None:
        """Fails a job that cannot go on: unreachable source, or killed again and again at the same place."""
        standing = self._jobs.standing(job_id)
        if self._jobs.move(job_id, "failed", out_of=UNFINISHED, round_=round_, code=Code.INTERNAL, message=reason):
            self._context.trail.record(
                "job_failed", outcome="failed", job_id=job_id, code=Code.INTERNAL, sentence=reason
            )
            log.error("job failed", job_id=job_id, stage=str(standing.stage), reason=reason)

    def stopped(self, job_id: str) -> Verdict:
        """The last word of a job that a person or a newer study has stopped."""
        if self._jobs.standing(job_id).state in ENDED:
            self._context.pipeline.tidy(self._context.workspace(job_id))
        return Verdict.STOP

    def _stop(self, job_id: str, round_: int, error: NodalError, stage: Stage) -> Verdict:
        if error.retry:
            log.warning("stage waits", job_id=job_id, stage=str(stage), code=str(error.code))
            return Verdict.AGAIN
        refused = isinstance(error, Refused | SourceGone)
        to: JobState = "refused" if refused else "failed"
        if self._jobs.move(job_id, to, out_of=UNFINISHED, round_=round_, code=error.code, message=error.message):
            self._context.trail.record(
                f"job_{to}",
                outcome="refused" if refused else "failed",
                job_id=job_id,
                code=error.code,
                sentence=error.message,
                stage=stage,
            )
            log.info("job stopped", job_id=job_id, state=to, code=str(error.code), stage=str(stage))
        return self.stopped(job_id)

    def _broken(self, job_id: str, round_: int, where: str, error: Exception) -> Verdict:
        self.give_up(job_id, round_, log_fault(where, error, job_id=job_id))
        return Verdict.STOP

    def _left_by(self, job_id: str, workspace: Workspace) -> list[str]:
        """Every file of the job that no earlier stage has left: what this stage wrote."""
        earlier = {name for files in self._jobs.stage_files(job_id).values() for name in files}
        return [name for name in _files(workspace) if name not in earlier]

    def _bring_back(self, workspace: Workspace) -> None:
        """Takes the images from the predecessor, or fetches them again and checks that they are the same."""
        request, part = workspace.request(), workspace.path(".source")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        older = self._context.workspace(request.predecessor) if request.predecessor else None
        if older is None or not older.source.is_dir() or older.request().digest != request.digest:
            self._fetch_again(request, part)
            if self._context.pipeline.admit(part).digest != request.digest:
                shutil.rmtree(part)
                raise SourceGone("the study in the archive is no longer the one that this job measured; send it anew")
        else:
            link_tree(older.source, part)
        part.rename(workspace.source)

    def _fetch_again(self, request: JobRequest, part: Path) -> None:
        """From where the study came, or from the node's own Orthanc, which may have got it as well."""
        orthanc_id = self._jobs.orthanc_id(request.job_id)
        try:
            if not self._context.pipeline.has_images(request.source):  # a spool that holds but a later contour
                raise SourceGone("the images of this study are no longer there; send the study again")
            self._context.pipeline.fetch(request.source, part)
        except SourceGone:
            if orthanc_id is None or request.source.kind == "orthanc":
                raise
            self._context.pipeline.fetch(StudySource("orthanc", orthanc_id=orthanc_id), part)


def _files(workspace: Workspace) -> list[str]:
    given = {"request.json", "admission.json", "clinical.json", WORDS_FILE, REVIEW_FILE, CONTOUR_FILE, CONTOUR_NOTE}
    names = (path.relative_to(workspace.root) for path in sorted(workspace.root.rglob("*")) if path.is_file())
    kept = (name for name in names if name.parts[0] != "source" and not _hidden(name))
    return [str(name) for name in kept if str(name) not in given]


def _hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)
