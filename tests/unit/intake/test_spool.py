"""What lies in the spool, under which name, and what does not get there."""

from __future__ import annotations

import errno
import os
import zlib
from pathlib import Path

import pytest
from nodal.errors import Code, Failed, Refused
from nodal.intake.spool import Received, Spool, calling_ae
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.dsutils import create_file_meta, encode, encode_file_meta

pytestmark = pytest.mark.unit

STUDY, SERIES = "1.2.826.1", "1.2.826.2"


def instance(sop_uid: str = "1.2.826.3", *, study: str = STUDY, comment: str = "") -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, sop_uid
    made.StudyInstanceUID, made.SeriesInstanceUID = study, SERIES
    made.ReferencedStudySequence = [Dataset()]
    made.Modality, made.ImageComments = "CT", comment
    return made


def received(made: Dataset, syntax: UID = ExplicitVRLittleEndian, *, asked: str | None = None) -> Received:
    encoded = encode(made, syntax.is_implicit_VR, syntax.is_little_endian)
    assert encoded is not None
    if syntax == DeflatedExplicitVRLittleEndian:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        encoded = deflater.compress(encoded) + deflater.flush()
    uid = asked or str(made.SOPInstanceUID)
    meta = create_file_meta(sop_class_uid=CTImageStorage, sop_instance_uid=UID(uid), transfer_syntax=syntax)
    head = b"\0" * 128 + b"DICM" + encode_file_meta(meta)
    return Received(CTImageStorage, uid, syntax, "SCANNER", head, encoded)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", tmp_path / "quarantine", floor_bytes=0)


def quarantined(spool: Spool) -> list[Path]:
    return sorted(spool.quarantine.glob("*.dcm"))


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_an_instance_lies_under_its_uids_as_it_came(spool: Spool, syntax: UID) -> None:
    stored = spool.put(received(instance(), syntax))
    assert stored.path == spool.folder / STUDY / SERIES / "1.2.826.3.dcm"
    assert dcmread(stored.path).file_meta.TransferSyntaxUID == syntax
    assert dcmread(stored.path).Modality == "CT"
    assert list((spool.folder / ".incoming").iterdir()) == []
    assert [a.calling_ae for a in spool.arrivals(STUDY)] == ["SCANNER"]


