"""The round trip of a contour: our SEG, edited as in a viewer, comes back by either route and changes the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nodal.dicom.write import WrittenStudy
from pydicom import Dataset

from tests.demo import findings_of, result_files, send
from tests.e2e.conftest import StartOrthanc
from tests.e2e.node import NodeProcess, wait_for
from tests.edited import Edited, bytes_of, labels_of, tracking_of, write_like_a_viewer

pytestmark = pytest.mark.e2e

LIMIT_S = 240.0


@pytest.fixture
def node(tmp_path: Path) -> Iterator[NodeProcess]:
    """A node that draws by a plain threshold, without organs: quick, and much to correct."""
    made = NodeProcess(
        tmp_path / "node",
        {"segmentation": {"method": "suv4"}, "anatomy": {"engine": "none"}, "systems": ["site"]},
    )
    yield made
    made.kill()


def done(node: NodeProcess, uid: str, revision: int) -> dict[str, Any]:
    """The job of a revision, when it is done."""

    def asked() -> dict[str, Any] | None:
        jobs = node.jobs(uid)
        assert not any(job["state"] in ("failed", "refused") for job in jobs), jobs
        return next((job for job in jobs if (job["revision"], job["state"]) == (revision, "done")), None)

    return wait_for(f"revision {revision}", asked, LIMIT_S)


def events(node: NodeProcess, action: str) -> list[dict[str, Any]]:
    return [one for one in node.client.get("/api/audit", params={"limit": 1000}).json() if one["action"] == action]


def volumes(findings: dict[str, Any]) -> dict[int, float]:
    return {one["number"]: one["volume_ml"] for one in findings["lesions"]}


def tracked(findings: dict[str, Any]) -> dict[int, str]:
    return {one["number"]: one["tracking_uid"] for one in findings["lesions"]}


def references(sr: Dataset, name: str) -> str:
    """The one instance that an SR names under Predecessor Documents or Pertinent Other Evidence."""
    ((item,),) = ([one for series in study.ReferencedSeriesSequence for one in series.ReferencedSOPSequence]
                  for study in sr[name].value)  # fmt: skip
    return str(item.ReferencedSOPInstanceUID)


def to_listener(node: NodeProcess, seg: Dataset, folder: Path) -> None:
    """By C-STORE, alone."""
    folder.mkdir()
    (folder / "contour.dcm").write_bytes(bytes_of(seg))
    send(folder, node.dicom_port, "NODAL")


def test_an_edited_contour_comes_back_and_the_numbers_follow(
    start_orthanc: StartOrthanc, node: NodeProcess, virtual_study: WrittenStudy, tmp_path: Path
) -> None:
    own = start_orthanc("own", node_url=node.url)
    node.settings = {**node.settings, "orthanc": {"url": own.url, "reconcile_s": 1.0}}
    node.start()
    uid = virtual_study.study_instance_uid
    send(virtual_study.dicom, node.dicom_port, "NODAL")
    first = done(node, uid, 0)
    before, ours = findings_of(node, first["job_id"]), result_files(node, first["job_id"])
    labels, names = labels_of(ours["SEG"], virtual_study.pet), tracking_of(ours["SEG"])
    numbers = {one["tracking_uid"]: one["number"] for one in before["lesions"]}
    largest, *rest = sorted(names, key=lambda number: -int((labels == number).sum()))

    # BINARY to the listener: the largest is gone, a new one is drawn where there was none, the others have new numbers
    drawn = np.zeros(labels.shape, dtype=np.bool_)
    drawn[2:4, 2:5, 2:5] = True
    kept = [Edited(labels == number, names[number]) for number in reversed(rest)]
    edited = write_like_a_viewer(virtual_study.pet, [Edited(drawn), *kept])
    to_listener(node, edited, tmp_path / "binary")
    second = done(node, uid, 1)
    after, report = findings_of(node, second["job_id"]), result_files(node, second["job_id"])
    assert (second["cause"], second["predecessor"]) == ("correction", first["job_id"])
    assert node.client.get(f"/api/jobs/{first['job_id']}").json()["state"] == "superseded"
    gone = numbers[names[largest]]
    new = max(numbers.values()) + 1
    assert tracked(after).keys() == (tracked(before).keys() - {gone}) | {new}
    assert {number: tracked(after)[number] for number in tracked(after) if number != new} == {
        number: name for number, name in tracked(before).items() if number != gone
    }
    assert {number: ml for number, ml in volumes(after).items() if number != new} == pytest.approx(
        {number: ml for number, ml in volumes(before).items() if number != gone}
    )
    assert after["segmentation"]["reference_sop_instance_uid"] == edited.SOPInstanceUID
    assert references(report["SR"], "PertinentOtherEvidenceSequence") == edited.SOPInstanceUID
    assert references(report["SR"], "PredecessorDocumentsSequence") == ours["SR"].SOPInstanceUID
    assert edited.SeriesInstanceUID in {one.SeriesInstanceUID for one in report["SEG"].ReferencedSeriesSequence}
    told = node.client.get(f"/api/jobs/{second['job_id']}/difference").json()
    assert told["tmtv_ml"] == pytest.approx([before["totals"]["tmtv_ml"], after["totals"]["tmtv_ml"]])
    assert told["line"].startswith(f"TMTV {before['totals']['tmtv_ml']:.1f} -> {after['totals']['tmtv_ml']:.1f} mL")

    # LABELMAP to Orthanc, which holds nothing of the study but our results: the new one is gone again
    names = tracking_of(report["SEG"])
    labels = labels_of(report["SEG"], virtual_study.pet)
    left = [Edited(labels == number, name) for number, name in names.items() if name != tracked(after)[new]]
    own.upload(bytes_of(write_like_a_viewer(virtual_study.pet, left, "LABELMAP")))
    third = done(node, uid, 2)
    last = findings_of(node, third["job_id"])
    assert tracked(last).keys() == tracked(before).keys() - {gone}
    assert [one["outcome"] for one in events(node, "contour_taken")] == ["ok", "ok"]

    # a stranger's contour of the same PET, and ours once more
    foreign = write_like_a_viewer(virtual_study.pet, [Edited(drawn)])
    to_listener(node, foreign, tmp_path / "foreign")
    (passed,) = wait_for("the foreign contour", lambda: events(node, "contour_passed_over") or None, LIMIT_S)
    assert passed["details"]["sop_instance_uid"] == foreign.SOPInstanceUID
    known = len(events(node, "study_known"))
    to_listener(node, edited, tmp_path / "again")
    to_listener(node, ours["SEG"], tmp_path / "ours")
    wait_for("the second look", lambda: len(events(node, "study_known")) > known, LIMIT_S)
    assert [job["revision"] for job in node.jobs(uid)] == [2, 1, 0]

    # by hand: no lesion at all
    empty = write_like_a_viewer(virtual_study.pet, left[:1])
    empty.PixelData = b"\0" * len(empty.PixelData)
    answer = node.client.post(f"/api/jobs/{third['job_id']}/contour", content=bytes_of(empty))
    assert answer.status_code == 202, answer.text
    none = findings_of(node, done(node, uid, 3)["job_id"])
    assert (none["lesions"], none["totals"]["tmtv_ml"]) == ([], 0.0)
    bad = node.client.post(f"/api/jobs/{answer.json()['job_id']}/contour", content=b"not DICOM")
    assert (bad.status_code, bad.json()["code"]) == (422, "CONTOUR_UNREADABLE")
