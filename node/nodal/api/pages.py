"""The pages under ``/ui``: plain files with relative addresses, so that they work behind Orthanc's ``/nodal`` too."""

from __future__ import annotations

from importlib import resources

from fastapi import APIRouter
from starlette.responses import Response

from nodal.errors import Code, Failed

__all__ = ["ui_router"]

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"


def _page(name: str) -> Response:
    folder = resources.files("nodal.api") / "ui"
    known = {entry.name for entry in folder.iterdir()}
    kind = KINDS.get(name[name.rfind(".") :])
    if name not in known or kind is None:
        raise Failed(Code.JOB_UNKNOWN, "there is no such page")
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response((folder / name).read_bytes(), media_type=f"{kind}; charset=utf-8", headers=headers)


def ui_router() -> APIRouter:
    """The audit page, a job's page, the description of the interface, and what they load."""
    router = APIRouter(include_in_schema=False)

    @router.get("/ui/audit")
    def audit() -> Response:
        return _page("audit.html")

    @router.get("/ui/job/{job_id}")
    def job(job_id: str) -> Response:
        return _page("job.html")

    @router.get("/api/docs")
    def docs() -> Response:
        return _page("docs.html")

    @router.get("/ui/static/{name}")
    def static(name: str) -> Response:
        return _page(name)

    return router
