"""The endpoints under ``/api``."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, Response

from nodal.api.candidates import JobId, candidates_router
from nodal.api.clinical_routes import clinical_router
from nodal.api.contours import contours_router
from nodal.api.metrics import NodeMetrics
from nodal.api.results import JobResults
from nodal.api.security import caller, person, through_orthanc
from nodal.api.service import Announce, NodeApi
from nodal.audit import Event, Trail
from nodal.errors import Code, Failed, WrongUsage
from nodal.jobs.model import IntakeView, JobView, Stage, StudySource
from nodal.jobs.results import StoredObject
from nodal.jobs.service import Health
from nodal.settings import FhirSettings

__all__ = ["Doors", "api_router"]

ORTHANC_ID = r"^[0-9a-f]{8}(-[0-9a-f]{8}){4}$"
UID = r"^[0-9.]{1,64}$"
PLUGIN_HINT = "stable_study"

Study = Annotated[str | None, Query(pattern=UID, description="Study Instance UID")]


@dataclass(frozen=True)
class Doors:
    """All that the endpoints reach into.

    Attributes:
        announce: what the plugin's hint goes through; None takes every hint for news.
        fhir: whose identifiers a Bundle's patients have.
    """

    service: NodeApi
    trail: Trail
    results: JobResults
    metrics: NodeMetrics
    announce: Announce | None
    fhir: FhirSettings


class StudyIn(BaseModel):
    """A study to process: one that Orthanc holds, or a folder on the node's own disk."""

    model_config = ConfigDict(extra="forbid")

    source: Literal["orthanc", "folder"]
    orthanc_id: str | None = Field(None, pattern=ORTHANC_ID, description="Orthanc's id of the study.")
    path: Path | None = Field(None, description="The folder, as an absolute path.")
    study_instance_uid: str | None = Field(None, pattern=UID)
    reason: str = Field("request", max_length=64, description='Why; the plugin says "stable_study".')


@dataclass(frozen=True)
class Accepted:
    """Where the study stands now; both null when Orthanc's study holds nothing but results of this node."""

    intake_id: str | None
    job_id: str | None


class AcceptIn(BaseModel):
    """Who accepts results."""

    model_config = ConfigDict(extra="forbid")

    observer: str | None = Field(None, description="Name for the report; without one that of Orthanc's login.")


class RerunIn(BaseModel):
    """Where a new revision begins; earlier stages are taken over."""

    model_config = ConfigDict(extra="forbid")

    from_stage: Stage = Stage.SELECT


def api_router(doors: Doors) -> APIRouter:
    """All endpoints of the node."""
    router = APIRouter(prefix="/api")
    _studies(router, doors)
    router.include_router(clinical_router(doors.service, doors.fhir))
    _jobs(router, doors)
    _verbs(router, doors)
    router.include_router(candidates_router(doors.service, doors.trail))
    router.include_router(contours_router(doors.service))
    _results(router, doors)
    _node(router, doors)
    return router


def _source(study: StudyIn, request: Request) -> StudySource:
    if study.source == "orthanc":
        if study.orthanc_id is None:
            raise WrongUsage("orthanc_id is missing")
        return StudySource("orthanc", orthanc_id=study.orthanc_id)
    if through_orthanc(request):
        raise Failed(Code.FORBIDDEN, "a folder of the node's disk cannot be named from Orthanc's pages")
    if study.path is None or not study.path.is_absolute() or not study.path.is_dir():
        raise WrongUsage("path must be a folder on the node's disk")
    return StudySource("folder", path=study.path)


def _studies(router: APIRouter, doors: Doors) -> None:
    @router.post("/studies", status_code=202, tags=["studies"], summary="Announce a study")
    def announce_study(study: StudyIn, request: Request) -> Accepted:
        source = _source(study, request)
        if source.orthanc_id is not None and study.reason == PLUGIN_HINT and doors.announce is not None:
            view = doors.announce(source.orthanc_id) or _latest_intake(source.orthanc_id)
        else:
            view = doors.service.submit(source, study.reason, study.study_instance_uid)
            doors.trail.record(
                "study_announced",
                intake_id=view.intake_id,
                study_instance_uid=view.study_instance_uid,
                source=study.source,
                reason=study.reason,
                by=caller(request),
            )
        return Accepted(view.intake_id, view.job_id) if view else Accepted(None, None)

    def _latest_intake(orthanc_id: str) -> IntakeView | None:
        return next((view for view in doors.service.intakes() if view.source.orthanc_id == orthanc_id), None)

    @router.get("/intakes", tags=["studies"], summary="Studies announced or received, newest first")
    def intakes(study: Study = None) -> list[IntakeView]:
        return [view for view in doors.service.intakes() if study in (None, view.study_instance_uid)]


