"""Pulling from Orthanc and reading its change log, against an archive in memory that answers as Orthanc 1.10.1 does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from nodal.errors import Code, Failed, Refused, SettingsInvalid, SourceGone, Unreachable
from nodal.intake.orthanc import OrthancSource
from nodal.intake.reconcile import CURSOR, SINCE, WAITING, Reconciler
from nodal.settings import OrthancSettings

pytestmark = pytest.mark.unit

NOW, LONG_AGO = "20991231T000000", "20010101T000000"


@dataclass
class Archive:
    """Studies of instances ``id -> (series, bytes)``; the change log; faults on demand."""

    studies: dict[str, dict[str, tuple[str, bytes]]] = field(default_factory=dict)
    stable: dict[str, bool] = field(default_factory=dict)
    updated: dict[str, str] = field(default_factory=dict)
    log: list[tuple[int, str, str]] = field(default_factory=list)
    down: bool = False
    status: int | None = None
    asked: list[str] = field(default_factory=list)
    sequence: int = 0

    def add(self, study: str, instance: str, data: bytes = b"x", series: str = "pet") -> None:
        new = study not in self.studies
        self.studies.setdefault(study, {})[instance] = (series, data)
        self.stable[study], self.updated[study] = False, NOW
        self.note("NewInstance", instance)
        if new:
            self.note("NewStudy", study)

    def settle(self, study: str, *, said: bool = True) -> None:
        """Stable; ``said`` is false when Orthanc was killed before it could log it."""
        self.stable[study] = True
        if said:
            self.note("StableStudy", study)

    def note(self, kind: str, orthanc_id: str) -> None:
        self.sequence += 1
        self.log.append((self.sequence, kind, orthanc_id))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        if self.status is not None:
            return httpx.Response(self.status)
        return self.answer(request.url.path.strip("/").split("/"), request)

    def answer(self, path: list[str], request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        match path:
            case ["studies"]:
                since, limit = int(asked["since"]), int(asked["limit"])
                return httpx.Response(
                    200, json=[self.study(name) for name in list(self.studies)[since : since + limit]]
                )
            case ["studies", study] if study in self.studies:
                return httpx.Response(200, json=self.study(study))
            case ["studies", study, "instances"] if study in self.studies:
                return httpx.Response(200, json=[self.instance(study, name) for name in self.studies[study]])
            case ["studies", study, "series"] if study in self.studies:
                modalities = {"pet": "PT", "ct": "CT", "seg": "SEG", "none": ""}
                names = {series for series, _ in self.studies[study].values()}
                listed = [{"ID": name, "MainDicomTags": {"Modality": modalities[name]}} for name in names]
                return httpx.Response(200, json=listed)
            case ["instances", instance, "metadata", "RemoteAET"]:
                return httpx.Response(200, text="READING") if instance == "sent" else httpx.Response(404)
            case ["instances", instance, "study"]:
                owners = [study for study, held in self.studies.items() if instance in held]
                return httpx.Response(200, json=self.study(owners[0])) if owners else httpx.Response(404)
            case ["instances", instance, "file"]:
                held = [
                    data for study in self.studies.values() for name, (_, data) in study.items() if name == instance
                ]
                return httpx.Response(200, content=held[0]) if held else httpx.Response(404)
            case ["instances"]:
                return self.stored(request.content)
            case ["changes"]:
                return self.changes(asked)
        return httpx.Response(404)

    def study(self, name: str) -> dict[str, Any]:
        tags = {"StudyInstanceUID": f"1.2.{name}"}
        return {"ID": name, "MainDicomTags": tags, "IsStable": self.stable[name], "LastUpdate": self.updated[name]}

    def instance(self, study: str, name: str) -> dict[str, Any]:
        series, data = self.studies[study][name]
        uid = f"file-of-{data.decode()}"
        tags = {"SOPInstanceUID": name}
        return {"ID": name, "ParentSeries": series, "MainDicomTags": tags, "FileUuid": uid, "FileSize": len(data)}

    def changes(self, asked: httpx.QueryParams) -> httpx.Response:
        if "last" in asked:
            page = self.log[-1:]
            return httpx.Response(200, json={"Changes": [], "Done": True, "Last": page[0][0] if page else 0})
        since, limit = int(asked["since"]), int(asked["limit"])
        rest = [line for line in self.log if line[0] > since]
        page = rest[:limit]
        changes = [{"Seq": seq, "ChangeType": kind, "ID": name} for seq, kind, name in page]
        last = page[-1][0] if page else since
        return httpx.Response(200, json={"Changes": changes, "Done": len(rest) <= limit, "Last": last})

    def stored(self, data: bytes) -> httpx.Response:
        known = data in {held for study in self.studies.values() for _, held in study.values()}
        if not data.startswith(b"DICM"):
            return httpx.Response(400)
        self.studies.setdefault("results", {})["r"] = ("pet", data)
        status = "AlreadyStored" if known else "Success"
        return httpx.Response(200, json={"ID": "r", "ParentStudy": "results", "Status": status})


@pytest.fixture
def archive() -> Archive:
    return Archive()


def source_of(archive: Archive, is_own: Callable[[str], bool] = lambda uid: uid.startswith("own")) -> OrthancSource:
    settings = OrthancSettings(url="http://orthanc")
    return OrthancSource(settings, is_own=is_own, transport=httpx.MockTransport(archive))


class TestFetch:
    def test_brings_all_but_the_nodes_own(self, archive: Archive, tmp_path: Path) -> None:
        for name, data in (("a", b"1"), ("b", b"22"), ("own-sr", b"333")):
            archive.add("s", name, data)
        folder = source_of(archive).fetch("s", tmp_path / "source")
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.dcm": b"1", "b.dcm": b"22"}

    def test_goes_on_where_it_was_killed(self, archive: Archive, tmp_path: Path) -> None:
        for name, data in (("a", b"1"), ("b", b"22"), ("c", b"3")):
            archive.add("s", name, data)
        source_of(archive).fetch("s", tmp_path)
        (tmp_path / "b.dcm").write_bytes(b"2")
        (tmp_path / "c.dcm").unlink()
        (tmp_path / "c.part").write_bytes(b"")
        (tmp_path / "of-another-time.dcm").write_bytes(b"")
        archive.asked.clear()
        source_of(archive).fetch("s", tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
            "a.dcm": b"1",
            "b.dcm": b"22",
            "c.dcm": b"3",
        }
        assert "GET /instances/a/file" not in archive.asked

    def test_a_study_that_went(self, archive: Archive, tmp_path: Path) -> None:
        with pytest.raises(SourceGone):
            source_of(archive).fetch("s", tmp_path)

    def test_nothing_but_own_results(self, archive: Archive, tmp_path: Path) -> None:
        archive.add("s", "own-seg")
        with pytest.raises(Refused) as refused:
            source_of(archive).fetch("s", tmp_path)
        assert refused.value.code is Code.EMPTY_STUDY

    def test_no_pet_no_download(self, archive: Archive, tmp_path: Path) -> None:
        archive.add("s", "a", series="ct")
        with pytest.raises(Refused) as refused:
            source_of(archive).fetch("s", tmp_path)
        assert refused.value.code is Code.NO_PET
        assert not [line for line in archive.asked if line.endswith("/file")]

    def test_of_a_study_without_pet_its_contours_alone(self, archive: Archive, tmp_path: Path) -> None:
        """The node's Orthanc may hold nothing of a study but our results, and what a person made of them."""
        archive.add("s", "own-seg", series="seg")
        archive.add("s", "edited", b"contour", series="seg")
        archive.add("s", "a-slice", series="ct")
        source_of(archive).fetch("s", tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["edited.dcm"]
        assert not source_of(archive).has_pet("s")
        archive.add("s", "a-pet", series="pet")
        assert source_of(archive).has_pet("s")
        assert not source_of(archive).has_pet("gone")

    def test_who_sent_an_instance(self, archive: Archive) -> None:
        assert source_of(archive).calling_ae("sent") == "READING"
        assert source_of(archive).calling_ae("uploaded") is None

    def test_a_series_without_modality_is_left_to_selection(self, archive: Archive, tmp_path: Path) -> None:
        archive.add("s", "a", series="none")
        assert [path.name for path in source_of(archive).fetch("s", tmp_path).iterdir()] == ["a.dcm"]

    def test_orthanc_away(self, archive: Archive, tmp_path: Path) -> None:
        archive.down = True
        with pytest.raises(Unreachable) as away:
            source_of(archive).fetch("s", tmp_path)
        assert away.value.retry

    @pytest.mark.parametrize(("status", "code"), [(401, Code.FORBIDDEN), (503, Code.UNREACHABLE)])
    def test_orthanc_says_no(self, archive: Archive, tmp_path: Path, status: int, code: Code) -> None:
        archive.status = status
        with pytest.raises(Failed) as failed:
            source_of(archive).fetch("s", tmp_path)
        assert failed.value.code is code


class TestStore:
    def test_twice_is_once(self, archive: Archive, tmp_path: Path) -> None:
        source, path = source_of(archive), tmp_path / "sr.dcm"
        path.write_bytes(b"DICM sr")
        assert not source.store(path).already
        assert source.store(b"DICM sr").already

    def test_what_orthanc_will_not_have(self, archive: Archive) -> None:
        with pytest.raises(Failed) as failed:
            source_of(archive).store(b"not DICOM")
        assert (failed.value.code, failed.value.retry) == (Code.REJECTED_BY_DESTINATION, False)

    def test_login(self, tmp_path: Path) -> None:
        seen: list[str | None] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers.get("authorization"))
            return httpx.Response(200, json={"Version": "1.10.1"})

        password = tmp_path / "password"
        password.write_text("orthanc\n", encoding="utf-8")
        settings = OrthancSettings(url="http://orthanc/sub", user="orthanc", password_file=password)
        assert OrthancSource(settings, transport=httpx.MockTransport(answer)).version() == "1.10.1"
        assert seen == ["Basic b3J0aGFuYzpvcnRoYW5j"]  # RFC 7617, section 2: base64 of orthanc:orthanc

    def test_half_a_login(self) -> None:
        with pytest.raises(SettingsInvalid):
            OrthancSource(OrthancSettings(url="http://orthanc", user="orthanc"))


