"""How large a request may be: nothing that the node is sent by HTTP is an image, but a contour is near to one."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nodal.api.faults import fault_response
from nodal.errors import Code, Failed

__all__ = ["BUNDLE_BYTES", "CONTOUR_BYTES", "REQUEST_BYTES", "BodyLimit"]

REQUEST_BYTES = 1 << 20
"""A clinical record, or the name of a study, is a page of text."""

BUNDLE_BYTES = 16 << 20
"""A patient's whole laboratory history in FHIR is a few megabytes."""

BUNDLES = "/api/fhir"

CONTOUR_BYTES = 256 << 20
"""Sixty lesions on every frame of a PET, each frame of each written out: 200 MB; most viewers write a few."""

CONTOURS = re.compile(r"/api/jobs/[^/]+/contour/?")


def _limit(path: str) -> int:
    if CONTOURS.fullmatch(path):
        return CONTOUR_BYTES
    return BUNDLE_BYTES if path.rstrip("/") == BUNDLES else REQUEST_BYTES


class BodyLimit:
    """Answers 413 to a body that says it is too large, and to one that turns out to be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _limit(scope["path"])
        sentence = f"the body is larger than {limit >> 20} MB"
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await fault_response(Failed(Code.BODY_TOO_LARGE, sentence))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:  # sent in chunks, without its length
                raise HTTPException(413, sentence)
            return message

        await self._app(scope, counted, send)
