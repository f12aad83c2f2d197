"""A FHIR report to a server: one POST of its transaction Bundle (FHIR R4, section 3.1.0.11)."""

from __future__ import annotations

from collections.abc import Sequence

import requests

from nodal.delivery.outcome import Outcome, Parcel
from nodal.errors import Code
from nodal.settings import Destination

__all__ = ["FhirSender"]

TIMEOUT_S = 60.0
_MAY_PASS = (408, 409, 425, 429)
"""A server that says these may take the same Bundle later; 409 is a transaction that met another."""


class FhirSender:
    """Sends to one FHIR server.

    A transaction is taken whole or not at all, and each of its resources is created only where the server does not
    have it: a Bundle that is sent twice does no harm.
    """

    def __init__(self, destination: Destination) -> None:
        self._to = destination

    def send(self, parcels: Sequence[Parcel]) -> tuple[Outcome, ...]:
        """Sends each Bundle with a request of its own; an outcome for each, in their order."""
        return tuple(self._post(parcel) for parcel in parcels)

    def _post(self, parcel: Parcel) -> Outcome:
        uid, name = parcel.sop_instance_uid, self._to.name
        headers = {"Content-Type": "application/fhir+json; charset=utf-8", "Accept": "application/fhir+json"}
        try:
            answer = requests.post(
                self._to.url or "", data=parcel.data, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException:
            return Outcome(uid, "retry", Code.UNREACHABLE, f"{name} cannot be reached")
        status = answer.status_code
        if 200 <= status < 300:
            return Outcome(uid, "sent")
        sentence = f"{name} answered HTTP {status}"
        if status >= 500 or status in _MAY_PASS:
            return Outcome(uid, "retry", Code.REJECTED_BY_DESTINATION, sentence)
        return Outcome(uid, "refused_permanent", Code.REJECTED_BY_DESTINATION, sentence)
