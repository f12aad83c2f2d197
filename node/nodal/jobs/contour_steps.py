"""Contours that come back: noted with the study that they came with, taken up when there are results to correct.

    noted       with its study      own object, known already: nothing · no correction: passed over, with the reason
    waiting     in contours/        until the study's newest job has results; survives kills, and the spool's clean-up
    taken       a new revision      from the segment stage on, with the contour in its folder
    refused     with a code         it was drawn on something else, or cannot be read; the job stands as it is

Nothing here starts work: it is done inside a durable step, or by the sweep, which start what is returned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import structlog

from nodal.dicom.contour_header import ContourHeader
from nodal.errors import Code, NodalError, Refused, Unreachable
from nodal.jobs.book import UNFINISHED
from nodal.jobs.context import JobContext, log_fault
from nodal.jobs.contours import ContourView
from nodal.jobs.corrections import FOREIGN, Own, refers_to_own, why_correction
from nodal.jobs.given import CONTOUR_FILE, GivenContourFile, copy_durably, read_note
from nodal.jobs.identity import known_lesions
from nodal.jobs.model import JobView, Stage, StudySource
from nodal.jobs.revisions import Inputs, Revisions
from nodal.jobs.tasks import Task
from nodal.report.uids import series_uid

__all__ = ["RESULTS", "ContourSteps", "own_of"]

log = structlog.get_logger()

RESULTS = "objects.json"
"""In the folder of every job that has results: before, there is nothing to correct."""

LATER = "a contour of the same lesions that was made later came with it"
SAME = "it marks the lesions as they are"
NO_IMAGES = "the images are no longer there; send the study again, and the contour with it"


_LOOKED_AT_AGAIN = (FOREIGN, NO_IMAGES)
"""Passed over for what may have changed when the same object comes again: the settings, or the images are back."""


class _Nobody:
    """Starts nothing."""

    def start_task(self, task: Task) -> None:
        """Whoever asked starts it."""


class ContourSteps:
    """What is done with contours; run again after a kill, everything here comes out the same."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._registry = context.registry
        self._revisions = Revisions(context.state_dir, context.registry, context.trail, _Nobody())

    def foreign(self, folder: Path, study_instance_uid: str) -> list[ContourHeader]:
        """The contours of a study in a folder that this node did not make."""
        found = self._context.pipeline.contours(folder)
        own = self._registry.memory.is_own
        return [one for one in found if one.study_instance_uid == study_instance_uid and not own(one.sop_instance_uid)]

    def note(self, contours: Iterable[ContourHeader], source: StudySource, intake_id: str) -> None:
        """Looks at every contour that was not looked at before; corrections wait from now on."""
        for contour in contours:
            digest = self._digest(contour.path)
            known = self._registry.contours.find(digest)
            if known is not None and known.reason not in _LOOKED_AT_AGAIN:
                continue
            view = self._judged(contour, digest, self._calling_ae(source, contour))
            if view.state == "waiting":
                copy_durably(contour.path, self._context.contour(digest))
            if self._registry.contours.put(view):
                self._record(f"contour_{'received' if view.state == 'waiting' else view.state}", view, intake_id)

    def take_up(self, study_instance_uid: str | None = None) -> list[str]:
        """Enters a revision for every study that has results and a correction of them waiting.

        Returns:
            the jobs to start.
        """
        waiting = sorted(
            self._registry.contours.waiting(study_instance_uid), key=lambda one: one.study_instance_uid
        )  # stable: within a study the latest made stays last
        begun = []
        for study, views in groupby(waiting, key=lambda one: one.study_instance_uid):
            with self._registry.jobs.revising:
                job = self._take_up(study, list(views))
            begun += [job.job_id] if job is not None else []
        return begun

    def await_again(self, predecessor: str) -> None:
        """Lets the contour of a job wait for the results of the job that another content of the study begins."""
        workspace = self._context.workspace(predecessor)
        note = read_note(workspace)
        if note is not None:
            copy_durably(workspace.path(CONTOUR_FILE), self._context.contour(note.digest))
            self._registry.contours.await_again(note.digest)

    def _digest(self, path: Path) -> str:
        try:
            return self._context.pipeline.contour_digest(path)
        except Refused:  # what does not decode is known by its bytes; reading it will say why
            return hashlib.sha256(path.read_bytes()).hexdigest()

    def _calling_ae(self, source: StudySource, contour: ContourHeader) -> str | None:
        if not self._context.accept_from:
            return None
        try:
            return self._context.pipeline.calling_ae(source, contour)
        except Unreachable:  # passed over if nothing else speaks for it, and looked at again when it comes again
            return None

    def _judged(self, contour: ContourHeader, digest: str, caller: str | None) -> ContourView:
        own = own_of(self._context, contour.study_instance_uid)
        why = why_correction(contour, own, caller, self._context.accept_from)
        return ContourView(
            digest,
            contour.sop_instance_uid,
            contour.study_instance_uid,
            contour.instant,
            caller,
            "passed_over" if why is None else "waiting",
            why or FOREIGN,
            refers_to_own(contour, own),
        )

    def _take_up(self, study: str, views: list[ContourView]) -> JobView | None:
        job_id = self._registry.jobs.latest_of_study(study)
        if job_id is None:
            return None
        job, workspace = self._registry.jobs.view(job_id), self._context.workspace(job_id)
        drawn_by = read_note(workspace)
        for view in [one for one in views if drawn_by is not None and one.digest == drawn_by.digest]:
            # killed after the revision was entered
            self._settle(replace(view, state="taken", job_id=job_id))
            views.remove(view)
        if job.state in UNFINISHED or not workspace.path(RESULTS).exists():
            return None
        taken: JobView | None = None
        for view in reversed(views):
            if taken is None:
                taken = self._taken_by(job, view)
            else:
                self._settle(replace(view, state="passed_over", reason=LATER))
        return taken

    def _taken_by(self, job: JobView, view: ContourView) -> JobView | None:
        """The revision that a contour begins; None where it is refused, changes nothing or must wait."""
        workspace, path = self._context.workspace(job.job_id), self._context.contour(view.digest)
        try:
            if not workspace.source.is_dir() and not self._has_images(job):
                self._settle(replace(view, state="passed_over", reason=NO_IMAGES), Code.SOURCE_GONE)
                return None
            if not self._context.pipeline.check_contour(workspace, path, may_be_empty=view.own):
                self._settle(replace(view, state="passed_over", reason=SAME))
                return None
            given = GivenContourFile(view.sop_instance_uid, view.digest, view.reason or "", view.caller or "archive")
            revised = self._revisions.enter(job, "correction", Stage.SEGMENT, Inputs(contour=(path, given)))
        except NodalError as error:
            if error.retry or error.code is Code.JOB_STATE:
                return None
            self._settle(replace(view, state="refused", reason=error.message), error.code)
            return None
        except Exception as error:  # noqa: BLE001 - the contour is refused and recorded, the job stands as it is
            sentence = log_fault("contour", error, job_id=job.job_id)
            self._settle(replace(view, state="refused", reason=sentence), Code.INTERNAL)
            return None
        self._settle(replace(view, state="taken", job_id=revised.job_id))
        return revised

    def _has_images(self, job: JobView) -> bool:
        """Where the study came from, or in the node's own Orthanc, which may have got it as well."""
        source = self._context.workspace(job.job_id).request().source
        has = self._context.pipeline.has_images
        return has(source) or (job.orthanc_id is not None and has(StudySource("orthanc", orthanc_id=job.orthanc_id)))

    def _settle(self, view: ContourView, code: Code | None = None) -> None:
        if self._registry.contours.settle(view.digest, view.state, view.reason, view.job_id):
            self._record(f"contour_{view.state}", view, None, code)
        self._context.contour(view.digest).unlink(missing_ok=True)

    def _record(self, action: str, view: ContourView, intake_id: str | None, code: Code | None = None) -> None:
        self._context.trail.record(
            action,
            outcome="refused" if view.state == "refused" else "ok",
            job_id=view.job_id or self._registry.jobs.latest_of_study(view.study_instance_uid),
            intake_id=intake_id,
            study_instance_uid=view.study_instance_uid,
            code=code,
            sop_instance_uid=view.sop_instance_uid,
            caller=view.caller,
            sentence=view.reason,
        )
        log.info("contour", state=view.state, study_instance_uid=view.study_instance_uid)


def own_of(context: JobContext, study_instance_uid: str) -> Own:
    """What this node has made of a study, in all its jobs."""
    job_ids = [view.job_id for view in context.registry.jobs.views(study_instance_uid)]
    objects = context.registry.memory.own_of(job_ids)
    tracking = {uid for job_id in job_ids for uid in known_lesions(context.workspace(job_id))}
    return Own(objects, frozenset(series_uid(uid) for uid in objects), frozenset(tracking))
