"""``make demo``: a study to Orthanc, another to the listener; the result objects come back into both archives.

Everything runs on free loopback ports in a temporary folder and is stopped at the end. ``--stay`` keeps it up.
Where Orthanc cannot be had, one study goes to the listener and the results are checked as files.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from nodal.delivery.dimse import no_delay, store
from nodal.dicom.patient import patient_key
from nodal.simulate import Order, simulate
from pydicom import Dataset, dcmread
from pynetdicom import AE, evt
from rich.console import Console
from rich.table import Table

from tests.e2e.node import NodeProcess, wait_for
from tests.e2e.orthanc import OrthancServer, orthanc_executable

MODALITIES = {"SEG": "SEG", "SR": "SR", "DOC": "PDF", "OT": "summary image"}
JOB_LIMIT_S = 300.0
ANSWER_LIMIT_S = 20.0
ASSOCIATIONS = 4
REPORTS = Path("out")
"""Stays after the demo, to look at."""
console = Console()


@dataclass(frozen=True)
class Study:
    """A virtual patient's study on its way."""

    folder: Path
    uid: str
    route: str


def send(folder: Path, port: int, ae_title: str) -> None:
    """C-STORE of every file below a folder; where an answer stays out, the rest goes over a new association."""
    left = [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    entity = AE(ae_title="DEMO")
    entity.maximum_pdu_size = 0
    entity.dimse_timeout = ANSWER_LIMIT_S
    for uid in sorted({str(dataset.SOPClassUID) for dataset in left}):
        entity.add_requested_context(uid)
    for _ in range(ASSOCIATIONS):
        open_ = [(evt.EVT_CONN_OPEN, no_delay)]
        association = entity.associate("127.0.0.1", port, ae_title=ae_title, evt_handlers=open_)
        if not association.is_established:
            raise ConnectionError(f"{ae_title} at port {port} took no association")
        while left and association.is_established:
            status = store(association, left[0]).get("Status")
            if status is None:
                association.abort()
            elif status != 0x0000:
                raise ConnectionError(f"{ae_title} answered 0x{status:04X}")
            else:
                left.pop(0)
        if not left:
            association.release()
            return
    raise ConnectionError(f"{ae_title} did not answer")


def results_in(orthanc: OrthancServer, study_uid: str) -> dict[str, Dataset]:
    """The result objects that an Orthanc holds of a study, by modality; only what a node has made."""
    query = {"Level": "Series", "Query": {"StudyInstanceUID": study_uid}, "Expand": True}
    found = {}
    for series in orthanc.client.post("/tools/find", json=query).json():
        if series["MainDicomTags"]["Modality"] in MODALITIES:
            file = orthanc.client.get(f"/instances/{series['Instances'][0]}/file").content
            found[series["MainDicomTags"]["Modality"]] = dcmread(BytesIO(file))
    return found


def check(results: dict[str, Dataset], findings: dict[str, Any], where: str) -> None:
    """Result objects against findings: segments, totals in the SR, a PDF that is one."""
    missing = [name for modality, name in MODALITIES.items() if modality not in results]
    if missing:
        raise AssertionError(f"{where} lacks {', '.join(missing)}")
    lesions = findings["lesions"]
    if len(results["SEG"].SegmentSequence) != len(lesions):
        raise AssertionError(f"{where}: {len(results['SEG'].SegmentSequence)} segments for {len(lesions)} lesions")
    tracked = {str(segment.TrackingUID) for segment in results["SEG"].SegmentSequence}
    if tracked != {lesion["tracking_uid"] for lesion in lesions}:
        raise AssertionError(f"{where}: the SEG tracks other lesions than the findings")
    if not _has_number(results["SR"], findings["totals"]["tmtv_ml"]):
        raise AssertionError(f"{where}: the SR does not hold the TMTV")
    if not results["DOC"].EncapsulatedDocument.startswith(b"%PDF-"):
        raise AssertionError(f"{where}: the report is no PDF")
    if not results["OT"].PixelData:
        raise AssertionError(f"{where}: the summary image is empty")


def _has_number(item: Dataset, value: float) -> bool:
    """Whether a NUM content item anywhere below holds the value to the SR's precision."""
    for measured in item.get("MeasuredValueSequence", ()):
        if abs(float(measured.NumericValue) - value) <= 1e-4 * max(1.0, value):
            return True
    return any(_has_number(child, value) for child in item.get("ContentSequence", ()))


def findings_of(node: NodeProcess, job_id: str) -> dict[str, Any]:
    """``findings.json`` of a job."""
    path = node.state_dir / "jobs" / job_id / "findings.json"
    findings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return findings


@contextmanager
def step(text: str) -> Iterator[None]:
    """Says what is being done, and how long it took."""
    begun = time.monotonic()
    with console.status(text):
        yield
    console.print(f"[green]✓[/] {text} [dim]({time.monotonic() - begun:.1f} s)[/]")


def virtual_studies(folder: Path, count: int) -> list[Path]:
    """DICOM folders of virtual patients."""
    return [made.study for made in simulate(Order(range(1, 1 + count), folder / "virtual"))]


def record_of(study: Path) -> dict[str, Any]:
    """What the clinic knows of a virtual patient, from the plan that lies beside the study."""
    patient = json.loads((study.parent / "truth" / "patient.json").read_text(encoding="utf-8"))
    known: dict[str, Any] = patient["plan"]["clinical"]
    return known


def put_record(node: NodeProcess, study: Path) -> None:
    """Sends the record as a hospital's system would, before the images come."""
    key = quote(patient_key(dcmread(next(study.rglob("*.dcm")), stop_before_pixels=True)), safe="")
    node.client.put(f"/api/patients/{key}/clinical", json=record_of(study)).raise_for_status()


def whole_report(study: Path, folder: Path) -> None:
    """The report with nomogram and risk groups: they need a volume without physiological uptake, here the true one."""
    truth, record = study.parent / "truth", folder / "record.json"
    record.write_text(json.dumps(record_of(study)), encoding="utf-8")
    out = REPORTS / "with-the-true-contour"
    words = ["process", study, "--out", out, "--clinical", record, "--json"]
    words += ["--reference", truth / "lesions.nii.gz", "--organs", truth / "organs.nii.gz"]
    with step("the whole report of the first patient, from the true contour"):
        command = [Path(sys.executable).with_name("nodal"), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"nodal process ended with {done.returncode}: {done.stderr[-500:]}")
    findings = json.loads(done.stdout)
    table = Table("index or system", "result", "group", title="What is said of the first patient")
    for index in (one for one in findings["indices"].values() if one and "points" in one):
        points = index["points"] if index["points"] is not None else "–".join(map(str, index["range"]))
        table.add_row(index["name"], f"{points} of {index['most_points']} points", index["group"] or "open")
    for name, system in findings["systems"].items():
        for endpoint, risk in system["endpoint"].items():
            said = ", ".join(f"{one['months'] / 12:.0f} y {one['probability']:.0%}" for one in risk["survival"])
            table.add_row(f"{name}, {endpoint.upper()}, {system['evidence']}", said, risk["group"] or "open")
    if not any(findings["nomograms"].values()):
        raise AssertionError("the report has no nomogram")
    console.print(table)
    console.print("The system was trained on virtual patients: not for clinical use.")
    console.print(f"the report: {out / 'report.pdf'}")


def with_orthanc(folder: Path, *, stay: bool) -> None:
    """The whole demo."""
    with ExitStack() as stack:
        with step("two virtual patients, PET and CT"):
            to_orthanc, to_listener = virtual_studies(folder, 2)
        node = NodeProcess(folder / "node")
        own = OrthancServer(folder / "orthanc", node_url=node.url, dicomweb=True)
        archive = OrthancServer(folder / "archive", ae_title="ARCHIVE")
        destination = {"name": "archive", "host": "127.0.0.1", "port": archive.dicom_port, "ae_title": "ARCHIVE"}
        node.settings = {
            "orthanc": {"url": own.url, "reconcile_s": 5},
            "destinations": [destination],
            "listener": {"forward_to_orthanc": True},
        }
        with step("Orthanc with our plugin, a second Orthanc as archive, the node"):
            for server in (own, archive, node):
                stack.callback(server.stop)
                server.start()
        studies = []
        with step("their clinical records, by the node's API"):
            for folder_of_study in (to_orthanc, to_listener):
                put_record(node, folder_of_study)
        with step("C-STORE of one study to Orthanc, of the other to the node's listener"):
            for source, port, title, route in (
                (to_orthanc, own.dicom_port, own.ae_title, "Orthanc"),
                (to_listener, node.dicom_port, "NODAL", "listener"),
            ):
                send(source, port, title)
                studies.append(Study(source, study_uid(source), route))
        table = found_table()
        for study in studies:
            with step(f"results of the study sent to the {study.route}"):
                job = node.wait_for_state(study.uid, "done", "refused", "failed", "parked", limit_s=JOB_LIMIT_S)
                if job["state"] != "done":
                    raise AssertionError(f"the job is {job['state']}: {job['code']}: {job['message']}")
                findings = findings_of(node, job["job_id"])
                for where in (own, archive):
                    check(arrived(where, study.uid), findings, where.ae_title)
            add_row(table, study.route, findings, job)
        console.print(table)
        console.print("SEG, SR, PDF and summary image are in both: the node's own Orthanc and the archive.")
        whole_report(to_orthanc, folder)
        look = f"{own.url}/app/explorer.html    audit: {own.url}/nodal/ui/audit"
        if stay:
            console.print(f"look at  {look}\narchive  {archive.url}/app/explorer.html\nCtrl-C stops everything")
            wait_for_interrupt()
        else:
            console.print(f"[dim]`make serve` keeps it up; then look at an address like {look}[/]", soft_wrap=True)


def arrived(where: OrthancServer, uid: str) -> dict[str, Dataset]:
    """The four result objects, as soon as an Orthanc has indexed them."""

    def all_four() -> dict[str, Dataset] | None:
        results = results_in(where, uid)
        return results if set(MODALITIES) <= set(results) else None

    return wait_for(f"result objects in {where.ae_title}", all_four, 30.0)


def without_orthanc(folder: Path, *, stay: bool) -> None:
    """Listener to files, with the same checks."""
    console.print("[yellow]Orthanc cannot be had here: the study goes to the listener, results stay in files.[/]")
    with step("a virtual patient, PET and CT"):
        (source,) = virtual_studies(folder, 1)
    with NodeProcess(folder / "node") as node:
        with step("C-STORE to the listener, and its results"):
            put_record(node, source)
            send(source, node.dicom_port, "NODAL")
            job = node.wait_for_state(study_uid(source), "done", "refused", "failed", "parked", limit_s=JOB_LIMIT_S)
            if job["state"] != "done":
                raise AssertionError(f"the job is {job['state']}: {job['code']}: {job['message']}")
            findings = findings_of(node, job["job_id"])
            check(result_files(node, job["job_id"]), findings, "the results folder")
        table = found_table()
        add_row(table, "listener", findings, job)
        console.print(table)
        whole_report(source, folder)
        if stay:
            console.print(f"jobs and audit: {node.url}/ui/audit\nCtrl-C stops everything")
            wait_for_interrupt()


def result_files(node: NodeProcess, job_id: str) -> dict[str, Dataset]:
    """The result objects of a job from the node's store, by modality."""
    objects = json.loads((node.state_dir / "jobs" / job_id / "objects.json").read_text(encoding="utf-8"))
    datasets = [dcmread(node.state_dir / "results" / entry["sha256"]) for entry in objects]
    return {str(dataset.Modality): dataset for dataset in datasets}


def study_uid(folder: Path) -> str:
    """Study Instance UID of the first file below a folder."""
    return str(dcmread(next(folder.rglob("*.dcm")), stop_before_pixels=True).StudyInstanceUID)


def found_table() -> Table:
    """The table of what was found."""
    return Table(
        "sent to", "lesions", "TMTV mL", "TLG g", "SUVmax", "field of view", "IPI", "seconds", title="What was found"
    )


def add_row(table: Table, route: str, findings: dict[str, Any], job: dict[str, Any]) -> None:
    """One study's line."""
    totals = findings["totals"]
    table.add_row(
        route,
        str(totals["lesion_count"]),
        f"{totals['tmtv_ml']:.0f}",
        f"{totals['tlg_g']:.0f}",
        f"{totals['suv_max']:.1f}",
        totals["field_of_view"],
        ipi_of(findings),
        f"{sum(job['stage_seconds'].values()):.1f}",
    )


def ipi_of(findings: dict[str, Any]) -> str:
    """Points of the IPI, which must be there: its factors were sent."""
    ipi = findings["indices"]["ipi"]
    if ipi is None or ipi["points"] is None:
        raise AssertionError("the IPI was not computed, though the clinical record was sent")
    return f"{ipi['points']} of 5"


def wait_for_interrupt() -> None:
    """Until Ctrl-C."""
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("stopping")


def main() -> int:
    """Exit code 0 when everything came back and was right."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--stay", action="store_true", help="stay up until Ctrl-C")
    stay = arguments.parse_args().stay
    logging.getLogger("pynetdicom").setLevel(logging.ERROR)
    folder = Path(tempfile.mkdtemp(prefix="nodal-demo-"))
    try:
        (with_orthanc if orthanc_executable() else without_orthanc)(folder, stay=stay)
    except (AssertionError, TimeoutError, RuntimeError, OSError, httpx.HTTPError, subprocess.SubprocessError) as error:
        console.print(f"[bold red]demo failed[/] {error}\nlogs are kept in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