def test_everything_is_on_disk_before_put_returns(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of the calls: the file is synced before it gets its name, its folder after."""
    calls: list[str] = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(str(Path(f"/proc/self/fd/{fd}").readlink())), sync(fd)))
    monkeypatch.setattr(Path, "replace", lambda part, to: (calls.append(f"-> {to}"), replace(part, to))[1])
    path = spool.put(received(instance())).path
    renamed = calls.index(f"-> {path}")
    assert any(call.endswith(".part") for call in calls[:renamed])
    assert str(path.parent) in calls[renamed:]
    assert str(spool.folder) in calls


def test_the_same_instance_again_is_kept_once(spool: Spool) -> None:
    first = spool.put(received(instance()))
    again = spool.put(received(instance()))
    assert (first.duplicate, again.duplicate, again.replaced) == (False, True, None)
    assert len(list(spool.folder.glob("*/*/*"))) == 1
    assert quarantined(spool) == []


def test_other_bytes_under_the_same_uid_take_its_place_and_nothing_is_lost(spool: Spool) -> None:
    first = spool.put(received(instance(comment="as first sent")))
    before = spool.study(STUDY)
    again = spool.put(received(instance(comment="corrected")))
    assert again.path == first.path
    assert dcmread(again.path).ImageComments == "corrected"
    assert again.replaced is not None
    assert quarantined(spool) == [again.replaced]
    assert dcmread(again.replaced).ImageComments == "as first sent"
    assert "replaced" in again.replaced.with_suffix(".json").read_text()
    after = spool.study(STUDY)
    assert before is not None
    assert after is not None
    assert before.fingerprint != after.fingerprint


def _without(keyword: str) -> Dataset:
    made = instance()
    delattr(made, keyword)
    return made


@pytest.mark.parametrize(
    "bad",
    [
        received(_without("StudyInstanceUID")),
        received(_without("SeriesInstanceUID")),
        received(instance(study="../../etc")),
        received(instance(study="1.2." + "3" * 64)),
        received(instance(), asked="1.2.826.99"),
        received(instance(study="1..2")),
        Received(CTImageStorage, "1.2.3", ExplicitVRLittleEndian, "X", b"", b"not a data set at all" * 9),
        Received(CTImageStorage, "1.2.3", DeflatedExplicitVRLittleEndian, "X", b"", os.urandom(500)),
        Received(CTImageStorage, "1.2.3", ExplicitVRLittleEndian, "X", b"", b""),
    ],
)
def test_what_does_not_say_where_it_belongs_goes_to_the_quarantine(spool: Spool, bad: Received) -> None:
    with pytest.raises(Refused) as caught:
        spool.put(bad)
    assert caught.value.code == Code.NOT_DICOM
    (kept,) = quarantined(spool)
    assert kept.read_bytes() == bad.file_meta + bad.data
    assert kept.with_suffix(".json").exists()
    assert spool.studies() == []


def test_a_deflated_bomb_is_not_unpacked(spool: Spool) -> None:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = b"".join(deflater.compress(b"\0" * (1 << 20)) for _ in range(16)) + deflater.flush()
    with pytest.raises(Refused):
        spool.put(Received(CTImageStorage, "1.2.3", DeflatedExplicitVRLittleEndian, "X", b"", bomb))


def test_a_disk_nearly_full_takes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", tmp_path / "quarantine", floor_bytes=1 << 60)
    with pytest.raises(Failed) as caught:
        spool.put(received(instance()))
    assert caught.value.code == Code.DISK_FULL
    assert list(spool.folder.glob("**/*.*")) == [spool.folder / ".incoming", spool.folder / ".journal"]


def test_a_failing_disk_leaves_nothing_half_written(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            spool.put(received(instance()))
    assert spool.studies() == []
    assert list((spool.folder / ".incoming").iterdir()) == []
    assert spool.put(received(instance())).duplicate is False


def test_opened_again_it_knows_what_lies_there_and_sweeps_what_was_never_acknowledged(spool: Spool) -> None:
    spool.put(received(instance()))
    spool.put(received(instance("1.2.826.4", study="1.2.826.9")))
    (spool.folder / ".incoming" / "0.part").write_bytes(b"half")
    again = Spool(spool.folder, spool.quarantine)
    assert [(s.study_instance_uid, s.instances) for s in again.studies()] == [(STUDY, 1), ("1.2.826.9", 1)]
    assert list((spool.folder / ".incoming").iterdir()) == []
    assert again.touched() == {}


def test_a_torn_journal_line_is_passed_over(spool: Spool) -> None:
    spool.put(received(instance()))
    with (spool.folder / ".journal" / f"{STUDY}.jsonl").open("a") as journal:
        journal.write('{"arrival": {"time":')
    assert len(spool.arrivals(STUDY)) == 1


def test_who_sent_an_instance_last(spool: Spool) -> None:
    spool.put(received(instance()))
    (arrival,) = spool.arrivals(STUDY)
    assert calling_ae(spool.folder / STUDY, arrival.sop_instance_uid) == "SCANNER"
    assert calling_ae(spool.folder / STUDY, "1.2.3.never") is None
    assert calling_ae(spool.folder / "1.2.3.nothing", arrival.sop_instance_uid) is None


def test_forgotten_and_received_again(spool: Spool) -> None:
    spool.put(received(instance()))
    spool.forget(STUDY)
    assert spool.studies() == []
    assert spool.arrivals(STUDY) == []
    spool.put(received(instance()))
    assert len(spool.studies()) == 1
    with pytest.raises(Refused):
        spool.forget("../spool")


def test_a_folder_cleared_away_by_another_hand_is_made_again(spool: Spool) -> None:
    stored = spool.put(received(instance()))
    stored.path.unlink()
    stored.path.parent.rmdir()
    assert spool.put(received(instance("1.2.826.4"))).path.exists()


def test_the_quarantine_is_cleared_by_age(tmp_path: Path) -> None:
    now = 2_000_000_000.0
    spool = Spool(tmp_path / "spool", tmp_path / "quarantine", floor_bytes=0, clock=lambda: now)
    with pytest.raises(Refused):
        spool.put(received(_without("StudyInstanceUID")))
    for path in spool.quarantine.iterdir():
        os.utime(path, (now - 100, now - 100))
    assert spool.clear_quarantine(older_than_s=200) == 0
    assert spool.clear_quarantine(older_than_s=50) == 2
    assert list(spool.quarantine.iterdir()) == []
