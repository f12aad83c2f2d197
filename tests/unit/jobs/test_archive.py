"""Results on their way into the node's own Orthanc."""

from __future__ import annotations

import httpx
import pytest
from nodal.delivery import Parcel
from nodal.intake.orthanc import OrthancSource
from nodal.jobs.archive import OrthancArchive
from nodal.settings import OrthancSettings

pytestmark = pytest.mark.unit

PARCELS = [Parcel(kind, "1.2.840.10008.5.1.4.1.1.66.4", f"2.25.{kind}", kind.encode()) for kind in ("seg", "sr", "pdf")]


def send(*answers: httpx.Response | Exception) -> tuple[list[tuple[str, str | None]], int]:
    """States and codes of the three parcels, and how often Orthanc was asked."""
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.content)
        given = answers[len(asked) - 1]
        if isinstance(given, Exception):
            raise given
        return given

    source = OrthancSource(OrthancSettings(url="http://orthanc"), transport=httpx.MockTransport(answer))
    outcomes = OrthancArchive(source).send(PARCELS)
    assert [outcome.sop_instance_uid for outcome in outcomes] == [parcel.sop_instance_uid for parcel in PARCELS]
    return [(outcome.state, outcome.code) for outcome in outcomes], len(asked)


def stored(status: str) -> httpx.Response:
    return httpx.Response(200, json={"ID": "i", "ParentStudy": "s", "Status": status})


def test_new_and_known_objects_are_there() -> None:
    states, _ = send(stored("Success"), stored("AlreadyStored"), stored("Success"))
    assert states == [("sent", None)] * 3


def test_one_that_orthanc_will_not_have_does_not_hold_back_the_others() -> None:
    states, _ = send(httpx.Response(400), stored("Success"), stored("FilteredOut"))
    assert states == [
        ("refused_permanent", "REJECTED_BY_DESTINATION"),
        ("sent", None),
        ("refused_permanent", "REJECTED_BY_DESTINATION"),
    ]


def test_a_wrong_login_can_be_put_right() -> None:
    states, _ = send(httpx.Response(401), httpx.Response(401), httpx.Response(401))
    assert states == [("retry", "FORBIDDEN")] * 3


def test_when_orthanc_goes_away_the_rest_waits() -> None:
    states, asked = send(stored("Success"), httpx.ConnectError("refused"))
    assert states == [("sent", None), ("retry", "UNREACHABLE"), ("retry", "UNREACHABLE")]
    assert asked == 2
