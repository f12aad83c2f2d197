"""The plugin in a real Orthanc, the pull from it, and the pages through it; the node behind is one in memory."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from nodal.api.app import create_app
from nodal.audit import Trail
from nodal.intake.orthanc import OrthancSource
from nodal.intake.reconcile import Reconciler
from nodal.jobs.model import IntakeView, StudySource
from nodal.settings import ApiSettings, OrthancSettings, Settings
from pydicom import Dataset, dcmread, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage
from pynetdicom import AE

from tests.e2e.conftest import StartOrthanc
from tests.e2e.orthanc import OrthancServer, free_port
from tests.unit.api.fake_node import JOB, FakeNode, job_view, refused_intake

pytestmark = pytest.mark.e2e

STUDY = "1.2.826.0.1.3680043.10.999.7"
SECRET = "a-secret-of-the-hospital"


def instance(number: int, *, study: str = STUDY, pet: bool = True) -> Dataset:
    """A small PET or CT instance; its pixels mean nothing here."""
    data_set = Dataset()
    data_set.SOPClassUID = PositronEmissionTomographyImageStorage if pet else CTImageStorage
    data_set.Modality = "PT" if pet else "CT"
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = UID(study), UID(f"{study}.{data_set.Modality == 'PT':d}")
    data_set.SOPInstanceUID = UID(f"{data_set.SeriesInstanceUID}.{number}")
    data_set.PatientID, data_set.PatientName, data_set.InstanceNumber = "E2E", "Virtual^Patient", number
    data_set.StudyDate, data_set.StudyDescription, data_set.SeriesDescription = "20260101", "FDG PET/CT", "slices"
    data_set.Rows = data_set.Columns = 16
    data_set.BitsAllocated = data_set.BitsStored = 16
    data_set.HighBit, data_set.PixelRepresentation, data_set.SamplesPerPixel = 15, 0, 1
    data_set.PhotometricInterpretation, data_set.PixelData = "MONOCHROME2", bytes(512)
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data_set


def encoded(data_set: Dataset) -> bytes:
    buffer = io.BytesIO()
    dcmwrite(buffer, data_set, enforce_file_format=True)
    return buffer.getvalue()


def wait_for(condition: Callable[[], object], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@dataclass
class NodeAtPort:
    """The node's real HTTP interface before a node in memory, on a port that stays the same when it is away."""

    node: FakeNode
    state_dir: Path
    port: int
    secret_file: Path | None = None
    announce: Callable[[str], IntakeView | None] | None = None
    _server: uvicorn.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def trail(self) -> Trail:
        return Trail(self.state_dir / "audit")

    def start(self) -> None:
        settings = Settings(state_dir=self.state_dir, api=ApiSettings(port=self.port, secret_file=self.secret_file))
        app = create_app(self.node, settings, self.trail, announce=self.announce)
        self._server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=self.port, log_level="error"))
        threading.Thread(target=self._server.run, daemon=True).start()
        wait_for(lambda: self._server is not None and self._server.started)

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            self._server = None


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[NodeAtPort]:
    """A node that is not started yet."""
    made = NodeAtPort(FakeNode([job_view()], [refused_intake()]), tmp_path / "state", free_port())
    yield made
    made.stop()


def hints(behind: NodeAtPort) -> list[str]:
    return [uid or "" for source, reason, uid in behind.node.submitted if reason == "stable_study"]


def send(orthanc: OrthancServer, *data_sets: Dataset) -> None:
    """C-STORE."""
    scu = AE("MODALITY")
    for sop_class in {data_set.SOPClassUID for data_set in data_sets}:
        scu.add_requested_context(sop_class, ExplicitVRLittleEndian)
    association = scu.associate("127.0.0.1", orthanc.dicom_port, ae_title=orthanc.ae_title)
    assert association.is_established
    assert all(association.send_c_store(data_set).Status == 0 for data_set in data_sets)
    association.release()


