"""The node's HTTP interface: ``/api/...`` for machines, ``/ui/...`` for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from nodal import __version__
from nodal.api.faults import Fault, add_fault_handlers, fault_response
from nodal.api.limits import BodyLimit
from nodal.api.metrics import NodeMetrics
from nodal.api.pages import ui_router
from nodal.api.results import JobResults
from nodal.api.routes import Doors, api_router
from nodal.api.security import Guard
from nodal.api.service import Announce, NodeApi
from nodal.audit import Trail
from nodal.errors import NodalError
from nodal.settings import Settings

__all__ = ["create_app"]


def create_app(service: NodeApi, settings: Settings, trail: Trail, *, announce: Announce | None = None) -> FastAPI:
    """The application for uvicorn.

    Args:
        announce: ``Reconciler.announce`` where the node has an Orthanc: it knows which studies hold anything new.

    Raises:
        SettingsInvalid: the interface would be open to the network without a secret.
    """
    guard = Guard(settings.api)
    app = FastAPI(
        title="Nodal",
        version=__version__,
        description="A PACS node for lymphoma: what it did and is doing, and how to tell it more.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses={"4XX": {"model": Fault, "description": "What is wrong, with a stable code."}},
    )

    app.add_middleware(BodyLimit)  # inside the guard: who may not speak to the node learns nothing of its limits

    @app.middleware("http")
    async def guarded(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            guard.check(request)
        except NodalError as error:
            return fault_response(error)
        response = await call_next(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    add_fault_handlers(app)
    results, metrics = JobResults(settings.state_dir), NodeMetrics(service, settings.state_dir)
    app.include_router(api_router(Doors(service, trail, results, metrics, announce, settings.fhir)))
    app.include_router(ui_router())
    return app
