"""A clinical record reaches a real node after the job: by a caller, by FHIR, and from a file beside the study."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nodal.dicom.write import WrittenStudy
from pydicom import Dataset, dcmread

from tests.e2e.node import NodeProcess, wait_for

pytestmark = pytest.mark.e2e

LIMIT_S = 120.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    """A node without an Orthanc, whose results wait for a person."""
    made = NodeProcess(tmp_path / "node", {"delivery": {"release": "after_review"}})
    with made:
        yield made


@pytest.fixture
def folder(virtual_study: WrittenStudy, tmp_path: Path) -> Path:
    """The study with a record beside it."""
    shutil.copytree(virtual_study.dicom, tmp_path / "study")
    (tmp_path / "study" / "clinical.yaml").write_text("stage: 2\nbulky: false\n", encoding="utf-8")
    return tmp_path / "study"


def reached(node: NodeProcess, job_id: str) -> dict[str, Any]:
    def asked() -> dict[str, Any] | None:
        view: dict[str, Any] = node.client.get(f"/api/jobs/{job_id}").json()
        assert view["state"] not in ("failed", "refused"), view
        return view if view["state"] == "awaiting_review" else None

    return wait_for(f"job {job_id}", asked, LIMIT_S)


def findings(node: NodeProcess, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = node.client.get(f"/api/jobs/{job_id}/findings.json").json()
    return found


def stages_run(node: NodeProcess, job_id: str) -> list[str]:
    events = node.client.get("/api/audit", params={"job": job_id}).json()
    return [event["details"]["stage"] for event in reversed(events) if event["action"] == "stage_begun"]


def result(node: NodeProcess, job_id: str, kind: str) -> Dataset:
    listed = node.client.get(f"/api/jobs/{job_id}/objects").json()
    uid = next(one["sop_instance_uid"] for one in listed if one["kind"] == kind)
    return dcmread(io.BytesIO(node.client.get(f"/api/jobs/{job_id}/objects/{uid}").content))


def segmentation(node: NodeProcess, job_id: str) -> bytes:
    pixels: bytes = result(node, job_id, "seg").PixelData
    return pixels


def report(node: NodeProcess, job_id: str) -> Dataset:
    return result(node, job_id, "sr")


def bundle_of(virtual_study: WrittenStudy) -> dict[str, Any]:
    """What a hospital's FHIR server would say of the study's patient."""
    header = dcmread(virtual_study.pet[0], stop_before_pixels=True)
    issuer = str(header.get("IssuerOfPatientID", "") or "")
    identifier = {"type": {"coding": [{"code": "MR"}]}, "value": str(header.PatientID)}
    person = {
        "resourceType": "Patient",
        "id": "p",
        "identifier": [identifier | ({"system": issuer} if issuer else {})],
    }
    ecog = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "89247-1"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": f"{header.StudyDate[:4]}-{header.StudyDate[4:6]}-{header.StudyDate[6:]}",
        "valueInteger": 1,
    }
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": person}, {"resource": ecog}]}


def test_a_record_that_comes_late(node: NodeProcess, folder: Path, virtual_study: WrittenStudy) -> None:
    entered = node.client.post("/api/studies", json={"source": "folder", "path": str(folder)})
    intake = entered.json()["intake_id"]

    def job_of_intake() -> str | None:
        views = node.client.get("/api/intakes").json()
        return next((view["job_id"] for view in views if view["intake_id"] == intake), None)

    first = wait_for("the job", job_of_intake, LIMIT_S)
    reached(node, first)
    before = findings(node, first)
    assert (before["clinical"]["stage"], before["clinical"]["sources"]["stage"]) == (2, "file")
    assert before["clinical"]["sources"]["sex"] == "dicom"

    header = dcmread(virtual_study.pet[0], stop_before_pixels=True)
    patient = f"/api/patients/{header.get('IssuerOfPatientID', '') or ''}~{header.PatientID}/clinical"
    record = {"stage": 4, "ldh_ratio": 2.0, "details": {"ldh_ratio": {"said": "480 U/L, upper limit 240 U/L"}}}
    (revised,) = node.client.put(patient, json=record).json()
    assert (revised["cause"], revised["predecessor"]) == ("clinical", first)
    reached(node, revised["job_id"])
    after = findings(node, revised["job_id"])
    assert stages_run(node, revised["job_id"]) == ["prognosis", "encode"]
    assert (after["clinical"]["stage"], after["clinical"]["bulky"]) == (4, False)
    assert after["clinical"]["said"]["ldh_ratio"] == "480 U/L, upper limit 240 U/L"
    (conflict,) = after["clinical"]["conflicts"]
    assert (conflict["used"]["source"], conflict["others"][0]["value"]) == ("api", 2)
    assert [one["tracking_uid"] for one in after["lesions"]] == [one["tracking_uid"] for one in before["lesions"]]
    assert after["totals"] == before["totals"]
    assert segmentation(node, revised["job_id"]) == segmentation(node, first)
    assert node.client.put(patient, json=record).json() == []

    answer = node.client.post("/api/fhir", json=bundle_of(virtual_study))
    assert answer.status_code == 200, answer.text
    (taken,) = answer.json()["patients"]
    assert (taken["fields"], taken["unusable"]) == (["ecog"], [])
    (third,) = taken["jobs"]
    reached(node, third)
    assert findings(node, third)["clinical"]["ecog"] == 1
    assert node.client.post("/api/fhir", json=bundle_of(virtual_study)).json()["patients"][0]["jobs"] == []

    asked = node.client.post(f"/api/jobs/{third}/accept", json={"observer": "Doe^Jane"})
    assert asked.status_code == 202, asked.text
    released = asked.json()["job_id"]
    wait_for("the verified report", lambda: node.client.get(f"/api/jobs/{released}").json()["state"] == "done", LIMIT_S)
    assert stages_run(node, released) == ["encode"]
    held, verified = (report(node, job_id) for job_id in (third, released))
    assert (held.VerificationFlag, verified.VerificationFlag) == ("UNVERIFIED", "VERIFIED")
    assert verified.VerifyingObserverSequence[0].VerifyingObserverName == "Doe^Jane"
    (study,) = verified.PredecessorDocumentsSequence
    assert study.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == held.SOPInstanceUID
    assert findings(node, released)["review"]["observer"] == "Doe^Jane"

    known = node.client.get(patient).json()
    assert known["study_date"] == header.StudyDate
    assert {(one["field"], one["source"]) for one in known["statements"]} == {
        ("stage", "api"), ("ldh_ratio", "api"), ("ecog", "fhir"),
    }  # fmt: skip
    log = node.log_file.read_text(errors="replace")
    trail = "".join(path.read_text() for path in (node.state_dir / "audit").iterdir())
    assert str(header.PatientID) not in log
    assert "480 U/L" not in log + trail
    assert not any(str(header.PatientID) == value for value in _texts(trail))


def _texts(trail: str) -> Iterator[str]:
    for line in trail.splitlines():
        yield from (str(value) for value in json.loads(line)["details"].values())