class TestAnnouncements:
    def test_a_stable_study_is_announced_once(self, start_orthanc: StartOrthanc, behind: NodeAtPort) -> None:
        behind.start()
        orthanc = start_orthanc(node_url=behind.url)
        send(orthanc, *(instance(number) for number in range(3)), instance(0, pet=False))
        wait_for(lambda: hints(behind))
        (study,) = orthanc.client.get("/studies").json()
        assert hints(behind) == [STUDY]
        assert behind.node.submitted[0][0] == StudySource("orthanc", orthanc_id=study)

    def test_node_down_does_not_hurt(self, start_orthanc: StartOrthanc, behind: NodeAtPort) -> None:
        orthanc = start_orthanc(node_url=behind.url)
        send(orthanc, instance(1))
        (study,) = orthanc.client.get("/studies").json()
        orthanc.wait_stable(study)
        begun = time.monotonic()
        send(orthanc, instance(2))
        assert orthanc.client.get("/system").status_code == 200
        # the announcing thread is waiting for the node all this time; a blocked core would take its 20 s
        assert time.monotonic() - begun < 5
        away = orthanc.client.get("/nodal/api/jobs")
        assert away.status_code == 503
        assert (away.json()["code"], away.json()["retry"]) == ("UNREACHABLE", True)
        behind.start()
        wait_for(lambda: hints(behind))
        assert hints(behind)[0] == STUDY

    def test_the_secret_is_shown(self, start_orthanc: StartOrthanc, behind: NodeAtPort, tmp_path: Path) -> None:
        behind.secret_file = tmp_path / "secret"
        behind.secret_file.write_text(SECRET, encoding="utf-8")
        behind.start()
        assert httpx.get(f"{behind.url}/api/jobs").status_code == 401
        orthanc = start_orthanc(node_url=behind.url, token_file=behind.secret_file)
        orthanc.upload(encoded(instance(1)))
        wait_for(lambda: hints(behind))
        assert orthanc.client.get("/nodal/api/jobs").status_code == 200
        behind.secret_file.write_text("another secret of no use", encoding="utf-8")
        wrong = orthanc.client.get("/nodal/api/jobs")
        assert wrong.status_code == 502
        assert "TokenFile" in wrong.json()["message"]

    @pytest.mark.parametrize(
        "section", [{"Url": "ftp://node"}, {"Url": 8095}, {"TokenFile": "/does/not/exist"}, "none"]
    )
    def test_a_wrong_configuration_leaves_orthanc_running(self, start_orthanc: StartOrthanc, section: object) -> None:
        orthanc = start_orthanc(node_url="http://127.0.0.1:9", extra={"Nodal": section})
        orthanc.upload(encoded(instance(1)))
        time.sleep(2.5)  # past the stable study
        assert orthanc.client.get("/system").status_code == 200
        assert orthanc.client.get("/nodal/api/jobs").status_code in (404, 503)
        assert "Nodal" in orthanc.log_tail(40)


