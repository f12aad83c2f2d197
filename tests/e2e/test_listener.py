"""The listener against senders made by others: DCMTK's storescu and dcmsend, and pynetdicom's SCU."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from nodal.audit import Trail
from nodal.dicom.digest import canonical_digest
from nodal.errors import Code
from nodal.intake.listener import TRANSFER_SYNTAXES, Listener
from nodal.intake.spool import Spool
from nodal.intake.watch import StudyWatch
from nodal.settings import ListenerSettings
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    CTImageStorage,
    EncapsulatedPDFStorage,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    generate_uid,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import LabelMapSegmentationStorage, Verification

pytestmark = pytest.mark.e2e

ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
LIMIT_S = 60


def wait_until(done, limit_s: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def ct_slice(number: int, *, study: str = "1.2.826.1", series: str = "1.2.826.2", size: int = 64) -> Dataset:
    """A valid enough CT slice with noise in 12 bits."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, UID(f"{series}.{number}")
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = study, series, "CT"
    made.PatientID = made.PatientName = "SECRET"
    made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    made.Rows = made.Columns = size
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.SamplesPerPixel, made.PhotometricInterpretation, made.InstanceNumber = 1, "MONOCHROME2", number
    made.PixelData = np.random.default_rng(number).integers(0, 4096, (size, size), dtype=np.uint16).tobytes()
    return made


def saved(folder: Path, slices: list[Dataset]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{image.SOPInstanceUID}.dcm" for image in slices]
    for image, path in zip(slices, paths, strict=True):
        image.save_as(path, enforce_file_format=True)
    return paths


class Receiver:
    """A listener with its spool and trail, on a free port."""

    def __init__(self, folder: Path, *, floor_bytes: int = 0, **settings: object) -> None:
        self.spool = Spool(folder / "spool", folder / "quarantine", floor_bytes=floor_bytes)
        self.trail = Trail(folder / "audit")
        self.listener = Listener(ListenerSettings(port=0, **settings), self.spool, self.trail)  # type: ignore[arg-type]
        self.listener.start()

    @property
    def port(self) -> int:
        return self.listener.port

    def files(self) -> list[Path]:
        return sorted(self.spool.folder.glob("*/*/*.dcm"))

    def events(self, action: str) -> list:  # type: ignore[type-arg]
        return [event for event in self.trail.events() if event.action == action]

    def dcmtk(self, tool: str, *arguments: object, called: str = "NODAL") -> subprocess.CompletedProcess[bytes]:
        if shutil.which(tool) is None:
            pytest.fail("DCMTK is not installed: make setup")
        command = [tool, "-aec", called, *map(str, arguments[:-1]), "127.0.0.1", str(self.port)]
        command += [str(item) for item in arguments[-1]]  # type: ignore[attr-defined]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=LIMIT_S, check=False)

    def send(self, *images: Dataset, calling: str = "SCANNER", syntaxes: tuple[str, ...] = ()) -> list[int | None]:
        """Sends over one association; the statuses, None where the connection broke."""
        ae = AE(ae_title=calling)
        for class_uid in {image.SOPClassUID for image in images}:
            ae.add_requested_context(class_uid, list(syntaxes) or [ExplicitVRLittleEndian])
        association = ae.associate("127.0.0.1", self.port, ae_title="NODAL")
        assert association.is_established
        statuses = [association.send_c_store(image).get("Status") for image in images]
        association.release()
        return statuses


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path)
    yield made
    made.listener.stop()


def test_echo_and_a_whole_series_by_storescu_and_dcmsend(receiver: Receiver, tmp_path: Path) -> None:
    assert receiver.dcmtk("echoscu", []).returncode == 0
    first = saved(tmp_path / "a", [ct_slice(n) for n in range(12)])
    second = saved(tmp_path / "b", [ct_slice(n, series="1.2.826.3") for n in range(12)])
    assert receiver.dcmtk("storescu", "-R", first).returncode == 0
    assert receiver.dcmtk("dcmsend", second).returncode == 0
    assert len(receiver.files()) == 24
    for path in first + second:
        (kept,) = receiver.spool.folder.glob(f"*/*/{path.name}")
        assert canonical_digest(kept) == canonical_digest(path)

    wait_until(lambda: len(receiver.events("association_ended")) == 2)
    ended = receiver.events("association_ended")
    assert [event.details["instances"] for event in ended] == [12, 12]
    assert [event.details["series"] for event in ended] == [{"1.2.826.2": 12}, {"1.2.826.3": 12}]
    assert {event.outcome for event in ended} == {"ok"}
    assert all("SECRET" not in day.read_text() for day in (tmp_path / "audit").iterdir())


