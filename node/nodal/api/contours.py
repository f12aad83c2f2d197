"""The endpoints by which a corrected contour is handed in, and by which is seen what it changed."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from nodal.api.candidates import JobId
from nodal.api.security import caller
from nodal.api.service import NodeApi
from nodal.errors import Code, Refused
from nodal.jobs.difference import Difference
from nodal.jobs.model import JobView

__all__ = ["contours_router"]

BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/dicom": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def contours_router(service: NodeApi) -> APIRouter:
    """``POST /jobs/{job_id}/contour`` and ``GET /jobs/{job_id}/difference``."""
    router = APIRouter(tags=["jobs"])

    @router.post(
        "/jobs/{job_id}/contour",
        status_code=202,
        openapi_extra=BODY,
        summary="Hand in a corrected contour (SEG or RTSTRUCT); answers the new revision",
    )
    async def correct(job_id: JobId, request: Request) -> JobView:
        contour = await request.body()
        if not contour:
            raise Refused(Code.CONTOUR_UNREADABLE, "the body is empty; it shall be the DICOM file of the contour")
        return await run_in_threadpool(service.correct, job_id, contour, caller(request))

    @router.get("/jobs/{job_id}/difference", summary="What a revision changed of TMTV, lesions and risk")
    def difference(job_id: JobId) -> Difference:
        return service.difference(job_id)

    return router