class TestPassThrough:
    @pytest.fixture
    def orthanc(self, start_orthanc: StartOrthanc, behind: NodeAtPort) -> OrthancServer:
        behind.start()
        return start_orthanc(node_url=behind.url, user="dr", password="pässword")

    def test_reading(self, orthanc: OrthancServer, behind: NodeAtPort) -> None:
        jobs = orthanc.client.get("/nodal/api/jobs", params={"study": job_view().study_instance_uid})
        assert jobs.headers["content-type"] == "application/json"
        assert jobs.json() == httpx.get(f"{behind.url}/api/jobs").json()
        assert orthanc.client.get("/nodal/api/jobs", params={"study": "1.2"}).json() == []

    def test_pages_are_the_nodes_own_to_the_byte(self, orthanc: OrthancServer, behind: NodeAtPort) -> None:
        for address in ("/ui/audit", f"/ui/job/{JOB}", "/api/docs", "/ui/static/nodal.css", "/ui/static/nodal.js"):
            through, direct = orthanc.client.get(f"/nodal{address}"), httpx.get(behind.url + address)
            assert through.content == direct.content
            for header in ("content-type", "content-security-policy", "cache-control"):
                assert through.headers[header] == direct.headers[header]

    def test_asking_and_writing(self, orthanc: OrthancServer, behind: NodeAtPort) -> None:
        asked = orthanc.client.post(f"/nodal/api/jobs/{JOB}/rerun", json={"from_stage": "segment"})
        assert (asked.status_code, asked.json()["predecessor"]) == (202, JOB)
        written = orthanc.client.put("/nodal/api/patients/HOSP~%C3%A4%201/clinical", json={"stage": 2})
        assert written.status_code == 200
        assert behind.node.clinical("HOSP~ä 1").record.stage == 2
        assert behind.node.clinical_by == ["orthanc:dr"]
        assert {event.details.get("by") for event in behind.trail.events()} == {"orthanc:dr"}

    def test_errors_keep_their_form(self, orthanc: OrthancServer) -> None:
        for address, status in ((f"/nodal/api/jobs/{JOB}/retry", 409), ("/nodal/api/jobs/nothing/cancel", 404)):
            answer = orthanc.client.post(address)
            assert answer.status_code == status
            assert set(answer.json()) == {"code", "message", "retry"}

    def test_nothing_but_the_two_doors(self, orthanc: OrthancServer) -> None:
        for address in ("/nodal/metrics", "/nodal/x/api/jobs"):
            assert orthanc.client.get(address).status_code == 404
        assert orthanc.client.delete(f"/nodal/api/jobs/{JOB}").status_code == 405

    def test_orthancs_login_guards_it(self, orthanc: OrthancServer) -> None:
        assert httpx.get(f"{orthanc.url}/nodal/api/jobs").status_code == 401

    def test_folders_cannot_be_named_through_it(self, orthanc: OrthancServer, tmp_path: Path) -> None:
        answer = orthanc.client.post("/nodal/api/studies", json={"source": "folder", "path": str(tmp_path)})
        assert answer.status_code == 403


def source_of(orthanc: OrthancServer, **options: Callable[[str], bool]) -> OrthancSource:
    return OrthancSource(OrthancSettings(url=orthanc.url), **options)


def reconciler_of(source: OrthancSource, memory: dict[str, str], node: FakeNode) -> Reconciler[IntakeView]:
    return Reconciler(
        source,
        cursor=memory.get,
        put_cursor=memory.__setitem__,
        on_study=lambda orthanc_id, uid: node.submit(StudySource("orthanc", orthanc_id=orthanc_id), "reconcile", uid),
        interval_s=0.2,
    )


class TestPull:
    def test_fetch_and_store(self, start_orthanc: StartOrthanc, tmp_path: Path) -> None:
        orthanc = start_orthanc()
        sent = {data_set.SOPInstanceUID: data_set for data_set in (instance(1), instance(2), instance(1, pet=False))}
        send(orthanc, *sent.values())
        source = source_of(orthanc)
        (study,) = source.studies()
        assert study.study_instance_uid == STUDY
        folder = source.fetch(study.orthanc_id, tmp_path / "source")
        fetched = {data_set.SOPInstanceUID: data_set for data_set in map(dcmread, folder.iterdir())}
        assert fetched == sent
        first, second = source.store(encoded(instance(3))), source.store(encoded(instance(3)))
        assert (first.already, second.already, first.orthanc_id) == (False, True, second.orthanc_id)

    def test_a_login(self, start_orthanc: StartOrthanc, tmp_path: Path) -> None:
        orthanc = start_orthanc(user="node", password="orthanc")
        (tmp_path / "password").write_text("orthanc\n", encoding="utf-8")
        settings = OrthancSettings(url=orthanc.url, user="node", password_file=tmp_path / "password")
        assert OrthancSource(settings).version()

    @pytest.mark.kill
    def test_orthanc_killed_between_c_store_and_stable_study(self, start_orthanc: StartOrthanc) -> None:
        orthanc, node, memory = start_orthanc(stable_age_s=60), FakeNode(), {}
        reconciler = reconciler_of(source_of(orthanc), memory, node)
        reconciler.once()
        send(orthanc, instance(1), instance(2))
        orthanc.kill()
        orthanc.start()
        kinds = [change["ChangeType"] for change in orthanc.client.get("/changes").json()["Changes"]]
        assert "StableStudy" not in kinds
        reconciler.start()
        try:
            wait_for(lambda: node.submitted)
        finally:
            reconciler.stop()
        assert [uid for _, _, uid in node.submitted] == [STUDY]

    def test_own_results_make_no_loop(self, start_orthanc: StartOrthanc, behind: NodeAtPort) -> None:
        own: set[str] = set()
        orthanc = start_orthanc(node_url=behind.url)
        reconciler = reconciler_of(source_of(orthanc, is_own=own.__contains__), {}, behind.node)
        behind.announce = reconciler.announce
        behind.start()
        reconciler.start()
        try:
            send(orthanc, instance(1))
            wait_for(lambda: behind.node.submitted)
            own.add(instance(99).SOPInstanceUID)
            (study,) = orthanc.client.get("/studies").json()
            source_of(orthanc).store(encoded(instance(99)))
            orthanc.wait_stable(study)
            time.sleep(1.0)  # the plugin's hint and several readings of the log
            assert len(behind.node.submitted) == 1
            send(orthanc, instance(2))
            wait_for(lambda: len(behind.node.submitted) == 2)
        finally:
            reconciler.stop()


CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


def rendered(address: str, profile: Path) -> str:
    """The page as a browser has it after its scripts ran."""
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--virtual-time-budget=4000",
        "--dump-dom",
    ]
    assert CHROMIUM is not None, "Chromium is not installed: make setup"
    command = [CHROMIUM, *flags, f"--user-data-dir={profile}", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


@pytest.mark.browser
class TestInABrowser:
    @pytest.fixture
    def orthanc(self, start_orthanc: StartOrthanc, behind: NodeAtPort) -> OrthancServer:
        behind.start()
        orthanc = start_orthanc(node_url=behind.url)
        for number in range(3):
            orthanc.upload(encoded(instance(number)))
        return orthanc

    def panel(self, orthanc: OrthancServer, profile: Path) -> str:
        (study,) = orthanc.client.get("/studies").json()
        page = rendered(f"{orthanc.url}/app/explorer.html#study?uuid={study}", profile)
        return page.partition('id="nodal-panel"')[2].partition('id="list-series"')[0]

    def test_the_panel_of_a_finished_job(self, orthanc: OrthancServer, behind: NodeAtPort, tmp_path: Path) -> None:
        view = job_view(study_instance_uid=STUDY)
        delivered = view.deliveries[0].__class__("orthanc", "seg", str(instance(1).SOPInstanceUID), "sent", 1)
        behind.node.known_jobs = [job_view(study_instance_uid=STUDY, deliveries=(delivered,))]
        panel = self.panel(orthanc, tmp_path)
        for text in ("134.6", "SUVmax", "17.3", "prognosis", "Run again", "SEG: lesions", "Nodal audit", "done"):
            assert text in panel
        (hit,) = orthanc.client.post("/tools/lookup", content=str(instance(1).SOPInstanceUID)).json()
        assert f"#instance?uuid={hit['ID']}" in panel

    def test_the_panel_of_a_refused_study(self, orthanc: OrthancServer, behind: NodeAtPort, tmp_path: Path) -> None:
        sentence = "the <b>weight</b> is missing"
        refused = job_view(study_instance_uid=STUDY, state="refused", code="SUV_MISSING_WEIGHT", message=sentence)
        behind.node.known_jobs = [refused]
        panel = self.panel(orthanc, tmp_path)
        assert "SUV_MISSING_WEIGHT" in panel
        assert "the &lt;b&gt;weight&lt;/b&gt; is missing" in panel  # as text, never as markup
        assert "Try again" in panel

    def test_the_audit_page(self, orthanc: OrthancServer, behind: NodeAtPort, tmp_path: Path) -> None:
        behind.trail.record("select_done", job_id=JOB)
        page = rendered(f"{orthanc.url}/nodal/ui/audit", tmp_path)
        for text in (JOB[:8], "134.6", "PET_NOT_CORRECTED", "select done", ">done<"):
            assert text in page
        job = rendered(f"{orthanc.url}/nodal/ui/job/{JOB}", tmp_path)
        for text in ("Run again from", "6.4", "summary image", "select done"):
            assert text in job
