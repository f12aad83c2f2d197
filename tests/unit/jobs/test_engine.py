"""Jobs through the real engine, with a pipeline without images; one engine for the whole module."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from nodal.errors import Code, Failed, WrongUsage
from nodal.jobs.context import JobContext
from nodal.jobs.engine import Engine, EngineOptions
from nodal.jobs.model import IntakeView, JobState, JobView, Stage, StudySource
from nodal.jobs.registry import Registry
from nodal.jobs.results import OWN_ORTHANC
from nodal.jobs.review import read_review
from nodal.jobs.service import NodeService
from nodal.settings import Settings

from tests.unit.jobs.fake import FakePipeline, fake_context, fake_study

pytestmark = pytest.mark.unit

T = TypeVar("T")
LIMIT_S = 20.0


class Node:
    """An engine with its service, and what tests ask of them."""

    def __init__(self, folder: Path) -> None:
        # waits of 0.05, 0.1, 0.2 s; a fourth of 0.4 s would pass 0.72 s in all
        self.context: JobContext = fake_context(folder, give_up_after_h=0.0002)
        self.settings = Settings(state_dir=self.context.state_dir)
        self.engine = Engine(self.context, options=EngineOptions(poll_s=0.05, sweep_s=0.3))
        self.service = NodeService(self.settings, self.context.registry, self.context.trail, self.engine)
        self.folder = folder
        self._studies = 0

    @property
    def pipeline(self) -> FakePipeline:
        assert isinstance(self.context.pipeline, FakePipeline)
        return self.context.pipeline

    def study(self, files: int = 3) -> StudySource:
        """A study never seen before."""
        self._studies += 1
        return fake_study(self.folder / f"study{self._studies}", f"1.2.{self._studies}", files)

    def submit(self, source: StudySource) -> IntakeView:
        """Until the intake has its outcome."""
        entered = self.service.submit(source, "test")

        def settled() -> IntakeView | None:
            view = self.context.registry.intakes.view(entered.intake_id)
            return view if view.state != "waiting" else None

        return self.wait(settled)

    def job_of(self, source: StudySource, *states: JobState) -> JobView:
        """Submits, and waits until the job is in one of the states."""
        intake = self.submit(source)
        assert intake.job_id is not None, intake
        return self.reach(intake.job_id, *states)

    def reach(self, job_id: str, *states: JobState) -> JobView:
        """Waits until the job is in one of the states."""

        def there() -> JobView | None:
            view = self.service.job(job_id)
            return view if view.state in states else None

        return self.wait(there)

    def wait(self, ask: Callable[[], T | None]) -> T:
        """Until the answer is not None."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            answer = ask()
            if answer is not None:
                return answer
            time.sleep(0.02)
        raise TimeoutError([view for view in self.service.jobs() if view.state != "done"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(tmp_path_factory.mktemp("node"))
    node.engine.start()
    yield node
    node.engine.stop()


@pytest.fixture
def node(running: Node) -> Iterator[Node]:
    yield running
    (running.folder / "control/orders.json").unlink(missing_ok=True)


def begun(node: Node, since: int) -> list[str]:
    """What the pipeline was asked after so many lines."""
    return [line for line in node.pipeline.runs()[since:] if line.startswith("begin")]


def test_a_study_goes_all_the_way(node: Node) -> None:
    since = len(node.pipeline.runs())
    view = node.job_of(node.study(), "done")
    assert begun(node, since) == [
        f"begin {place}"
        for place in (
            "fetch", "admit", "select", "load", "segment", "anatomy", "prognosis", "encode", "deliver pacs",
        )
    ]  # fmt: skip
    assert list(view.stage_seconds) == ["select", "load", "segment", "anatomy", "prognosis", "encode"]
    assert (view.revision, view.cause, view.stage, view.code) == (0, "intake", Stage.DELIVER, None)
    assert view.summary == {"tmtv_ml": 12.5, "lesion_count": 2}
    assert [(d.kind, d.state, d.attempts) for d in view.deliveries] == [("seg", "sent", 1), ("sr", "sent", 1)]
    assert all(node.context.registry.memory.is_own(d.sop_instance_uid) for d in view.deliveries)
    assert not node.context.workspace(view.job_id).source.exists()


def test_the_same_study_again_makes_no_second_job(node: Node) -> None:
    source = node.study()
    first = node.job_of(source, "done")
    since = len(node.pipeline.runs())
    assert node.submit(source).job_id == first.job_id
    assert begun(node, since) == ["begin fetch", "begin admit"]
    assert len(node.service.jobs(first.study_instance_uid)) == 1


def test_a_late_slice_supersedes_a_job_under_way(node: Node) -> None:
    source = node.study()
    node.pipeline.order(**{"sleep segment": 0.5})
    old = node.job_of(source, "running")
    node.wait(lambda: True if "segment" in str(node.service.job(old.job_id).stage) else None)
    assert source.path is not None
    (source.path / "late.txt").write_text(f"{old.study_instance_uid} late")
    new = node.job_of(source, "done")
    assert (new.predecessor, new.revision) == (old.job_id, 0)
    old = node.reach(old.job_id, "superseded")
    assert "anatomy" not in old.stage_seconds
    assert old.deliveries == ()


def test_a_refused_study_is_visible_and_nothing_is_sent(node: Node) -> None:
    node.pipeline.order(**{"raise load": "refused"})
    view = node.job_of(node.study(), "refused")
    assert (view.stage, view.code) == (Stage.LOAD, "SUV_MISSING_WEIGHT")
    assert view.message == "the PET header holds no patient weight"
    assert view.deliveries == ()


def test_a_refused_job_begins_anew_when_a_person_retries(node: Node) -> None:
    node.pipeline.order(**{"raise load": "refused"})
    view = node.job_of(node.study(), "refused")
    node.pipeline.order(**{"raise load": None})
    since = len(node.pipeline.runs())
    node.service.retry(view.job_id)
    view = node.reach(view.job_id, "done")
    assert "begin select" in begun(node, since)
    assert (view.code, view.message) == (None, None)


def test_a_broken_stage_fails_the_job_and_its_name_is_nowhere(node: Node) -> None:
    node.pipeline.order(**{"raise segment": "broken"})
    view = node.job_of(node.study(), "failed")
    assert (view.stage, view.code) == (Stage.SEGMENT, "INTERNAL")
    assert view.message == "an unexpected fault (ValueError) in stage segment"
    files = [path for path in node.context.state_dir.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert not [path for path in files if b"DOE^JANE" in path.read_bytes()]


def test_a_failed_job_goes_on_where_it_failed(node: Node) -> None:
    node.pipeline.order(**{"raise anatomy": "broken"})
    view = node.job_of(node.study(), "failed")
    node.pipeline.order(**{"raise anatomy": None})
    since = len(node.pipeline.runs())
    assert node.service.retry(view.job_id).state == "queued"
    node.reach(view.job_id, "done")
    assert begun(node, since)[:3] == ["begin anatomy", "begin prognosis", "begin encode"]


def test_an_archive_that_does_not_answer_is_asked_again(node: Node) -> None:
    node.pipeline.order(**{"raise fetch": "unreachable"})
    entered = node.service.submit(node.study(), "test")
    since = len(node.pipeline.runs())
    node.wait(lambda: True if len(node.pipeline.runs()) > since + 1 else None)
    waiting = node.context.registry.intakes.view(entered.intake_id)
    assert (waiting.state, waiting.code) == ("waiting", "UNREACHABLE")
    node.pipeline.order(**{"raise fetch": None})
    view = node.wait(lambda: node.context.registry.intakes.view(entered.intake_id).job_id)
    assert node.reach(view, "done").code is None


def test_an_archive_that_never_answers_refuses_the_study_in_the_end(node: Node) -> None:
    node.pipeline.order(**{"raise fetch": "unreachable"})
    view = node.submit(node.study())
    assert (view.state, view.code) == ("refused", "UNREACHABLE")


def test_a_destination_that_is_down_gets_it_when_it_is_back(node: Node) -> None:
    node.pipeline.order(down=["pacs"])
    view = node.job_of(node.study(), "delivering")
    node.wait(lambda: True if node.service.job(view.job_id).deliveries[0].attempts >= 2 else None)
    node.pipeline.order(down=[])
    view = node.reach(view.job_id, "done")
    assert {d.state for d in view.deliveries} == {"sent"}


def test_a_parked_job_is_sent_again_by_retry_and_nothing_is_computed_again(node: Node) -> None:
    node.pipeline.order(down=["pacs"])
    view = node.job_of(node.study(), "parked")
    assert view.deliveries[0].attempts == 4
    node.pipeline.order(down=[])
    since = len(node.pipeline.runs())
    assert node.service.retry(view.job_id).state in ("delivering", "done")
    node.reach(view.job_id, "done")
    assert begun(node, since) == ["begin deliver pacs"]


def test_only_what_was_refused_is_sent_again(node: Node) -> None:
    node.pipeline.order(refuses=["sr"])
    view = node.job_of(node.study(), "done")
    assert [d.state for d in view.deliveries] == ["sent", "refused_permanent"]
    node.pipeline.order(refuses=[])
    since = len(node.pipeline.runs())
    node.service.retry(view.job_id)
    node.wait(lambda: True if {d.state for d in node.service.job(view.job_id).deliveries} == {"sent"} else None)
    assert [line for line in node.pipeline.runs()[since:] if line.startswith("sent")] == [
        f"sent 2.25.pacs.sr.{view.job_id}"
    ]


def test_a_job_is_cancelled_between_two_stages_and_taken_up_again(node: Node) -> None:
    node.pipeline.order(**{"sleep segment": 0.4})
    view = node.job_of(node.study(), "running")
    node.wait(lambda: True if node.service.job(view.job_id).stage is Stage.SEGMENT else None)
    assert node.service.cancel(view.job_id).state == "cancelled"
    node.wait(lambda: True if not node.context.workspace(view.job_id).source.exists() else None)
    assert node.service.job(view.job_id).state == "cancelled"
    since = len(node.pipeline.runs())
    node.service.retry(view.job_id)
    node.reach(view.job_id, "done")
    again = begun(node, since)
    assert "begin select" not in again
    assert "begin load" in again  # its volumes were tidied away with the images
    assert "begin segment" not in again


def test_a_rerun_takes_over_what_earlier_stages_left(node: Node) -> None:
    first = node.job_of(node.study(), "done")
    since = len(node.pipeline.runs())
    second = node.service.rerun(first.job_id, Stage.PROGNOSIS)
    assert (second.revision, second.cause, second.predecessor) == (1, "rerun", first.job_id)
    assert second.job_id == first.job_id[:-1] + "1"
    node.reach(second.job_id, "done")
    stages = [line for line in begun(node, since) if "deliver" not in line]
    # images and volumes of a finished job are gone: fetched, found to be the same and loaded; the maps are taken over
    assert stages == [f"begin {place}" for place in ("fetch", "admit", "load", "prognosis", "encode")]
    assert node.service.job(first.job_id).state == "superseded"
    request = node.context.workspace(second.job_id).request()
    assert (request.from_stage, request.predecessor) == (Stage.PROGNOSIS, first.job_id)


def test_a_rerun_without_its_images_is_refused(node: Node) -> None:
    source = node.study()
    first = node.job_of(source, "done")
    assert source.path is not None
    for path in source.path.iterdir():
        path.unlink()
    source.path.rmdir()
    view = node.reach(node.service.rerun(first.job_id, Stage.SELECT).job_id, "refused")
    assert view.code == "SOURCE_GONE"


def test_what_cannot_be_done_is_said_with_a_code(node: Node) -> None:
    view = node.job_of(node.study(), "done")
    for ask in (node.service.retry, node.service.cancel, node.service.reject):
        with pytest.raises(Failed) as caught:
            ask(view.job_id)
        assert caught.value.code is Code.JOB_STATE
        with pytest.raises(Failed) as caught:
            ask("0" * 32 + "-r0")
        assert caught.value.code is Code.JOB_UNKNOWN
    with pytest.raises(WrongUsage):
        node.service.rerun(view.job_id, Stage.DELIVER)


def test_work_lost_between_registry_and_engine_is_started_by_the_sweep(node: Node) -> None:
    view, _ = node.context.registry.intakes.add(node.study(), "killed before the work was started")
    job_id = node.wait(lambda: node.context.registry.intakes.view(view.intake_id).job_id)
    assert node.reach(job_id, "done").job_id == job_id


def test_many_studies_at_once_all_arrive(node: Node) -> None:
    sources = [node.study() for _ in range(6)]
    for source in sources:
        node.service.submit(source, "test")

    def all_done() -> bool | None:
        views = [view for source in sources for view in node.service.jobs(_uid(source))]
        return True if [view.state for view in views] == ["done"] * 6 else None

    assert node.wait(all_done)


def _uid(source: StudySource) -> str:
    assert source.path is not None
    return (source.path / "0.txt").read_text().split()[0]


def test_a_second_engine_in_the_same_folder_is_refused(node: Node) -> None:
    with pytest.raises(Failed) as caught:
        Engine(node.context).start()
    assert caught.value.code is Code.STATE_IN_USE


def test_a_command_beside_the_node_asks_and_the_node_works(node: Node) -> None:
    node.pipeline.order(**{"raise encode": "broken"})
    view = node.job_of(node.study(), "failed")
    node.pipeline.order(**{"raise encode": None})
    with NodeService.beside(node.settings) as beside:
        assert beside.job(view.job_id).state == "failed"
        assert beside.retry(view.job_id).state == "queued"
    node.reach(view.job_id, "done")


def test_a_command_where_no_node_ever_ran_says_so(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no node has run"), NodeService.beside(Settings(state_dir=tmp_path)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_review_releases_or_keeps_the_results(node: Node) -> None:
    node.pipeline.order(destinations=[OWN_ORTHANC, "pacs"])
    registry = node.context.registry
    held, kept = (node.job_of(node.study(), "done") for _ in range(2))
    for view in (held, kept):  # as if the settings had said after_review
        registry.jobs.move(view.job_id, "awaiting_review", out_of=("done",))
    assert node.service.reject(kept.job_id).state == "cancelled"
    assert node.service.job(kept.job_id).message == "the results were rejected at review"
    released = node.service.accept(held.job_id, "Doe^Jane")
    assert (released.cause, released.predecessor, released.revision) == ("review", held.job_id, 1)
    workspace = node.context.workspace(released.job_id)
    node.reach(released.job_id, "done")
    assert node.service.job(held.job_id).state == "superseded"
    review = read_review(workspace)
    assert review is not None
    assert review.observer == "Doe^Jane"
    for again in (held.job_id, released.job_id, kept.job_id):
        with pytest.raises(Failed) as caught:
            node.service.accept(again, "Doe^Jane")
        assert caught.value.code is Code.JOB_STATE
    with pytest.raises(WrongUsage):
        node.service.accept(released.job_id, " ")
    assert read_review(node.context.workspace(node.service.rerun(released.job_id, Stage.ENCODE).job_id)) is None


def test_health_counts_and_names_what_does_not_work(node: Node) -> None:
    service = NodeService(
        node.settings, node.context.registry, node.context.trail, node.engine, {"orthanc": lambda: False}
    )
    health = service.health()
    assert health.status == "degraded"
    assert health.parts == {"orthanc": False}
    assert health.jobs == Registry.in_folder(node.settings.state_dir).jobs.counts()


def test_every_end_is_in_the_audit_trail(node: Node) -> None:
    view = node.job_of(node.study(), "done")

    def ended() -> list[str] | None:
        found = [event.action for event in node.context.trail.events(job_id=view.job_id)]
        return found if "job_done" in found else None

    actions = node.wait(ended)
    assert actions[0] == "study_selected"
    assert actions.count("stage_begun") == 6


def test_what_the_engine_forgot_is_not_done_again(node: Node) -> None:
    source = node.study()
    first = node.job_of(source, "done")
    node.wait(lambda: True if node.engine.forget(datetime.now(UTC) + timedelta(seconds=1)) else None)
    since = len(node.pipeline.runs())
    assert node.submit(source).job_id == first.job_id
    time.sleep(0.3)
    assert begun(node, since) == ["begin fetch", "begin admit"]
    assert node.service.job(first.job_id) == first
