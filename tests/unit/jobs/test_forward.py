"""Originals reach Orthanc once for each content they had, whatever is down meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from nodal.errors import Unreachable
from nodal.intake.spool import Spool
from nodal.jobs.context import JobContext
from nodal.jobs.forward import Forwarder

from tests.unit.jobs.fake import fake_context

pytestmark = pytest.mark.unit


class Archive:
    """Keeps what it is given; down, it takes nothing."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.down = False

    def store(self, path: Path) -> None:
        if self.down:
            raise Unreachable("Orthanc does not answer")
        self.names.append(path.name)


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    return fake_context(tmp_path)


@pytest.fixture
def spool(context: JobContext) -> Spool:
    return Spool(context.state_dir / "spool", context.state_dir / "quarantine")


def received(spool: Spool, name: str) -> None:
    """An instance of study 1.2, handed on by the watch."""
    path = spool.folder / "1.2/1.3" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    study = spool.study("1.2")
    assert study is not None
    spool.mark_announced(study)


def forwarder(context: JobContext, spool: Spool, archive: Archive) -> Forwarder:
    return Forwarder(spool, archive.store, context.registry.memory, context.trail)


def test_a_study_is_forwarded_once_and_again_when_it_grew(context: JobContext, spool: Spool) -> None:
    archive = Archive()
    works = forwarder(context, spool, archive)
    received(spool, "1.dcm")
    works.add("1.2")
    assert works.once()
    works.add("1.2")
    assert works.once()
    assert archive.names == ["1.dcm"]
    received(spool, "2.dcm")
    works.add("1.2")
    assert works.once()
    assert archive.names == ["1.dcm", "1.dcm", "2.dcm"]
    assert [event.details["instances"] for event in context.trail.events()] == [1, 2]


def test_a_study_waits_while_orthanc_is_down(context: JobContext, spool: Spool) -> None:
    archive = Archive()
    archive.down = True
    works = forwarder(context, spool, archive)
    received(spool, "1.dcm")
    works.add("1.2")
    assert not works.once()
    archive.down = False
    assert works.once()
    assert archive.names == ["1.dcm"]


def test_what_a_killed_process_left_is_forwarded_at_the_next_start(context: JobContext, spool: Spool) -> None:
    received(spool, "1.dcm")
    archive = Archive()
    assert forwarder(context, spool, archive).once()
    assert archive.names == ["1.dcm"]
    assert forwarder(context, spool, archive).once()
    assert archive.names == ["1.dcm"]


def test_the_thread_takes_what_comes_and_ends(context: JobContext, spool: Spool) -> None:
    archive = Archive()
    works = forwarder(context, spool, archive)
    works.start()
    received(spool, "1.dcm")
    works.add("1.2")
    for _ in range(200):
        if list(context.trail.events()):
            break
        works._thread.join(0.02)
    works.stop()
    assert archive.names == ["1.dcm"]
    assert not works._thread.is_alive()
