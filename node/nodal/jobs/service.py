"""What may be asked of the node's jobs; the API, the command line and the listener all ask here."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from nodal import __version__
from nodal.audit import Trail
from nodal.clinical.record import Source
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Failed, WrongUsage
from nodal.jobs.book import UNFINISHED
from nodal.jobs.check_contour import check_contour, given_by_hand
from nodal.jobs.clinical import ClinicalView, known_later, stage_to_rerun, view_of
from nodal.jobs.contour_steps import RESULTS
from nodal.jobs.contours import ContourView
from nodal.jobs.decisions import Decision, words_with
from nodal.jobs.difference import Difference, difference_of
from nodal.jobs.engine import ClientDispatcher
from nodal.jobs.given import CONTOUR_FILE
from nodal.jobs.model import IntakeView, JobState, JobView, Stage, StudySource
from nodal.jobs.registry import Registry
from nodal.jobs.review import review_by
from nodal.jobs.revisions import Revisions
from nodal.jobs.tables import now
from nodal.jobs.tasks import Dispatcher, Task, delivery_task, intake_task, stage_task
from nodal.settings import Settings

__all__ = ["Health", "NodeService"]

log = structlog.get_logger()

DISK_FLOOR_GB = 5.0
"""Below this the node calls itself degraded: about ten studies with their volumes."""

STOPPED: tuple[JobState, ...] = ("failed", "refused", "cancelled")
CANCELLABLE: tuple[JobState, ...] = ("queued", "running", "awaiting_review", "delivering", "parked", "failed")
REVIEWED: tuple[JobState, ...] = ("awaiting_review",)
ACCEPTABLE: tuple[JobState, ...] = ("awaiting_review", "done")
"""A report that left unverified may be verified afterwards."""
REVISABLE: tuple[JobState, ...] = ("queued", "running", "awaiting_review", "delivering", "parked", "done", "failed")

_CALLERS: tuple[Source, ...] = ("api",)


@dataclass(frozen=True)
class Health:
    """How the node is.

    Attributes:
        jobs: number of jobs by state. parts: what runs, such as listener and orthanc; None is not known yet.
    """

    status: Literal["ok", "degraded"]
    version: str
    time: str
    jobs: dict[str, int]
    intakes_waiting: int
    disk_free_gb: float
    parts: dict[str, bool | None]


class NodeService:
    """Every change is in the registry before the answer, and the work starts at once or at the next sweep.

    Args:
        dispatcher: the engine of this process, or a client beside it.
        parts: name -> whether that part of the node works, for :meth:`health`.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        trail: Trail,
        dispatcher: Dispatcher,
        parts: Mapping[str, Callable[[], bool | None]] | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._trail = trail
        self._dispatcher = dispatcher
        self._revisions = Revisions(settings.state_dir, registry, trail, dispatcher)
        self._parts = parts or {}
        self._storing = threading.Lock()  # one record at a time: the second compares with what the first has begun

    @classmethod
    @contextmanager
    def beside(cls, settings: Settings) -> Iterator[NodeService]:
        """The service for a command beside a running node (or none): it reads and asks, and runs nothing itself.

        Raises:
            Failed: no node has ever run with these settings.
        """
        if settings.database_url is None and not (settings.state_dir / "registry.sqlite").exists():
            raise Failed(Code.JOB_UNKNOWN, f"no node has run in {settings.state_dir} yet; start it with nodal serve")
        registry, dispatcher = Registry.in_folder(settings.state_dir, settings.database_url), _LateClient(settings)
        try:
            yield cls(settings, registry, Trail(settings.state_dir / "audit"), dispatcher)
        finally:
            dispatcher.close()
            registry.close()

    # studies

    def submit(self, source: StudySource, reason: str, study_instance_uid: str | None = None) -> IntakeView:
        """Enters a study; durable when this returns. The same study twice makes one job."""
        view, new = self._registry.intakes.add(source, reason, study_instance_uid)
        if new:
            self._trail.record(
                "study_entered",
                intake_id=view.intake_id,
                study_instance_uid=study_instance_uid,
                source=source.kind,
                reason=reason,
            )
            self._dispatcher.start_task(intake_task(view.intake_id))
        return view

    def intakes(self, study_instance_uid: str | None = None) -> list[IntakeView]:
        """Studies announced or received, newest first."""
        return self._registry.intakes.views(study_instance_uid)

    # jobs

    def jobs(self, study_instance_uid: str | None = None) -> list[JobView]:
        """Jobs, newest first."""
        return self._registry.jobs.views(study_instance_uid)

    def job(self, job_id: str) -> JobView:
        """One job."""
        return self._registry.jobs.view(job_id)

    def retry(self, job_id: str) -> JobView:
        """Goes on with a stopped job at the stage that stopped it; sends again what did not arrive.

        A refused job begins anew: settings or records may have changed since.
        """
        view, jobs = self.job(job_id), self._registry.jobs
        undelivered = view.state == "parked" or (view.state == "done" and self._registry.deliveries.refused(job_id))
        if undelivered:
            self._registry.deliveries.take_up(job_id)
            self._move(view, "delivering", (view.state,), "retry", next_round=True)
            self._deliver(job_id)
        else:
            if view.state == "refused":
                jobs.forget_stages(job_id)
            self._move(view, "queued", STOPPED, "retry", next_round=True)
            self._dispatcher.start_task(stage_task("prepare", job_id, jobs.standing(job_id).round))
        return self.job(job_id)

    def cancel(self, job_id: str) -> JobView:
        """Stops a job; a stage that runs is run to its end, what was delivered stays delivered."""
        self._move(self.job(job_id), "cancelled", CANCELLABLE, "cancel")
        return self.job(job_id)

    def accept(self, job_id: str, observer: str) -> JobView:
        """A new revision whose report is verified by a person, and leaves for every destination.

        The same results as the person has seen, in objects of their own: the report names the one it replaces.

        Args:
            observer: name of the person, as the report shall give it.

        Raises:
            WrongUsage: no name. Failed: JOB_STATE where nothing waits, or it is accepted already.
        """
        view, review = self.job(job_id), review_by(observer)
        if view.state not in ACCEPTABLE or view.cause == "review":
            said = "accepted already" if view.cause == "review" else view.state
            raise Failed(Code.JOB_STATE, f"accept is not possible: the job is {said}")
        return self._revisions.revise(view, "review", Stage.ENCODE, review=review)

    def reject(self, job_id: str) -> JobView:
        """Keeps results from leaving; the node's own Orthanc has them already."""
        sentence = "the results were rejected at review"
        self._move(self.job(job_id), "cancelled", REVIEWED, "reject", message=sentence)
        return self.job(job_id)

    def rerun(self, job_id: str, from_stage: Stage) -> JobView:
        """A new revision that begins at a stage; what earlier stages left is taken over."""
        return self._revisions.revise(self.job(job_id), "rerun", from_stage)

    def decide(self, job_id: str, decision: Decision, by: str) -> JobView:
        """A new revision in which a candidate is what a person says; the lesions are drawn anew, the images stay.

        Args:
            by: who decides; stands with the word in the job's folder, and in the audit.
        """
        view = self.job(job_id)
        words = words_with(self._revisions.workspace(job_id), decision, by)
        return self._revisions.revise(view, "correction", Stage.SEGMENT, words=words)

    def correct(self, job_id: str, contour: bytes, by: str) -> JobView:
        """A new revision whose lesions are those of a contour that a person hands in.

        Args:
            contour: a SEG or RTSTRUCT, as a DICOM file; one that marks nothing says that there is no lesion.
            by: who hands it in; stands with the contour in the job's folder, and in the audit.

        Raises:
            Refused: CONTOUR_UNREADABLE, CONTOUR_OTHER_IMAGE. Failed: JOB_STATE where the job has no results yet, was
                replaced, or is drawn so already.
        """
        view, workspace = self.job(job_id), self._revisions.workspace(job_id)
        if view.state in UNFINISHED or not workspace.path(RESULTS).exists():
            raise Failed(Code.JOB_STATE, f"contour is not possible: the job is {view.state}, without results so far")
        with tempfile.TemporaryDirectory(dir=self._settings.state_dir, prefix=".contour-") as folder:
            path = Path(folder) / CONTOUR_FILE
            path.write_bytes(contour)
            if not check_contour(workspace, path, may_be_empty=True):
                raise Failed(Code.JOB_STATE, "nothing to change: the contour marks the lesions as they are")
            note = given_by_hand(path, by)
            revised = self._revisions.revise(view, "correction", Stage.SEGMENT, contour=(path, note))
        # when the same object comes from the archive too, it makes nothing new
        self._registry.contours.put(
            ContourView(
                note.digest,
                note.sop_instance_uid,
                view.study_instance_uid,
                None,
                None,
                "taken",
                note.why,
                True,
                revised.job_id,
            )
        )
        self._trail.record(
            "contour_taken",
            job_id=revised.job_id,
            study_instance_uid=revised.study_instance_uid,
            sop_instance_uid=note.sop_instance_uid,
            sentence=note.why,
            by=by,
        )
        return revised

    def difference(self, job_id: str) -> Difference:
        """What a job changed of the results of the one that it replaced.

        Raises:
            Failed: JOB_STATE where the job has no results yet, or replaced none.
        """
        self.job(job_id)
        return difference_of(self._revisions.workspace(job_id))

    # records

    def put_clinical(self, patient: PatientStatements, by: str) -> list[JobView]:
        """Stores a patient's record as a caller sends it in, in place of all that callers have sent before.

        Args:
            by: who sends it, for the audit.

        Returns:
            the new revisions: of every job of the patient whose record it changes.
        """
        return self._store(patient, _CALLERS, by)

    def put_statements(self, patient: PatientStatements, *, replace_source: bool) -> list[JobView]:
        """Adds what a source says of a patient.

        Args:
            replace_source: takes back what the same sources have said before.

        Returns:
            the new revisions: of every job of the patient whose record it changes.
        """
        return self._store(patient, _sources(patient) if replace_source else (), None)

    def clinical(self, patient_key: str, study_date: str | None = None) -> ClinicalView:
        """What is known of a patient, and the record that it makes for a scan.

        Args:
            study_date: DA of the scan; without one that of the last PET/CT seen.
        """
        memory = self._registry.memory
        return view_of(memory.clinical(patient_key), study_date or memory.latest_study_date(patient_key))

    def _store(self, patient: PatientStatements, replaced: Collection[Source], by: str | None) -> list[JobView]:
        key = patient.patient_key
        if not key.partition("~")[2]:
            raise WrongUsage("the patient is named as issuer~id; the issuer may be empty")
        with self._storing:
            self._registry.memory.put_clinical(patient, replaced)
            revised = [view for job_id in self._registry.jobs.of_patient(key) if (view := self._take_in(job_id, key))]
        self._trail.record(
            "clinical_statements_stored",
            by=[by] if by else sorted({one.by for one in patient.statements if one.by}),
            fields=sorted({one.field for one in patient.statements}),
            sources=sorted(_sources(patient) | set(replaced)),
            unusable=sorted({one.field for one in patient.unusable}),
            jobs=[view.job_id for view in revised],
        )
        return revised

    def _take_in(self, job_id: str, patient_key: str) -> JobView | None:
        """A new revision of one job where its record changes; None where it stays, or the job cannot be run again."""
        view, memory = self.job(job_id), self._registry.memory
        scan = memory.study_date(patient_key, view.study_instance_uid)
        workspace = self._revisions.workspace(job_id)
        known = known_later(workspace, memory.clinical(patient_key))
        stage = stage_to_rerun(workspace, known, scan)
        # a refusal by the time point falls with it; any other stands, whatever the record says
        freed = (view.state, view.code, stage) == ("refused", Code.NOT_BASELINE, Stage.SELECT)
        if stage is None or not (freed or view.state in REVISABLE):
            return None
        try:
            return self._revisions.revise(view, "clinical", stage, known)
        except Failed as error:  # an old job, whose folder is gone, shall not keep the record from being stored
            record = self._trail.record
            record("clinical_rerun_impossible", outcome="failed", job_id=job_id, code=error.code)
            return None

    def health(self) -> Health:
        """How the node is."""
        parts = {name: works() for name, works in self._parts.items()}
        free_gb = shutil.disk_usage(self._settings.state_dir).free / 1e9
        good = free_gb > DISK_FLOOR_GB and False not in parts.values()
        return Health(
            status="ok" if good else "degraded",
            version=__version__,
            time=now(),
            jobs=self._registry.jobs.counts(),
            intakes_waiting=len(self._registry.intakes.waiting()),
            disk_free_gb=round(free_gb, 1),
            parts=parts,
        )

    def _move(
        self,
        view: JobView,
        to: JobState,
        out_of: Collection[JobState],
        verb: str,
        *,
        message: str | None = None,
        next_round: bool = False,
    ) -> None:
        if not self._registry.jobs.move(view.job_id, to, out_of=out_of, message=message, next_round=next_round):
            raise Failed(Code.JOB_STATE, f"{verb} is not possible: the job is {self.job(view.job_id).state}")
        self._trail.record(
            f"job_{verb}", job_id=view.job_id, study_instance_uid=view.study_instance_uid, was=view.state, now=to
        )

    def _deliver(self, job_id: str) -> None:
        """Starts every destination that still lacks something; with none left, the sweep ends the job."""
        round_ = self._registry.jobs.standing(job_id).round
        for destination in dict.fromkeys(entry.target for entry in self._registry.deliveries.undelivered(job_id)):
            self._dispatcher.start_task(delivery_task(job_id, round_, destination))


class _LateClient:
    """A client that connects when it is first needed: reading needs none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: ClientDispatcher | None = None

    def start_task(self, task: Task) -> None:
        if self._client is None:
            self._client = ClientDispatcher(self._settings.state_dir, self._settings.database_url)
        self._client.start_task(task)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def _sources(patient: PatientStatements) -> set[Source]:
    return {one.source for one in patient.statements} | {one.source for one in patient.unusable}
