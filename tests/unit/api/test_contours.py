"""The endpoints of a corrected contour, and of what it changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from nodal.api import limits
from nodal.api.app import create_app
from nodal.audit import Trail
from nodal.settings import Settings

from tests.unit.api.fake_node import JOB, FakeNode, job_view

pytestmark = pytest.mark.unit

NEXT = f"{JOB[:-1]}1"


@pytest.fixture
def node() -> FakeNode:
    return FakeNode([job_view(job_id=NEXT, revision=1, predecessor=JOB, cause="correction"), job_view()])


@pytest.fixture
def client(node: FakeNode, tmp_path: Path) -> TestClient:
    app = create_app(node, Settings(state_dir=tmp_path), Trail(tmp_path / "audit"))
    return TestClient(app, base_url="http://127.0.0.1:8095", raise_server_exceptions=False)


def test_a_contour_begins_a_revision_in_the_name_of_who_sends_it(client: TestClient, node: FakeNode) -> None:
    contour = b"\0" * (limits.REQUEST_BYTES + 1)  # larger than any other request may be
    headers = {"Content-Type": "application/dicom", "X-Nodal-Via": "orthanc", "X-Nodal-User": "reader"}
    answer = client.post(f"/api/jobs/{NEXT}/contour", content=contour, headers=headers)
    assert (answer.status_code, answer.json()["cause"]) == (202, "correction")
    assert node.contours == [(contour, "orthanc:reader")]


def test_a_file_that_is_no_contour_is_refused_with_its_code(client: TestClient, node: FakeNode) -> None:
    for body in (b"not a contour", b""):
        answer = client.post(f"/api/jobs/{NEXT}/contour", content=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "CONTOUR_UNREADABLE")
    assert node.contours == []


def test_a_file_that_is_too_large_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONTOUR_BYTES", 1 << 20)
    answer = client.post(f"/api/jobs/{NEXT}/contour", content=b"\0" * ((1 << 20) + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


def test_the_difference_of_two_revisions(client: TestClient) -> None:
    told = client.get(f"/api/jobs/{NEXT}/difference").json()
    assert (told["predecessor"], told["tmtv_ml"]) == (JOB, [134.6, 120.2])
    assert told["risks"] == [{"what": "LAMP OS", "before": "low", "after": "high"}]
    assert client.get(f"/api/jobs/{JOB}/difference").json()["code"] == "JOB_STATE"