class Node:
    """Remembers what was announced, and holds the lasting memory."""

    def __init__(self, archive: Archive) -> None:
        self.memory: dict[str, str] = {}
        self.announced: list[tuple[str, str]] = []
        self.fails: Exception | None = None
        self.archive = archive
        self.restart()

    def restart(self) -> None:
        self.reconciler = Reconciler(
            source_of(self.archive),
            cursor=self.memory.get,
            put_cursor=self.memory.__setitem__,
            on_study=self.on_study,
            interval_s=0.02,
        )

    def on_study(self, orthanc_id: str, study_instance_uid: str) -> str:
        if self.fails is not None:
            raise self.fails
        self.announced.append((orthanc_id, study_instance_uid))
        return orthanc_id

    def once(self) -> list[str]:
        before = len(self.announced)
        self.reconciler.once()
        return [orthanc_id for orthanc_id, _ in self.announced[before:]]


@pytest.fixture
def node(archive: Archive) -> Node:
    made = Node(archive)
    made.once()
    return made


class TestReconciler:
    def test_a_stable_study_is_announced_once(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        assert node.once() == []
        archive.settle("s")
        assert node.once() == ["s"]
        assert node.once() == []
        assert node.announced == [("s", "1.2.s")]

    def test_the_plugin_came_first(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        archive.settle("s")
        assert node.reconciler.announce("s") == "s"
        assert node.reconciler.announce("s") is None
        assert node.once() == []

    def test_own_results_make_no_loop(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        archive.settle("s")
        node.once()
        archive.add("s", "own-seg")
        archive.settle("s")
        assert node.once() == []
        assert node.reconciler.announce("s") is None
        archive.add("only", "own-sr")
        archive.settle("only")
        assert node.once() == []
        assert node.reconciler.announce("only") is None

    def test_a_late_slice_is_news(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        archive.settle("s")
        node.once()
        archive.add("s", "late")
        archive.settle("s")
        assert node.once() == ["s"]

    def test_a_replaced_file_is_news(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a", b"1")
        archive.settle("s")
        node.once()
        archive.add("s", "a", b"2")
        archive.settle("s")
        assert node.once() == ["s"]

    def test_orthanc_killed_before_the_study_was_stable(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        archive.settle("s", said=False)
        assert node.once() == []  # it may still be coming in
        assert node.once() == ["s"]

    def test_orthanc_killed_in_the_middle_and_the_sender_goes_on(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        archive.settle("s", said=False)
        node.once()
        archive.add("s", "b")
        archive.settle("s", said=False)
        assert node.once() == []
        assert node.once() == ["s"]

    def test_node_was_down(self, archive: Archive, node: Node) -> None:
        for number in range(3):
            archive.add(f"s{number}", f"a{number}")
            archive.settle(f"s{number}")
        node.restart()
        assert node.once() == ["s0", "s1", "s2"]

    def test_node_killed_between_two_writings(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        archive.settle("s")
        node.fails = Unreachable("killed here")
        with pytest.raises(Unreachable):
            node.once()
        node.fails = None
        node.restart()
        assert node.once() == ["s"]

    def test_a_study_that_cannot_be_entered_does_not_stop_the_others(self, archive: Archive, node: Node) -> None:
        for name in ("bad", "good"):
            archive.add(name, f"i-{name}")
            archive.settle(name)
        node.fails = Failed(Code.DISK_FULL, "the disk is full")
        assert node.once() == []
        node.fails = None
        assert node.once() == ["bad", "good"]

    def test_orthanc_away(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        archive.settle("s")
        archive.down = True
        with pytest.raises(Unreachable):
            node.once()
        archive.down = False
        assert node.once() == ["s"]

    def test_a_study_deleted_meanwhile(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        node.once()
        del archive.studies["s"]
        assert node.once() == []
        assert json.loads(node.memory[WAITING]) == {}

    def test_an_emptied_log_loses_nothing(self, archive: Archive, node: Node) -> None:
        archive.add("s", "a")
        archive.settle("s")
        archive.log.clear()
        node.restart()
        assert node.once() + node.once() == ["s"]

    def test_another_database(self, archive: Archive, node: Node) -> None:
        for number in range(5):
            archive.add("old", f"o{number}")
        archive.settle("old")
        node.once()
        assert int(node.memory[CURSOR]) == archive.sequence
        archive.studies.clear()
        archive.log.clear()
        archive.sequence = 0
        archive.add("new", "n")
        archive.settle("new")
        assert node.once() == ["new"]

    def test_a_long_log_is_read_to_its_end(self, archive: Archive, node: Node) -> None:
        for number in range(2500):
            archive.add("s", f"i{number}")
        archive.settle("s")
        archive.asked.clear()
        assert node.once() == ["s"]
        assert len(archive.asked) < 20  # not a request for each instance

    def test_what_was_there_before_the_node_is_left_alone(self, archive: Archive) -> None:
        archive.add("old", "a")
        archive.settle("old")
        archive.updated["old"] = LONG_AGO
        archive.add("fresh", "b")
        archive.settle("fresh")
        node = Node(archive)
        assert node.once() + node.once() == ["fresh"]
        assert node.memory[SINCE] > LONG_AGO

    def test_the_thread(self, archive: Archive, node: Node) -> None:
        archive.down = True
        archive.add("s", "a")
        archive.settle("s")
        node.restart()
        node.reconciler.start()
        try:
            wait_for(lambda: node.reconciler.reachable is False)
            archive.down = False
            wait_for(lambda: node.announced == [("s", "1.2.s")])
            assert node.reconciler.reachable
        finally:
            node.reconciler.stop()


def wait_for(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.005)