@pytest.mark.parametrize(
    "tool",
    [
        ["dcmcjpeg"],
        ["dcmcjpeg", "+el"],
        ["dcmcjpls"],
        ["dcmcrle"],
        ["dcmconv", "+td"],
        ["dcmconv", "+tb"],
        ["dcmconv", "+ti"],
    ],
)
def test_compressed_by_dcmtk_arrives_compressed_and_decodes_to_the_same(
    receiver: Receiver, tmp_path: Path, tool: list[str]
) -> None:
    (plain,) = saved(tmp_path / "a", [ct_slice(1)])
    packed = tmp_path / "packed.dcm"
    subprocess.run([*tool, plain, packed], check=True, capture_output=True)
    syntax = dcmread(packed).file_meta.TransferSyntaxUID
    (status,) = receiver.send(dcmread(packed), syntaxes=(syntax,))
    assert status == 0x0000
    (kept,) = receiver.files()
    assert dcmread(kept).file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(dcmread(kept).pixel_array, dcmread(plain).pixel_array)
    assert canonical_digest(kept) == canonical_digest(plain)


def test_every_syntax_offered_can_be_decoded_here_and_every_class_is_taken(receiver: Receiver) -> None:
    for syntax in TRANSFER_SYNTAXES:
        assert get_decoder(syntax).is_available, syntax.name
    classes = [
        CTImageStorage, PositronEmissionTomographyImageStorage, EnhancedCTImageStorage, EnhancedPETImageStorage,
        SegmentationStorage, LabelMapSegmentationStorage, RTStructureSetStorage, BasicTextSRStorage,
        Comprehensive3DSRStorage, EncapsulatedPDFStorage, SecondaryCaptureImageStorage,
        KeyObjectSelectionDocumentStorage,
    ]  # fmt: skip
    ae = AE(ae_title="ANYONE")
    for class_uid in classes:
        ae.add_requested_context(class_uid, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", receiver.port, ae_title="NODAL")
    assert {context.abstract_syntax for context in association.accepted_contexts} == set(classes)
    association.release()


def test_an_unknown_caller_and_a_wrong_called_title_are_rejected_and_audited(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path, allowed_callers=("SCANNER",))
    try:
        for calling, called in (("STRANGER", "NODAL"), ("SCANNER", "OTHER")):
            ae = AE(ae_title=calling)
            ae.add_requested_context(Verification)
            assert ae.associate("127.0.0.1", receiver.port, ae_title=called).is_rejected
        assert receiver.send(ct_slice(1)) == [0x0000]
        wait_until(lambda: len(receiver.events("association_rejected")) == 2)
        stranger, lost = receiver.events("association_rejected")
        assert (stranger.code, stranger.details["caller"]) == (Code.CALLER_UNKNOWN, "STRANGER")
        assert (lost.code, lost.details["called"]) == (Code.FORBIDDEN, "OTHER")
        assert receiver.events("association_accepted")[0].details["caller"] == "SCANNER"
    finally:
        receiver.listener.stop()


def test_what_cannot_be_placed_is_quarantined_and_the_rest_of_the_association_goes_on(receiver: Receiver) -> None:
    homeless = ct_slice(1)
    del homeless.StudyInstanceUID
    climbing = ct_slice(2)
    climbing.SeriesInstanceUID = "../../../tmp"
    assert receiver.send(homeless, climbing, ct_slice(3)) == [0xC000, 0xC000, 0x0000]
    assert len(receiver.files()) == 1
    assert len(list(receiver.spool.quarantine.glob("*.dcm"))) == 2
    assert [event.code for event in receiver.events("instance_quarantined")] == [Code.NOT_DICOM] * 2
    wait_until(lambda: receiver.events("association_ended"))
    assert receiver.events("association_ended")[0].details["refused"] == {"NOT_DICOM": 2}


def test_a_disk_nearly_full_is_said_to_the_sender(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path, floor_bytes=1 << 60)
    try:
        assert receiver.send(ct_slice(1)) == [0xA700]
        assert receiver.files() == []
    finally:
        receiver.listener.stop()


def test_sent_again_once_changed_once_not(receiver: Receiver) -> None:
    changed = ct_slice(1)
    changed.ImageComments = "corrected"
    assert receiver.send(ct_slice(1), ct_slice(1), changed) == [0x0000] * 3
    (kept,) = receiver.files()
    assert dcmread(kept).ImageComments == "corrected"
    (replaced,) = receiver.events("instance_replaced")
    assert (receiver.spool.quarantine / replaced.details["quarantined"]).exists()


def test_garbage_and_dropped_connections_do_not_end_the_listener(receiver: Receiver) -> None:
    for bytes_ in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\0" + struct.pack(">I", 1 << 31), b"\x04\0\0\0\0\x08abcdefgh", b""):
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=5) as raw:
            raw.sendall(bytes_)
    ae = AE(ae_title="SCANNER")
    ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = ae.associate("127.0.0.1", receiver.port, ae_title="NODAL")
    assert association.send_c_store(ct_slice(1)).Status == 0x0000
    association.dul.socket.socket.sendall(b"\x04\0\0\x01\0\0half a PDU")
    association.dul.socket.socket.shutdown(socket.SHUT_RDWR)

    assert receiver.send(ct_slice(2)) == [0x0000]
    assert [path.name for path in receiver.files()] == ["1.2.826.2.1.dcm", "1.2.826.2.2.dcm"]
    wait_until(lambda: len(receiver.events("association_ended")) == 2)
    assert {e.details["ended"] for e in receiver.events("association_ended")} == {"aborted", "released"}


