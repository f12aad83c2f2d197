"""Every error leaves as ``{code, message, retry}`` with a proper HTTP status."""

from __future__ import annotations

from dataclasses import dataclass

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from nodal.api.security import Unauthorized
from nodal.errors import Code, NodalError, Refused, Unreachable, WrongUsage

__all__ = ["Fault", "add_fault_handlers", "fault_response"]

log = structlog.get_logger()

STATUS = {
    Code.JOB_UNKNOWN: 404,
    Code.CANDIDATE_UNKNOWN: 404,
    Code.JOB_STATE: 409,
    Code.FORBIDDEN: 403,
    Code.SOURCE_GONE: 410,
    Code.BODY_TOO_LARGE: 413,
    Code.DISK_FULL: 507,
    Code.NOT_INSTALLED: 501,
    Code.REJECTED_BY_DESTINATION: 502,
}


@dataclass(frozen=True)
class Fault:
    """Body of every error: a stable code, a sentence for a person, and whether asking again can help."""

    code: str
    message: str
    retry: bool


def _status(error: NodalError) -> int:
    if isinstance(error, Unauthorized):
        return 401
    if isinstance(error, WrongUsage):
        return 400
    if error.code in STATUS:
        return STATUS[error.code]
    if isinstance(error, Refused):
        return 422
    return 503 if isinstance(error, Unreachable) else 500


def fault_response(error: NodalError) -> JSONResponse:
    """The answer for an error of the node."""
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthorized) else None
    body = {"code": error.code, "message": error.message, "retry": error.retry}
    return JSONResponse(body, status_code=_status(error), headers=headers)


def add_fault_handlers(app: FastAPI) -> None:
    """Turns every exception into the one form."""

    @app.exception_handler(NodalError)
    async def known(_request: Request, error: NodalError) -> JSONResponse:
        return fault_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # the place and the rule, never the value: it may be a patient's
        faults = "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors())
        return JSONResponse({"code": Code.WRONG_USAGE, "message": faults, "retry": False}, status_code=422)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        code = Code.BODY_TOO_LARGE if error.status_code == STATUS[Code.BODY_TOO_LARGE] else Code.WRONG_USAGE
        body = {"code": code, "message": str(error.detail), "retry": False}
        return JSONResponse(body, status_code=error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request failed", method=request.method, route=request.url.path, fault=type(error).__name__)
        body = {"code": Code.INTERNAL, "message": "the node failed on this request; its log says why", "retry": False}
        return JSONResponse(body, status_code=500)