def _jobs(router: APIRouter, doors: Doors) -> None:
    @router.get("/jobs", tags=["jobs"], summary="Jobs, newest first")
    def jobs(study: Study = None) -> list[JobView]:
        return list(doors.service.jobs(study))

    @router.get("/jobs/{job_id}", tags=["jobs"], summary="One job")
    def job(job_id: JobId) -> JobView:
        return doors.service.job(job_id)


def _verbs(router: APIRouter, doors: Doors) -> None:
    def noted(view: JobView, verb: str, request: Request, **details: Any) -> JobView:
        doors.trail.record(
            f"job_{verb}_asked",
            job_id=view.job_id,
            study_instance_uid=view.study_instance_uid,
            by=caller(request),
            **details,
        )
        return view

    @router.post("/jobs/{job_id}/retry", status_code=202, tags=["jobs"], summary="Try a stopped job again")
    def retry(job_id: JobId, request: Request) -> JobView:
        return noted(doors.service.retry(job_id), "retry", request)

    @router.post("/jobs/{job_id}/cancel", status_code=202, tags=["jobs"], summary="Stop a job")
    def cancel(job_id: JobId, request: Request) -> JobView:
        return noted(doors.service.cancel(job_id), "cancel", request)

    @router.post(
        "/jobs/{job_id}/accept",
        status_code=202,
        tags=["jobs"],
        summary="Verify and release results; answers the new revision",
    )
    def accept(job_id: JobId, request: Request, asked: AcceptIn | None = None) -> JobView:
        observer = (asked.observer if asked else None) or person(request) or ""
        view = doors.service.accept(job_id, observer)
        return noted(view, "accept", request, observer=observer, predecessor=job_id)

    @router.post("/jobs/{job_id}/reject", status_code=202, tags=["jobs"], summary="Keep results from leaving")
    def reject(job_id: JobId, request: Request) -> JobView:
        return noted(doors.service.reject(job_id), "reject", request)

    @router.post("/jobs/{job_id}/rerun", status_code=202, tags=["jobs"], summary="A new revision from a stage on")
    def rerun(job_id: JobId, request: Request, asked: RerunIn | None = None) -> JobView:
        stage = asked.from_stage if asked else Stage.SELECT
        view = doors.service.rerun(job_id, stage)
        return noted(view, "rerun", request, from_stage=stage, predecessor=job_id)


def _results(router: APIRouter, doors: Doors) -> None:
    @router.get("/jobs/{job_id}/objects", tags=["results"], summary="The result objects, for every destination")
    def objects(job_id: JobId) -> list[StoredObject]:
        doors.service.job(job_id)
        return list(doors.results.objects(job_id))

    @router.get(
        "/jobs/{job_id}/objects/{sop_instance_uid}",
        tags=["results"],
        response_class=FileResponse,
        summary="A result object as a DICOM file",
    )
    def instance(job_id: JobId, sop_instance_uid: str) -> FileResponse:
        path = doors.results.instance(job_id, sop_instance_uid)
        return FileResponse(path, media_type="application/dicom", filename=f"{sop_instance_uid}.dcm")

    @router.get("/jobs/{job_id}/findings.json", tags=["results"], summary="All that was computed")
    def findings(job_id: JobId) -> FileResponse:
        return FileResponse(doors.results.findings(job_id), media_type="application/json")

    @router.get("/jobs/{job_id}/report.pdf", tags=["results"], response_class=Response, summary="The report")
    def report(job_id: JobId) -> Response:
        headers = {"Content-Disposition": f'inline; filename="nodal-{job_id}.pdf"'}
        return Response(doors.results.report(job_id), media_type="application/pdf", headers=headers)


def _node(router: APIRouter, doors: Doors) -> None:
    @router.get("/audit", tags=["node"], summary="The audit trail, newest first")
    def audit(
        study: Study = None,
        job: Annotated[str | None, Query(description="job id")] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
    ) -> list[Event]:
        latest = deque(doors.trail.events(job_id=job, study_instance_uid=study), maxlen=limit)
        return list(reversed(latest))

    @router.get("/health", tags=["node"], summary="How the node is")
    def health() -> Health:
        return doors.service.health()

    @router.get("/metrics", tags=["node"], response_class=Response, summary="Numbers for Prometheus")
    def metrics() -> Response:
        return Response(doors.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