def test_several_at_once_interleaved_and_each_study_handed_on_once(receiver: Receiver, tmp_path: Path) -> None:
    handed_on: list[str] = []
    watch = StudyWatch(receiver.spool, 1.5, lambda uid, folder: handed_on.append(uid))
    watch.start(every_s=0.1)
    studies = [generate_uid() for _ in range(3)]
    senders = []
    if shutil.which("storescu") is None:
        pytest.fail("DCMTK is not installed: make setup")
    for part in range(4):
        slices = [ct_slice(n, study=uid, series=f"{uid[:50]}.1") for n in range(part, 24, 4) for uid in studies]
        paths = saved(tmp_path / f"part{part}", slices)
        command = ["storescu", "-aec", "NODAL", "127.0.0.1", str(receiver.port), *map(str, paths)]
        senders.append(subprocess.Popen(command, env=ENVIRONMENT))
    try:
        assert [sender.wait(LIMIT_S) for sender in senders] == [0, 0, 0, 0]
        assert [study.instances for study in receiver.spool.studies()] == [24, 24, 24]
        wait_until(lambda: len(handed_on) >= 3)
        assert sorted(handed_on) == sorted(studies)
    finally:
        watch.stop()


def test_a_stopped_listener_starts_again_on_the_same_port(tmp_path: Path) -> None:
    receiver = Receiver(tmp_path)
    port = receiver.port
    receiver.send(ct_slice(1))
    receiver.listener.stop()
    again = Listener(ListenerSettings(port=port), receiver.spool, receiver.trail)
    again.start()
    try:
        assert again.port == port
        receiver.listener = again
        assert receiver.send(ct_slice(2)) == [0x0000]
    finally:
        again.stop()


SERVE = """
import sys, time
from pathlib import Path
from nodal.audit import Trail
from nodal.intake.listener import Listener
from nodal.intake.spool import Spool
from nodal.settings import ListenerSettings
folder = Path(sys.argv[1])
spool = Spool(folder / "spool", folder / "q", floor_bytes=0)
listener = Listener(ListenerSettings(port=0), spool, Trail(folder / "audit"))
listener.start()
(folder / "port.part").write_text(str(listener.port))
(folder / "port.part").rename(folder / "port")
time.sleep(600)
"""


@pytest.mark.kill
@pytest.mark.parametrize("after", [1, 7, 20])
def test_a_killed_listener_has_lost_nothing_that_it_acknowledged(tmp_path: Path, after: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(tmp_path)], stdout=subprocess.DEVNULL)
    acknowledged: list[str] = []
    try:
        wait_until(lambda: (tmp_path / "port").exists(), 60.0)
        ae = AE(ae_title="SCANNER")
        ae.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
        ae.dimse_timeout = 5  # a connection that is gone is not waited for
        port = int((tmp_path / "port").read_text())
        lost = [(evt.EVT_CONN_CLOSE, lambda event: None)]
        association = ae.associate("127.0.0.1", port, ae_title="NODAL", evt_handlers=lost)
        assert association.is_established
        images = [ct_slice(n, size=128) for n in range(200)]
        for image in images:
            if len(acknowledged) == after:
                process.send_signal(signal.SIGKILL)
            if association.send_c_store(image).get("Status") != 0x0000:
                break
            acknowledged.append(str(image.SOPInstanceUID))
        association.abort()
    finally:
        process.kill()
        process.wait()
    assert after <= len(acknowledged) < 200
    spool = Spool(tmp_path / "spool", tmp_path / "q")
    kept = {path.stem: path for path in spool.folder.glob("*/*/*.dcm")}
    assert set(acknowledged) <= set(kept)
    for image in images[: len(acknowledged)]:
        assert np.array_equal(dcmread(kept[image.SOPInstanceUID]).pixel_array, image.pixel_array)
    assert list((spool.folder / ".incoming").iterdir()) == []
