"""When a study is handed on: by its declared slices, by quiet, again after a late slice, after a restart."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from nodal.intake.spool import Received, Spool
from nodal.intake.watch import StudyWatch
from nodal.study import SeriesFiles
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pynetdicom.dsutils import create_file_meta, encode, encode_file_meta

from tests.unit.intake.headers import STUDY, ct, other, pet

pytestmark = pytest.mark.unit

QUIET_S = 60.0
OTHER_STUDY = "1.2.826.77"


class Bench:
    """A spool, a watch and a clock that stands still until told."""

    def __init__(self, folder: Path) -> None:
        self.now = 1_700_000_000.0
        self.folder = folder
        self.handed_on: list[str] = []
        self.broken = False
        self.open()

    def open(self) -> None:
        self.spool = Spool(self.folder / "spool", self.folder / "quarantine", floor_bytes=0, clock=lambda: self.now)
        self.watch = StudyWatch(self.spool, QUIET_S, self._on_study, clock=lambda: self.now)

    def _on_study(self, uid: str, folder: Path) -> None:
        assert folder == self.spool.folder / uid
        if self.broken:
            raise RuntimeError("the engine is not there")
        self.handed_on.append(uid)

    def send(self, *headers: Dataset, study: str = STUDY) -> None:
        for header in headers:
            header.StudyInstanceUID = study
            uid, class_uid = UID(header.SOPInstanceUID), UID(header.SOPClassUID)
            meta = create_file_meta(
                sop_class_uid=class_uid, sop_instance_uid=uid, transfer_syntax=ExplicitVRLittleEndian
            )
            data = encode(header, False, True)
            assert data is not None
            head = b"\0" * 128 + b"DICM" + encode_file_meta(meta)
            self.spool.put(Received(class_uid, uid, ExplicitVRLittleEndian, "SCANNER", head, data))

    def after(self, seconds: float) -> list[str]:
        self.now += seconds
        return self.watch.poll(self.now)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def whole_ct(uid: str = "1.2.2") -> SeriesFiles:
    return ct(uid, slices=6, edit={"ImagesInAcquisition": 6, "AcquisitionNumber": 1})


def test_a_study_that_declares_its_slices_goes_after_a_short_grace(bench: Bench) -> None:
    bench.send(*pet(slices=4).headers, *whole_ct().headers)
    assert bench.after(1.0) == []
    assert bench.after(1.5) == [STUDY]
    assert bench.after(100.0) == []
    assert bench.handed_on == [STUDY]


def test_out_of_order_and_interleaved_with_another_study(bench: Bench) -> None:
    mine, his = pet(slices=4).headers, pet("1.2.9", slices=4).headers
    bench.send(*reversed(whole_ct().headers))
    bench.send(mine[2])
    bench.send(his[0], study=OTHER_STUDY)
    bench.send(mine[0], mine[3])
    bench.send(his[3], study=OTHER_STUDY)
    assert bench.after(3.0) == []  # one of mine, two of his are missing
    bench.send(mine[1])
    assert bench.after(3.0) == [STUDY]
    assert bench.after(QUIET_S) == [OTHER_STUDY]


def test_a_study_that_declares_nothing_waits_for_the_quiet_period(bench: Bench) -> None:
    bench.send(*pet(slices=4).headers, *ct(slices=6).headers)
    assert bench.after(QUIET_S - 1) == []
    bench.send(other("1.2.5", "SR", "1.2.840.10008.5.1.4.1.1.88.67").headers[0])
    assert bench.after(QUIET_S - 1) == []
    assert bench.after(1.0) == [STUDY]


def test_a_pet_alone_waits_for_its_ct(bench: Bench) -> None:
    bench.send(*pet(slices=4).headers)
    assert bench.after(10.0) == []
    bench.send(*whole_ct().headers)
    assert bench.after(3.0) == [STUDY]


def test_a_late_slice_hands_the_study_on_again(bench: Bench) -> None:
    headers = pet(slices=4).headers
    bench.send(*headers[:3], *ct(slices=6).headers)
    assert bench.after(QUIET_S) == [STUDY]
    bench.send(headers[3])
    assert bench.after(QUIET_S) == [STUDY]
    assert bench.handed_on == [STUDY, STUDY]


def test_a_duplicate_hands_nothing_on(bench: Bench) -> None:
    headers = pet(slices=4).headers
    bench.send(*headers, *whole_ct().headers)
    assert bench.after(3.0) == [STUDY]
    bench.send(headers[0])
    bench.after(3.0)
    bench.after(QUIET_S)
    assert bench.handed_on == [STUDY]
    assert bench.watch.waiting == ()


def test_after_a_restart_only_what_changed_is_handed_on(bench: Bench) -> None:
    bench.send(*pet(slices=4).headers, *whole_ct().headers)
    assert bench.after(3.0) == [STUDY]
    bench.send(*pet("1.2.9", slices=4).headers, study=OTHER_STUDY)
    bench.open()
    assert bench.watch.waiting == (OTHER_STUDY,)
    assert bench.after(QUIET_S) == [OTHER_STUDY]
    bench.open()
    assert bench.watch.waiting == ()


def test_a_slice_that_came_before_a_kill_but_after_the_handing_on_is_not_forgotten(bench: Bench) -> None:
    headers = pet(slices=5, edit={"NumberOfSlices": 4}).headers
    bench.send(*headers[:4], *whole_ct().headers)
    assert bench.after(3.0) == [STUDY]
    bench.send(headers[4])
    bench.open()
    assert bench.watch.waiting == (STUDY,)


def test_while_nobody_takes_it_the_study_waits(bench: Bench) -> None:
    bench.send(*pet(slices=4).headers, *whole_ct().headers)
    bench.broken = True
    assert bench.after(3.0) == []
    assert bench.after(1.0) == []
    bench.broken = False
    assert bench.after(20.0) == [STUDY]
    assert bench.spool.announced(STUDY) is not None


def test_a_clock_set_back_delays_but_does_not_lose(bench: Bench) -> None:
    bench.send(*pet(slices=4).headers)
    assert bench.after(-3600.0) == []
    assert bench.after(QUIET_S) == [STUDY]


def test_a_study_cleared_away_meanwhile_is_dropped(bench: Bench) -> None:
    bench.send(*pet(slices=4).headers)
    bench.spool.forget(STUDY)
    bench.after(QUIET_S)
    assert bench.handed_on == []


def test_the_thread_does_it_by_itself(tmp_path: Path) -> None:
    done, bench = threading.Event(), Bench(tmp_path)
    spool = Spool(tmp_path / "s", tmp_path / "q", floor_bytes=0)
    bench.spool = spool
    watch = StudyWatch(spool, 0.2, lambda uid, folder: done.set())
    watch.start(every_s=0.05)
    bench.send(*pet(slices=4).headers)
    try:
        assert done.wait(10.0)
    finally:
        watch.stop()
