"""Who may speak to the node.

With a secret every request shows it as ``Authorization: Bearer <secret>``; Orthanc's plugin does so for the people whom
Orthanc let in. Without one the node listens on loopback alone, and answers only requests that name a loopback host, so
that a web page elsewhere cannot reach it through somebody's browser under a name of its own.
"""

from __future__ import annotations

import ipaddress
import secrets
from urllib.parse import unquote, urlsplit

from starlette.requests import Request

from nodal.errors import Code, NodalError, SettingsInvalid
from nodal.settings import ApiSettings

__all__ = ["Guard", "Unauthorized", "caller", "person", "through_orthanc"]

SHORTEST_SECRET = 16


class Unauthorized(NodalError):
    """No secret, or a wrong one."""

    def __init__(self) -> None:
        super().__init__(Code.FORBIDDEN, "this needs the node's secret as a Bearer token")


class _Forbidden(NodalError):
    def __init__(self, message: str) -> None:
        super().__init__(Code.FORBIDDEN, message)


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address means this machine itself."""
    if host is None:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Looks at every request before anything else does.

    Raises:
        SettingsInvalid: no secret and not on loopback, or a secret that cannot be read or is too short.
    """

    def __init__(self, settings: ApiSettings) -> None:
        self._secret = _secret(settings)
        if self._secret is None and not is_loopback(settings.host):
            raise SettingsInvalid("api.host is not a loopback address: api.secret_file is needed")

    def check(self, request: Request) -> None:
        """Raises FORBIDDEN unless the caller may speak to the node."""
        if self._secret is not None:
            scheme, _, shown = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(shown.encode(), self._secret.encode()):
                raise Unauthorized
        elif not is_loopback(_host(request)):
            raise _Forbidden("without a secret the node answers only under a loopback name")
        if request.method not in ("GET", "HEAD") and request.headers.get("sec-fetch-site") in (
            "cross-site",
            "same-site",
        ):
            raise _Forbidden("a page of another site may not change anything here")


def _secret(settings: ApiSettings) -> str | None:
    if settings.secret_file is None:
        return None
    try:
        secret = settings.secret_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsInvalid(f"cannot read api.secret_file: {error.strerror}") from error
    if len(secret) < SHORTEST_SECRET:
        raise SettingsInvalid(f"the secret in api.secret_file is shorter than {SHORTEST_SECRET} characters")
    return secret


def _host(request: Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return None


def through_orthanc(request: Request) -> bool:
    """Whether Orthanc's plugin passed the request on for a person at Orthanc's pages."""
    return request.headers.get("x-nodal-via") == "orthanc"


def person(request: Request) -> str | None:
    """Login of the person at Orthanc's pages; None where Orthanc knows none, or another asks."""
    return (unquote(request.headers.get("x-nodal-user", ""))[:64] or None) if through_orthanc(request) else None


def caller(request: Request) -> str:
    """Who asks, for the audit trail: the name of Orthanc's login where there is one."""
    if not through_orthanc(request):
        return "api"
    name = person(request)
    return f"orthanc:{name}" if name else "orthanc"
