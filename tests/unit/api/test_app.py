"""The HTTP interface against a node in memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from nodal.api.app import create_app
from nodal.api.security import Guard
from nodal.audit import Trail
from nodal.errors import SettingsInvalid, SourceGone, Unreachable
from nodal.jobs.decisions import Decision
from nodal.jobs.model import IntakeView, StudySource
from nodal.jobs.results import ResultStore, objects_to_json
from nodal.jobs.workspace import Workspace
from nodal.report.inputs import ResultObject
from nodal.settings import ApiSettings, Settings
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from tests.unit.api.fake_node import JOB, ORTHANC_ID, STUDY, FakeNode, job_view, refused_intake

pytestmark = pytest.mark.unit

HINT = {"source": "orthanc", "orthanc_id": ORTHANC_ID, "study_instance_uid": STUDY, "reason": "stable_study"}
SECRET = "a-secret-of-the-hospital"


@pytest.fixture
def node() -> FakeNode:
    return FakeNode([job_view()], [refused_intake()])


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path / "audit")


def client_of(node: FakeNode, trail: Trail, state_dir: Path, **options: Any) -> TestClient:
    settings = Settings(state_dir=state_dir, api=options.pop("api", ApiSettings()))
    app = create_app(node, settings, trail, **options)
    return TestClient(app, base_url="http://127.0.0.1:8095", raise_server_exceptions=False)


@pytest.fixture
def client(node: FakeNode, trail: Trail, tmp_path: Path) -> Iterator[TestClient]:
    with client_of(node, trail, tmp_path) as made:
        yield made


class TestStudies:
    def test_a_study_in_orthanc_is_entered(self, client: TestClient, node: FakeNode) -> None:
        answer = client.post("/api/studies", json=HINT | {"reason": "asked in Orthanc"})
        assert answer.status_code == 202
        assert answer.json() == {"intake_id": node.known_intakes[0].intake_id, "job_id": None}
        assert node.submitted == [(StudySource("orthanc", orthanc_id=ORTHANC_ID), "asked in Orthanc", STUDY)]

    def test_a_folder_is_entered(self, client: TestClient, node: FakeNode, tmp_path: Path) -> None:
        answer = client.post("/api/studies", json={"source": "folder", "path": str(tmp_path)})
        assert answer.status_code == 202
        assert node.submitted[0][0] == StudySource("folder", path=tmp_path)

    @pytest.mark.parametrize(
        "body",
        [
            {"source": "orthanc"},
            {"source": "folder", "path": "relative"},
            {"source": "folder", "path": "/does/not/exist"},
            {"source": "orthanc", "orthanc_id": "../system"},
            {"source": "elsewhere"},
            HINT | {"priority": 1},
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, client: TestClient, node: FakeNode, body: dict[str, Any]) -> None:
        answer = client.post("/api/studies", json=body)
        assert answer.status_code in (400, 422)
        assert answer.json()["code"] == "WRONG_USAGE"
        assert set(answer.json()) == {"code", "message", "retry"}
        assert not node.submitted

    def test_orthancs_pages_may_not_name_folders(self, client: TestClient, node: FakeNode, tmp_path: Path) -> None:
        body = {"source": "folder", "path": str(tmp_path)}
        answer = client.post("/api/studies", json=body, headers={"X-Nodal-Via": "orthanc"})
        assert answer.status_code == 403
        assert not node.submitted

    def test_the_plugins_hint_goes_to_the_reconciler(self, node: FakeNode, trail: Trail, tmp_path: Path) -> None:
        seen: list[str] = []

        def announce(orthanc_id: str) -> IntakeView | None:
            seen.append(orthanc_id)
            return None

        with client_of(node, trail, tmp_path, announce=announce) as client:
            answer = client.post("/api/studies", json=HINT)
            assert answer.status_code == 202
            assert answer.json() == {"intake_id": None, "job_id": None}
            earlier = replace(refused_intake(), source=StudySource("orthanc", orthanc_id=ORTHANC_ID), job_id=JOB)
            node.known_intakes.insert(0, earlier)
            assert client.post("/api/studies", json=HINT).json() == {"intake_id": earlier.intake_id, "job_id": JOB}
        assert seen == [ORTHANC_ID, ORTHANC_ID]
        assert not node.submitted

    @pytest.mark.parametrize(
        ("error", "status", "retry"),
        [(Unreachable("Orthanc does not answer"), 503, True), (SourceGone("gone"), 410, False)],
    )
    def test_a_hint_while_orthanc_is_away(
        self, node: FakeNode, trail: Trail, tmp_path: Path, error: Exception, status: int, retry: bool
    ) -> None:
        def announce(orthanc_id: str) -> IntakeView | None:
            raise error

        with client_of(node, trail, tmp_path, announce=announce) as client:
            answer = client.post("/api/studies", json=HINT)
        assert (answer.status_code, answer.json()["retry"]) == (status, retry)

    def test_refused_studies_are_listed(self, client: TestClient) -> None:
        (intake,) = client.get("/api/intakes", params={"study": f"{STUDY}.2"}).json()
        assert (intake["state"], intake["code"]) == ("refused", "PET_NOT_CORRECTED")
        assert client.get("/api/intakes", params={"study": STUDY}).json() == []


class TestJobs:
    def test_listed_and_shown(self, client: TestClient) -> None:
        (listed,) = client.get("/api/jobs", params={"study": STUDY}).json()
        shown = client.get(f"/api/jobs/{JOB}").json()
        assert listed == shown
        assert shown["state"] == "done"
        assert shown["summary"]["tmtv_ml"] == 134.6
        assert shown["deliveries"][0]["sop_instance_uid"] == "2.25.100"
        assert client.get("/api/jobs", params={"study": "1.2"}).json() == []

    @pytest.mark.parametrize("job_id", ["f" * 32 + "-r0", "nonsense", "..%2F..%2Fetc"])
    def test_unknown(self, client: TestClient, job_id: str) -> None:
        answer = client.get(f"/api/jobs/{job_id}")
        assert answer.status_code == 404
        assert set(answer.json()) == {"code", "message", "retry"}

    @pytest.mark.parametrize("verb", ["cancel", "reject"])
    def test_verbs(self, client: TestClient, node: FakeNode, trail: Trail, verb: str) -> None:
        headers = {"X-Nodal-Via": "orthanc", "X-Nodal-User": "dr%20m%C3%BCller"}
        assert client.post(f"/api/jobs/{JOB}/{verb}", headers=headers).status_code == 202
        assert node.asked == [(verb, JOB)]
        (event,) = trail.events(job_id=JOB)
        assert (event.action, event.details["by"]) == (f"job_{verb}_asked", "orthanc:dr müller")

    def test_who_accepts_is_named_or_logged_in(self, client: TestClient, node: FakeNode, trail: Trail) -> None:
        answer = client.post(f"/api/jobs/{JOB}/accept", json={"observer": "Doe^Jane"})
        assert (answer.status_code, answer.json()["cause"], answer.json()["predecessor"]) == (202, "review", JOB)
        headers = {"X-Nodal-Via": "orthanc", "X-Nodal-User": "m%C3%BCller"}
        assert client.post(f"/api/jobs/{JOB}/accept", headers=headers).status_code == 202
        assert node.asked == [("accept by Doe^Jane", JOB), ("accept by müller", JOB)]
        told = [(event.details["by"], event.details["observer"]) for event in trail.events()]
        assert told == [("api", "Doe^Jane"), ("orthanc:müller", "müller")]

    @pytest.mark.parametrize("body", [None, {}, {"observer": "  "}, {"observer": "a\\b"}, {"observer": "x" * 65}])
    def test_nobody_accepts_without_a_name(self, client: TestClient, node: FakeNode, body: Any) -> None:
        answer = client.post(f"/api/jobs/{JOB}/accept", json=body)
        assert answer.status_code == 400
        assert answer.json()["message"]
        assert node.asked == []

    def test_a_state_that_does_not_fit(self, client: TestClient, node: FakeNode, trail: Trail) -> None:
        answer = client.post(f"/api/jobs/{JOB}/retry")
        assert answer.status_code == 409
        assert answer.json() == {
            "code": "JOB_STATE",
            "message": "the job is done; run it again instead",
            "retry": False,
        }
        assert not list(trail.events())

    def test_rerun_answers_with_the_new_revision(self, client: TestClient, node: FakeNode) -> None:
        answer = client.post(f"/api/jobs/{JOB}/rerun", json={"from_stage": "segment"})
        assert answer.status_code == 202
        assert answer.json()["job_id"].endswith("-r1")
        assert client.post(f"/api/jobs/{JOB}/rerun").status_code == 202
        assert client.post(f"/api/jobs/{JOB}/rerun", json={"from_stage": "guess"}).status_code == 422
        assert [verb for verb, _ in node.asked] == ["rerun segment", "rerun select"]


class TestCandidates:
    ADDRESS = f"/api/jobs/{JOB}/candidates"

    @pytest.mark.parametrize(
        ("body", "decision"),
        [
            ({"number": 2, "is_lesion": True}, Decision(True, rejected=2)),
            ({"lesion": 5, "is_lesion": False}, Decision(False, lesion=5)),
            ({"hottest_mm": [1.5, -20, 300.25], "is_lesion": True}, Decision(True, hottest_mm=(1.5, -20.0, 300.25))),
        ],
    )
    def test_a_word_makes_a_revision_and_says_who(
        self, client: TestClient, node: FakeNode, trail: Trail, body: dict[str, Any], decision: Decision
    ) -> None:
        headers = {"X-Nodal-Via": "orthanc", "X-Nodal-User": "reader"}
        answer = client.post(self.ADDRESS, json=body, headers=headers)
        assert answer.status_code == 202
        assert (answer.json()["job_id"][-3:], answer.json()["cause"]) == ("-r1", "correction")
        assert node.decisions == [(decision, "orthanc:reader")]
        (event,) = trail.events(job_id=answer.json()["job_id"])
        assert event.action == "job_candidate_decided"
        assert event.details == {"by": "orthanc:reader", "predecessor": JOB, **body}

    @pytest.mark.parametrize(
        "body",
        [
            {"is_lesion": True},
            {"number": 1},
            {"number": 1, "lesion": 1, "is_lesion": True},
            {"number": 0, "is_lesion": True},
            {"hottest_mm": [1, 2], "is_lesion": True},
            {"number": 1, "is_lesion": True, "volume_ml": 3},
        ],
    )
    def test_what_names_no_one_candidate_is_refused(
        self, client: TestClient, node: FakeNode, trail: Trail, body: dict[str, Any]
    ) -> None:
        answer = client.post(self.ADDRESS, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "WRONG_USAGE")
        assert not node.decisions
        assert not list(trail.events())

    def test_a_candidate_that_is_not_there(self, client: TestClient, trail: Trail) -> None:
        answer = client.post(self.ADDRESS, json={"number": 99, "is_lesion": True})
        assert (answer.status_code, answer.json()["code"]) == (404, "CANDIDATE_UNKNOWN")
        assert not list(trail.events())


class TestResults:
    @pytest.fixture
    def report(self, tmp_path: Path) -> bytes:
        data_set = Dataset()
        data_set.file_meta = FileMetaDataset()
        data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data_set.SOPClassUID, data_set.SOPInstanceUID = EncapsulatedPDFStorage, "2.25.102"
        data_set.EncapsulatedDocument, data_set.EncapsulatedDocumentLength = b"%PDF-1.7 odd\x00", 12
        buffer = io.BytesIO()
        dcmwrite(buffer, data_set, enforce_file_format=True)
        result = ResultObject("pdf", EncapsulatedPDFStorage, "2.25.102", buffer.getvalue(), "ab" * 32)
        workspace = Workspace(tmp_path / "jobs" / JOB)
        workspace.write_json(
            "objects.json", objects_to_json([ResultStore(tmp_path / "results").put(result, "orthanc")])
        )
        workspace.write_text("findings.json", '{"lesions": []}\n')
        return result.data

    def test_files_of_a_job(self, client: TestClient, report: bytes) -> None:
        (listed,) = client.get(f"/api/jobs/{JOB}/objects").json()
        assert (listed["kind"], listed["target"]) == ("pdf", "orthanc")
        fetched = client.get(f"/api/jobs/{JOB}/objects/{listed['sop_instance_uid']}")
        assert fetched.content == report
        assert dcmread(io.BytesIO(fetched.content)).SOPInstanceUID == "2.25.102"
        assert client.get(f"/api/jobs/{JOB}/findings.json").json() == {"lesions": []}

    def test_the_report_is_the_pdf_without_its_padding(self, client: TestClient, report: bytes) -> None:
        answer = client.get(f"/api/jobs/{JOB}/report.pdf")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.content == b"%PDF-1.7 odd"

    def test_before_there_are_any(self, client: TestClient) -> None:
        assert client.get(f"/api/jobs/{JOB}/objects").json() == []
        for name in ("report.pdf", "findings.json", "objects/2.25.1"):
            answer = client.get(f"/api/jobs/{JOB}/{name}")
            assert (answer.status_code, answer.json()["code"]) == (409, "JOB_STATE")


class TestNode:
    def test_audit_newest_first(self, client: TestClient, trail: Trail) -> None:
        for number in range(5):
            trail.record("select_done", job_id=JOB if number % 2 else None, study_instance_uid=STUDY, number=number)
        assert [event["details"]["number"] for event in client.get("/api/audit?limit=3").json()] == [4, 3, 2]
        assert [event["details"]["number"] for event in client.get(f"/api/audit?job={JOB}").json()] == [3, 1]
        assert client.get("/api/audit?study=1.2").json() == []

    def test_health(self, client: TestClient) -> None:
        health = client.get("/api/health").json()
        assert (health["status"], health["parts"]) == ("ok", {"listener": True, "orthanc": None})

    def test_metrics(self, client: TestClient) -> None:
        lines = client.get("/api/metrics").text.splitlines()
        assert 'nodal_jobs{state="done"} 1.0' in lines
        assert 'nodal_intakes{state="refused"} 1.0' in lines
        assert 'nodal_deliveries{destination="pacs",state="sent"} 4.0' in lines
        assert 'nodal_stage_seconds_sum{stage="load"} 6.4' in lines
        assert any(line.startswith("process_resident_memory_bytes ") for line in lines)

    def test_an_unexpected_fault_says_nothing_of_itself(self, client: TestClient, node: FakeNode) -> None:
        def broken() -> None:
            raise ZeroDivisionError("Doe^Jane")

        node.health = broken  # type: ignore[assignment, method-assign]
        answer = client.get("/api/health")
        assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
        assert "Doe" not in answer.text


class TestWhoMaySpeak:
    def test_without_a_secret_only_loopback_may_bind(self) -> None:
        with pytest.raises(SettingsInvalid, match="secret_file"):
            Guard(ApiSettings(host="0.0.0.0"))

    @pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example", "192.168.1.4:8095", ""])
    def test_without_a_secret_only_loopback_names_are_answered(self, client: TestClient, host: str) -> None:
        assert client.get("/api/jobs", headers={"Host": host}).status_code == 403

    @pytest.mark.parametrize("host", ["localhost:8095", "127.0.0.1", "[::1]:8095"])
    def test_loopback_names(self, client: TestClient, host: str) -> None:
        assert client.get("/api/jobs", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize("shown", [None, "Bearer wrong", f"Basic {SECRET}", "Bearer", f"Bearer {SECRET}x"])
    def test_with_a_secret(self, node: FakeNode, trail: Trail, tmp_path: Path, shown: str | None) -> None:
        (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
        api = ApiSettings(host="0.0.0.0", secret_file=tmp_path / "secret")
        with client_of(node, trail, tmp_path, api=api) as client:
            for address in ("/api/jobs", "/ui/audit", "/api/openapi.json", "/api/metrics"):
                refused = client.get(address, headers={"Authorization": shown} if shown else {})
                assert (refused.status_code, refused.json()["code"]) == (401, "FORBIDDEN")
            let_in = client.get("/api/jobs", headers={"Authorization": f"Bearer {SECRET}", "Host": "nodal.hospital"})
            assert let_in.status_code == 200

    @pytest.mark.parametrize("secret", [None, "", "short"])
    def test_a_secret_that_is_none(self, node: FakeNode, trail: Trail, tmp_path: Path, secret: str | None) -> None:
        if secret is not None:
            (tmp_path / "secret").write_text(secret, encoding="utf-8")
        with pytest.raises(SettingsInvalid):
            client_of(node, trail, tmp_path, api=ApiSettings(secret_file=tmp_path / "secret"))

    def test_another_sites_page_changes_nothing(self, client: TestClient, node: FakeNode) -> None:
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert client.post(f"/api/jobs/{JOB}/cancel", headers=headers).status_code == 403
        assert not node.asked
        assert client.post(f"/api/jobs/{JOB}/cancel", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 202


class TestPages:
    @pytest.mark.parametrize("address", ["/ui/audit", f"/ui/job/{JOB}", "/api/docs"])
    def test_load_nothing_from_elsewhere(self, client: TestClient, address: str) -> None:
        page = client.get(address)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert "://" not in page.text
        assert 'src="/' not in page.text
        assert 'href="/' not in page.text

    @pytest.mark.parametrize("name", ["nodal.css", "nodal.js", "audit.js", "candidates.js", "job.js", "docs.js"])
    def test_what_they_load(self, client: TestClient, name: str) -> None:
        found = client.get(f"/ui/static/{name}")
        assert found.status_code == 200
        assert "innerHTML" not in found.text
        assert "://" not in found.text

    @pytest.mark.parametrize("name", ["..%2Fapp.py", "nothing.css", "%2e%2e", "nodal"])
    def test_nothing_else_is_served(self, client: TestClient, name: str) -> None:
        assert client.get(f"/ui/static/{name}").status_code == 404

    def test_every_endpoint_is_described(self, client: TestClient) -> None:
        paths = client.get("/api/openapi.json").json()["paths"]
        assert {"/api/studies", "/api/jobs", "/api/jobs/{job_id}/rerun", "/api/audit", "/api/health"} <= set(paths)
        assert all(what.get("summary") for methods in paths.values() for what in methods.values())
