"""STOW-RS to a destination (PS3.18 section 10.5), by dicomweb-client."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Literal

import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread

from nodal.delivery.outcome import Outcome, Parcel
from nodal.errors import Code
from nodal.settings import Destination

__all__ = ["StowSender"]


class StowSender:
    """Sends to one DICOMweb destination."""

    def __init__(self, destination: Destination) -> None:
        self._to = destination

    def send(self, parcels: Sequence[Parcel]) -> tuple[Outcome, ...]:
        """Stores each parcel with a request of its own, so that each has an outcome of its own."""
        client = DICOMwebClient(url=self._to.url or "")
        return tuple(self._store(client, parcel) for parcel in parcels)

    def _store(self, client: DICOMwebClient, parcel: Parcel) -> Outcome:
        uid, name = parcel.sop_instance_uid, self._to.name
        try:
            answer = client.store_instances([dcmread(BytesIO(parcel.data))])
        except requests.HTTPError as error:
            status = error.response.status_code if error.response is not None else 0
            return Outcome(
                uid,
                _state(status >= 500 or status in (0, 408, 429)),
                Code.REJECTED_BY_DESTINATION,
                f"{name} answered HTTP {status}",
            )
        except requests.RequestException:
            return Outcome(uid, "retry", Code.UNREACHABLE, f"{name} cannot be reached")
        return _outcome(name, uid, answer)


def _state(may_pass: bool) -> Literal["retry", "refused_permanent"]:
    return "retry" if may_pass else "refused_permanent"


def _outcome(name: str, uid: str, answer: Dataset) -> Outcome:
    """From the store response (PS3.18 table 10.5.3-1): FailedSOPSequence with its failure reason."""
    for failed in answer.get("FailedSOPSequence", ()):
        reason = int(failed.get("FailureReason", 0))
        return Outcome(
            uid,
            _state(0xA700 <= reason < 0xA800),
            Code.REJECTED_BY_DESTINATION,
            f"{name} failed it with 0x{reason:04X}",
        )
    return Outcome(uid, "sent")
