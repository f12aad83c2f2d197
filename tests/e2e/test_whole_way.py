"""The whole way of a study through the real node and real Orthancs: both routes, failures, kills, refusals."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from nodal.dicom.write import WrittenStudy
from nodal.jobs.model import Stage

from tests.demo import MODALITIES, arrived, check, findings_of, result_files, results_in, send
from tests.e2e.conftest import StartOrthanc
from tests.e2e.node import NodeProcess, wait_for
from tests.e2e.orthanc import OrthancServer, free_port

pytestmark = pytest.mark.e2e

ENDS = ("done", "refused", "failed", "parked")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    """A node that is not started yet; killed at the end."""
    made = NodeProcess(tmp_path / "node", {"delivery": {"retry_first_s": 0.5, "retry_max_s": 1.0}})
    yield made
    made.kill()


def with_orthanc(node: NodeProcess, own: OrthancServer, *destinations: dict[str, Any]) -> NodeProcess:
    node.settings = {
        **node.settings,
        "orthanc": {"url": own.url, "reconcile_s": 1.0},
        "destinations": list(destinations),
    }
    return node


def archive_at(port: int) -> dict[str, Any]:
    return {"name": "archive", "host": "127.0.0.1", "port": port, "ae_title": "ARCHIVE"}


def stage_counts(node: NodeProcess, job_id: str) -> Counter[str]:
    """How often each stage was finished, from the audit trail."""
    events = node.client.get("/api/audit", params={"job": job_id}).json()
    return Counter(event["action"].removesuffix("_done") for event in events if event["action"].endswith("_done"))


def test_one_study_by_both_routes_is_one_job(
    start_orthanc: StartOrthanc, node: NodeProcess, virtual_study: WrittenStudy
) -> None:
    own = start_orthanc("own", node_url=node.url)
    archive = start_orthanc("archive", ae_title="ARCHIVE")
    with_orthanc(node, own, archive_at(archive.dicom_port)).start()
    uid = virtual_study.study_instance_uid
    send(virtual_study.dicom, own.dicom_port, own.ae_title)
    job = node.wait_for_state(uid, *ENDS)
    assert job["state"] == "done", job
    for where in (own, archive):
        check(arrived(where, uid), findings_of(node, job["job_id"]), where.ae_title)
    send(virtual_study.dicom, node.dicom_port, "NODAL")
    wait_for("the second intake", lambda: _intakes_settled(node, 2), 60)
    assert len(node.jobs(uid)) == 1
    assert _objects(own, uid) == _objects(archive, uid) == 4


def _intakes_settled(node: NodeProcess, least: int) -> bool:
    events = node.client.get("/api/audit").json()
    return sum(event["action"] in ("study_selected", "study_known", "intake_selected") for event in events) >= least


def _objects(where: OrthancServer, uid: str) -> int:
    query = {"Level": "Series", "Query": {"StudyInstanceUID": uid}, "Expand": True}
    found = where.client.post("/tools/find", json=query).json()
    return sum(len(series["Instances"]) for series in found if series["MainDicomTags"]["Modality"] in MODALITIES)


def test_an_archive_that_is_down_gets_its_results_when_it_is_back(
    start_orthanc: StartOrthanc, node: NodeProcess, virtual_study: WrittenStudy
) -> None:
    own = start_orthanc("own", node_url=node.url)
    archive = start_orthanc("archive", ae_title="ARCHIVE")
    archive.kill()
    with_orthanc(node, own, archive_at(archive.dicom_port)).start()
    uid = virtual_study.study_instance_uid
    send(virtual_study.dicom, own.dicom_port, own.ae_title)
    assert node.wait_for_state(uid, "delivering", *ENDS)["state"] == "delivering"
    wait_for("a failed attempt", lambda: _attempts(node, uid) >= 2, 60)
    archive.start()
    job = node.wait_for_state(uid, *ENDS)
    assert job["state"] == "done"
    check(arrived(archive, uid), findings_of(node, job["job_id"]), "archive")
    assert set(stage_counts(node, job["job_id"]).values()) == {1}


def _attempts(node: NodeProcess, uid: str) -> int:
    (job,) = node.jobs(uid)
    return max((d["attempts"] for d in job["deliveries"] if d["destination"] == "archive"), default=0)


def test_a_destination_that_takes_no_comprehensive_3d_sr_gets_the_next_best(
    node: NodeProcess, virtual_study: WrittenStudy, tmp_path: Path
) -> None:
    from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage, SegmentationStorage
    from pynetdicom import AE, evt

    kept: dict[str, str] = {}

    def keep(event: evt.Event) -> int:
        kept[str(event.dataset.SOPInstanceUID)] = str(event.dataset.SOPClassUID)
        return 0x0000

    entity = AE(ae_title="OLD")
    for name in (ComprehensiveSRStorage, SegmentationStorage, SecondaryCaptureImageStorage):
        entity.add_supported_context(name)
    server = entity.start_server(("127.0.0.1", free_port()), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    try:
        old = {"name": "old", "host": "127.0.0.1", "port": server.server_address[1], "ae_title": "OLD"}
        node.settings = {**node.settings, "destinations": [old]}
        node.start()
        send(virtual_study.dicom, node.dicom_port, "NODAL")
        job = node.wait_for_state(virtual_study.study_instance_uid, *ENDS)
    finally:
        server.shutdown()
    assert job["state"] == "done"
    states = {(d["kind"], d["state"]) for d in job["deliveries"]}
    assert {("sr", "refused_permanent"), ("sr", "sent"), ("seg", "sent"), ("pdf", "refused_permanent")} <= states
    classes = Counter(kept.values())
    assert classes[ComprehensiveSRStorage] == 1
    assert classes[SegmentationStorage] == 1
    assert all(delivery["attempts"] == 1 for delivery in job["deliveries"]), "a rejected context is not tried again"


def test_orthanc_killed_before_the_study_is_stable(
    start_orthanc: StartOrthanc, node: NodeProcess, virtual_study: WrittenStudy
) -> None:
    own = start_orthanc("own", node_url=node.url, stable_age_s=30)
    with_orthanc(node, own).start()
    send(virtual_study.dicom, own.dicom_port, own.ae_title)
    own.kill()
    own.stable_age_s = 1
    own.start()
    job = node.wait_for_state(virtual_study.study_instance_uid, *ENDS)
    assert job["state"] == "done", job


def test_a_study_that_came_while_the_node_was_down(
    start_orthanc: StartOrthanc, node: NodeProcess, virtual_study: WrittenStudy
) -> None:
    own = start_orthanc("own", node_url=node.url)
    send(virtual_study.dicom, own.dicom_port, own.ae_title)
    time.sleep(2.5)  # stable by now, and nobody was there to hear of it
    with_orthanc(node, own).start()
    assert node.wait_for_state(virtual_study.study_instance_uid, *ENDS)["state"] == "done"


LEFT_BY = {
    Stage.SELECT: "request.json",
    Stage.LOAD: "selection.json",
    Stage.SEGMENT: "loaded.json",
    Stage.ANATOMY: "segmentation.json",
    Stage.PROGNOSIS: "measured.json",
    Stage.ENCODE: "findings.json",
    Stage.DELIVER: "objects.json",
}
"""A file that appears in the job's folder at the latest when the stage before is over: the signal to kill."""


