"""What is deleted, and above all what is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nodal.intake.spool import Spool
from nodal.jobs.context import JobContext
from nodal.jobs.model import JobRequest, JobState, StudySource
from nodal.jobs.results import StoredObject, objects_to_json
from nodal.jobs.retention import Retention
from nodal.settings import RetentionSettings

from tests.unit.jobs.fake import fake_context

pytestmark = pytest.mark.unit

NOW = datetime.now(UTC)


@pytest.fixture
def context(tmp_path: Path) -> JobContext:
    return fake_context(tmp_path)


@pytest.fixture
def spool(context: JobContext) -> Spool:
    return Spool(context.state_dir / "spool", context.state_dir / "quarantine")


def retention(context: JobContext, spool: Spool | None = None, **more: Callable[[datetime], int]) -> Retention:
    rules = RetentionSettings(spool_days=7, results_days=30)
    return Retention(context.state_dir, rules, context.registry, context.trail, spool=spool, **more)


def job(context: JobContext, digest: str, state: JobState, *results: str) -> str:
    """A job with a folder and result objects."""
    job_id = f"{digest * 32}-r0"
    source = StudySource("spool", context.state_dir / "spool" / f"1.2.{ord(digest)}")
    request = JobRequest(job_id, digest * 64, 0, "intake", f"1.2.{ord(digest)}", source)
    context.registry.jobs.add(request, None, None)
    context.registry.jobs.move(job_id, state, out_of=("queued",))
    workspace = context.workspace(job_id)
    objects = [StoredObject("orthanc", "sr", "1.2.840", f"2.25.{name}", name) for name in results]
    workspace.write_json("objects.json", objects_to_json(objects))
    for name in results:
        path = context.state_dir / "results" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"object")
    return job_id


def received(spool: Spool, study: str) -> Path:
    """A file of a study in the spool."""
    path = spool.folder / study / "1.3/1.4.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"instance")
    return path


def test_results_go_after_their_days_and_shared_ones_stay(context: JobContext) -> None:
    old = job(context, "a", "done", "only-old", "shared")
    retention(context).once(NOW + timedelta(days=29))
    assert context.workspace(old).root.is_dir()
    young = job(context, "b", "delivering", "shared", "only-young")
    retention(context).once(NOW + timedelta(days=31))
    assert not context.workspace(old).root.exists()
    assert context.workspace(young).root.is_dir()
    assert sorted(path.name for path in (context.state_dir / "results").iterdir()) == ["only-young", "shared"]
    assert context.registry.jobs.view(old).state == "done"
    assert [event.action for event in context.trail.events(job_id=old)] == ["results_expired"]


@pytest.mark.parametrize("state", ["queued", "running", "awaiting_review", "delivering"])
def test_a_job_under_way_keeps_everything_however_old(context: JobContext, spool: Spool, state: JobState) -> None:
    job_id = job(context, "a", state, "one")
    path = received(spool, "1.2.97")
    retention(context, spool).once(NOW + timedelta(days=400))
    assert context.workspace(job_id).root.is_dir()
    assert path.exists()


def test_the_spool_is_cleared_when_every_job_of_the_study_has_ended(context: JobContext, spool: Spool) -> None:
    job(context, "a", "done")
    path = received(spool, "1.2.97")
    retention(context, spool).once(NOW + timedelta(days=6))
    assert path.exists()
    retention(context, spool).once(NOW + timedelta(days=8))
    assert not path.exists()


def test_a_study_that_nobody_has_looked_at_yet_stays_in_the_spool(context: JobContext, spool: Spool) -> None:
    path = received(spool, "1.2.97")
    retention(context, spool).once(NOW + timedelta(days=400))
    assert path.exists()
    view, _ = context.registry.intakes.add(StudySource("spool", path.parent), "received", "1.2.97")
    retention(context, spool).once(NOW + timedelta(days=400))
    assert path.exists()
    context.registry.intakes.begin(view.intake_id)


def test_folders_left_by_a_kill_are_removed_after_a_day(context: JobContext) -> None:
    left = [context.state_dir / "jobs" / ".aa-r1", context.state_dir / "intake" / "gone"]
    for folder in left:
        folder.mkdir(parents=True)
    retention(context).once(NOW)
    assert all(folder.exists() for folder in left)
    for folder in left:
        os.utime(folder, (NOW.timestamp() - 90_000,) * 2)
    retention(context).once(NOW)
    assert not any(folder.exists() for folder in left)


def test_the_engine_forgets_what_the_registry_keeps(context: JobContext) -> None:
    asked: list[datetime] = []

    def forget(before: datetime) -> int:
        asked.append(before)
        return 1

    retention(context, forget_work=forget).once(NOW)
    assert asked == [NOW - timedelta(days=30)]
