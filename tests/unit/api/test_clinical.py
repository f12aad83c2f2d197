"""Clinical records over HTTP against a node in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from nodal.api.app import create_app
from nodal.api.limits import BUNDLE_BYTES, REQUEST_BYTES
from nodal.audit import Trail
from nodal.clinical.record import Statement
from nodal.clinical.statements import PatientStatements
from nodal.settings import Settings

from tests.unit.api.fake_node import JOB, FakeNode, job_view

pytestmark = pytest.mark.unit

PATIENT = "/api/patients/HOSP%2FA~12%2034/clinical"
KEY = "HOSP/A~12 34"


@pytest.fixture
def node() -> FakeNode:
    return FakeNode([job_view()])


@pytest.fixture
def client(node: FakeNode, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(state_dir=tmp_path, fhir={"issuers": {"urn:oid:1.2.3.4": "HOSP"}})  # type: ignore[arg-type]
    app = create_app(node, settings, Trail(tmp_path / "audit"))
    with TestClient(app, base_url="http://127.0.0.1:8095", raise_server_exceptions=False) as made:
        yield made


class TestPut:
    def test_every_known_field_is_a_statement_under_the_patients_key(self, client: TestClient, node: FakeNode) -> None:
        answer = client.put(PATIENT, json={"stage": 3, "ldh_ratio": 1.4, "bulky": False, "ecog": None})
        assert answer.status_code == 200
        assert [view["predecessor"] for view in answer.json()] == [JOB]
        told = node.told[KEY].statements
        assert {one.field: one.value for one in told} == {"stage": 3, "ldh_ratio": 1.4, "bulky": False}
        assert {(one.source, one.by, one.effective) for one in told} == {("api", "api", None)}
        assert all(len(one.entered_at) == len("20260101100000+0000") for one in told)
        assert node.clinical_by == ["api"]

    def test_details_give_a_field_its_date_and_words(self, client: TestClient, node: FakeNode) -> None:
        details = {"stage": {"date": "20260109", "said": "IIIB"}, "ecog": {"date": "20260110081500+0100"}}
        body = {"stage": 3, "ecog": 1, "extranodal_sites": [], "details": details, "entered_at": "20260111090000"}
        assert client.put(PATIENT, json=body).status_code == 200
        stage, ecog, sites = node.told[KEY].statements
        assert (stage.effective, stage.said, stage.entered_at) == ("20260109", "IIIB", "20260111090000")
        assert (ecog.effective, ecog.said) == ("20260110081500+0100", None)
        assert (sites.value, sites.effective) == ((), None)

    @pytest.mark.parametrize(
        "body",
        [
            {"stage": 5},
            {"ldh_ratio": -1},
            {"ldh_ratio": 480},
            {"ldh": 2.0},
            {"sex": "X"},
            {"height_m": 172},
            {"birth_date": "19601301"},
            {"birth_date": "1960-12-01"},
            {"entered_at": "today"},
            {"stage": 3, "details": {"stage": {"by": "somebody else"}}},
            {"stage": 3, "details": {"stage": {"date": "20261301"}}},
            {"stage": 3, "details": {"ecog": {"date": "20260101"}}},
        ],
    )
    def test_what_is_wrong_is_refused(self, client: TestClient, node: FakeNode, body: dict[str, Any]) -> None:
        answer = client.put(PATIENT, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "WRONG_USAGE")
        assert not node.told

    def test_an_unknown_site_is_answered_with_the_known_ones(self, client: TestClient, node: FakeNode) -> None:
        answer = client.put(PATIENT, json={"extranodal_sites": ["liver", "spleen-of-jane"]})
        assert answer.status_code == 422
        assert "bone_marrow, bowel" in answer.json()["message"]
        assert "spleen-of-jane" not in answer.text
        assert not node.told

    def test_a_patient_needs_an_id(self, client: TestClient) -> None:
        for method in (client.put, client.get):
            for name in ("1234", "HOSP~"):
                request = {"json": {}} if method == client.put else {}
                assert method(f"/api/patients/{name}/clinical", **request).status_code == 400


class TestGet:
    def test_the_record_with_its_sources_and_everything_said(self, client: TestClient, node: FakeNode) -> None:
        client.put(PATIENT, json={"stage": 3})
        system = Statement("stage", 4, "fhir", "20260111", "20260105", said="IV")
        node.put_statements(PatientStatements(KEY, (system,)), replace_source=False)
        answer = client.get(PATIENT, params={"study_date": "20260110"})
        assert answer.status_code == 200
        content = answer.json()
        assert (content["study_date"], content["record"]["stage"]) == ("20260110", 3)
        assert content["record"]["sources"] == {"stage": "api"}
        (conflict,) = content["record"]["conflicts"]
        assert conflict["others"] == [{"value": 4, "source": "fhir", "date": "20260105"}]
        assert [(one["field"], one["source"], one["by"]) for one in content["statements"]] == [
            ("stage", "api", "api"),
            ("stage", "fhir", None),
        ]

    def test_of_a_patient_never_heard_of_nothing_is_known(self, client: TestClient) -> None:
        content = client.get("/api/patients/~0/clinical").json()
        assert (content["statements"], content["unusable"], content["record"]["sources"]) == ([], [], {})

    def test_a_date_that_is_none_is_refused(self, client: TestClient) -> None:
        assert client.get(PATIENT, params={"study_date": "today"}).status_code == 422


def bundle(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in entries]}


PERSON = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [
        {"type": {"coding": [{"code": "MR"}]}, "system": "urn:oid:1.2.3.4", "value": "4711"},
    ],
    "gender": "female",
    "birthDate": "1960-03-01",
}
LDH = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "14804-9"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-01-09",
    "valueQuantity": {"value": 480, "unit": "U/L"},
    "referenceRange": [{"high": {"value": 240, "unit": "U/L"}}],
}


class TestFhir:
    def test_a_bundle_is_taken_and_answered_by_patient(self, client: TestClient, node: FakeNode) -> None:
        no_limit = {**LDH, "effectiveDateTime": "2026-01-08", "referenceRange": []}
        stranger = {**LDH, "subject": {"reference": "Patient/nobody"}}
        answer = client.post("/api/fhir", json=bundle(PERSON, LDH, no_limit, stranger))
        assert answer.status_code == 200
        (taken,) = answer.json()["patients"]
        assert len(answer.json()["unattributed"]) == 1
        assert set(taken["fields"]) == {"birth_date", "sex", "ldh_ratio"}
        assert taken["jobs"] == [f"{JOB[:-1]}1"]
        assert [one["field"] for one in taken["unusable"]] == ["ldh_ratio"]
        assert taken["patient_key"] == "HOSP~4711"
        record = node.clinical(taken["patient_key"], "20260110").record
        assert (record.age_years, record.sex, record.ldh_ratio) == (65.0, "F", 2.0)

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"not json", "FHIR_UNREADABLE"),
            (b"\xff\xfe", "FHIR_UNREADABLE"),
            (b"[]", "FHIR_UNREADABLE"),
            (b"[" * 100_000, "FHIR_UNREADABLE"),
            (b"{}", "FHIR_UNREADABLE"),
            (json.dumps(bundle(LDH)).encode(), "FHIR_NO_PATIENT"),
        ],
    )
    def test_what_is_no_bundle_has_its_code(self, client: TestClient, node: FakeNode, body: bytes, code: str) -> None:
        answer = client.post("/api/fhir", content=body, headers={"Content-Type": "application/fhir+json"})
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert not node.told


class TestSize:
    def test_a_record_is_no_image(self, client: TestClient, node: FakeNode) -> None:
        answer = client.put(PATIENT, content=b" " * (REQUEST_BYTES + 1), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
        assert not node.told

    def test_a_bundle_may_be_larger_but_not_without_end(self, client: TestClient) -> None:
        padded = json.dumps(bundle(PERSON)).encode().ljust(REQUEST_BYTES + 1)
        assert client.post("/api/fhir", content=padded).status_code == 200
        answer = client.post("/api/fhir", content=b" " * (BUNDLE_BYTES + 1))
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")

    def test_a_length_that_is_not_told_is_counted(self, client: TestClient, node: FakeNode) -> None:
        def chunks() -> Iterator[bytes]:
            for _ in range(3):
                yield b" " * (REQUEST_BYTES // 2)

        answer = client.put(PATIENT, content=chunks(), headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
        assert not node.told

    def test_a_length_that_is_no_number_is_refused(self, client: TestClient) -> None:
        assert client.post("/api/fhir", content=b"{}", headers={"Content-Length": "-1"}).status_code == 413