@pytest.mark.kill
def test_killed_in_every_stage_it_goes_on_there(
    start_orthanc: StartOrthanc, node: NodeProcess, virtual_study: WrittenStudy
) -> None:
    own = start_orthanc("own", node_url=node.url)
    archive = start_orthanc("archive", ae_title="ARCHIVE")
    with_orthanc(node, own, archive_at(archive.dicom_port)).start()
    uid = virtual_study.study_instance_uid
    send(virtual_study.dicom, own.dicom_port, own.ae_title)
    jobs = node.state_dir / "jobs"
    for stage, signal in LEFT_BY.items():
        wait_for(f"the job at {stage}", partial(_left, jobs, signal), 60, pause_s=0.002)
        node.kill()
        node.start()
    job = node.wait_for_state(uid, *ENDS)
    assert job["state"] == "done", job
    for where in (own, archive):
        check(arrived(where, uid), findings_of(node, job["job_id"]), where.ae_title)
        assert _objects(where, uid) == 4, "the result arrived once"
    assert len(node.jobs(uid)) == 1
    counts = stage_counts(node, job["job_id"])
    told = [str(stage) for stage in LEFT_BY if stage is not Stage.DELIVER]  # that one is told object by object
    # twice only where the kill fell between the end of a stage and its record; from the start again would be many times
    assert {counts[stage] for stage in told} <= {1, 2}, counts


def _left(jobs: Path, signal: str) -> bool:
    return any(jobs.glob(f"*/{signal}"))


def test_a_refusal_is_visible_and_nothing_is_sent(
    start_orthanc: StartOrthanc, node: NodeProcess, tmp_path: Path
) -> None:
    from tests.virtual import small_virtual_study

    own = start_orthanc("own", node_url=node.url)
    with_orthanc(node, own).start()
    study = small_virtual_study(tmp_path / "heavy", seed=3, pet={"PatientWeight": None})
    send(study.dicom, own.dicom_port, own.ae_title)
    job = node.wait_for_state(study.study_instance_uid, *ENDS)
    assert (job["state"], job["code"]) == ("refused", "SUV_MISSING_WEIGHT")
    assert job["message"]
    assert results_in(own, study.study_instance_uid) == {}
    through = own.client.get("/nodal/api/jobs", params={"study": study.study_instance_uid})
    assert json.loads(through.text)[0]["code"] == "SUV_MISSING_WEIGHT"


def test_a_late_slice_supersedes_and_the_new_report_names_the_old(node: NodeProcess, tmp_path: Path) -> None:
    from tests.virtual import small_virtual_study

    study = small_virtual_study(tmp_path / "late", seed=4, pet={"NumberOfSlices": None})
    late = study.pet[-1].rename(tmp_path / "late.dcm")
    node.start()
    send(study.dicom, node.dicom_port, "NODAL")
    first = node.wait_for_state(study.study_instance_uid, *ENDS)
    (tmp_path / "rest").mkdir()
    late.rename(tmp_path / "rest/late.dcm")
    send(tmp_path / "rest", node.dicom_port, "NODAL")
    wait_for("a second job", lambda: len(node.jobs(study.study_instance_uid)) == 2, 60)
    second = node.wait_for_state(study.study_instance_uid, *ENDS)
    assert (first["state"], second["state"]) == ("done", "done")
    states = {job["job_id"]: job["state"] for job in node.jobs(study.study_instance_uid)}
    assert states == {first["job_id"]: "superseded", second["job_id"]: "done"}
    old, new = (result_files(node, job["job_id"])["SR"] for job in (first, second))
    (replaced,) = new.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert replaced.ReferencedSOPInstanceUID == old.SOPInstanceUID
