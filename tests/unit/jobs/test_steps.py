"""The steps without the engine, above all: killed between any two lines, and run again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nodal.jobs.arrivals import ArrivalSteps
from nodal.jobs.context import JobContext, Verdict
from nodal.jobs.delivery_steps import DeliverySteps
from nodal.jobs.model import Stage, StudySource
from nodal.jobs.stage_steps import COMPUTED, StageSteps

from tests.unit.jobs.fake import FILES, FakePipeline, fake_context, fake_study

pytestmark = pytest.mark.unit


class Killed(BaseException):
    """Stands for kill -9: no handler of ours may catch it."""


def pipeline_of(context: JobContext) -> FakePipeline:
    assert isinstance(context.pipeline, FakePipeline)
    return context.pipeline


def enter(context: JobContext, source: StudySource) -> str | None:
    intake, _ = context.registry.intakes.add(source, "test")
    steps = ArrivalSteps(context)
    if steps.fetch(intake.intake_id) is not Verdict.ON:
        return None
    return steps.admit(intake.intake_id)


def compute(context: JobContext, job_id: str, round_: int = 0) -> list[str]:
    steps = StageSteps(context)
    assert steps.ensure_source(job_id, round_) is Verdict.ON
    for stage in COMPUTED:
        assert steps.run(job_id, round_, stage) is Verdict.ON
    return steps.plan(job_id, round_)


def killed_at(owner: object, name: str, monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """Lets a method die once, before or after it did its work."""
    work: Callable[..., Any] = getattr(owner, name)

    def die(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(owner, name, work)
        if after:
            work(*arguments, **named)
        raise Killed

    monkeypatch.setattr(owner, name, die)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "place", ["intakes.intend", "intakes.select", "jobs.add", "memory.note_study", "rename", "prepare"]
)
def test_an_intake_killed_anywhere_makes_its_job_with_its_predecessor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, after: bool
) -> None:
    context = fake_context(tmp_path)
    source = fake_study(tmp_path / "study")
    old = enter(context, source)
    fake_study(tmp_path / "study", files=4)
    intake, _ = context.registry.intakes.add(source, "late slice")
    steps = ArrivalSteps(context)
    steps.fetch(intake.intake_id)
    owner: Any = {"rename": Path, "prepare": context.pipeline}.get(place)
    if owner is None:
        book, _, place = place.partition(".")
        owner = getattr(context.registry, book)
    killed_at(owner, place, monkeypatch, after=after)
    with pytest.raises(Killed):
        steps.admit(intake.intake_id)
    monkeypatch.undo()
    job_id = steps.admit(intake.intake_id)
    assert job_id is not None
    view = context.registry.jobs.view(job_id)
    assert (view.state, view.predecessor) == ("queued", old)
    assert context.registry.jobs.view(str(old)).state == "superseded"
    assert context.workspace(job_id).request().predecessor == old
    assert len(list(context.workspace(job_id).source.iterdir())) == 4
    assert not context.intake_workspace(intake.intake_id).root.exists()


def test_the_same_study_twice_is_one_job(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    first = enter(context, fake_study(tmp_path / "study"))
    copy = enter(context, fake_study(tmp_path / "copy of it"))
    assert first == copy
    assert [view.state for view in context.registry.jobs.views()] == ["queued"]
    assert {view.job_id for view in context.registry.intakes.views()} == {first}
    assert not any((context.state_dir / "intake").iterdir())


def test_a_dose_report_that_comes_later_makes_no_job(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    first = enter(context, fake_study(tmp_path / "study"))
    (tmp_path / "study/other.txt").write_text("dose report")
    assert enter(context, StudySource("folder", tmp_path / "study")) == first
    assert len(context.registry.jobs.views()) == 1


def test_a_job_keeps_its_images_when_the_source_goes(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    job_id = enter(context, fake_study(tmp_path / "study"))
    shutil.rmtree(tmp_path / "study")
    assert compute(context, str(job_id)) == ["pacs"]


def test_a_study_that_cannot_be_used_is_refused_with_its_sentence(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    (tmp_path / "study").mkdir()
    assert enter(context, StudySource("folder", tmp_path / "study")) is None
    (view,) = context.registry.intakes.views()
    assert (view.state, view.code, view.message) == ("refused", "NO_PET", "the study has no PET series")
    assert not any((context.state_dir / "intake").iterdir())


def test_a_refused_study_that_is_completed_makes_its_job(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    (tmp_path / "study").mkdir()
    enter(context, StudySource("folder", tmp_path / "study"))
    assert enter(context, fake_study(tmp_path / "study")) is not None


def test_a_stage_killed_before_its_end_runs_again_and_one_after_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = fake_context(tmp_path)
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    steps, pipeline = StageSteps(context), pipeline_of(context)
    steps.run(job_id, 0, Stage.SELECT)
    killed_at(context.registry.jobs, "end_stage", monkeypatch, after=False)
    with pytest.raises(Killed):
        steps.run(job_id, 0, Stage.LOAD)
    steps.run(job_id, 0, Stage.LOAD)
    killed_at(context.registry.jobs, "end_stage", monkeypatch, after=True)
    with pytest.raises(Killed):
        steps.run(job_id, 0, Stage.SEGMENT)
    assert steps.run(job_id, 0, Stage.SEGMENT) is Verdict.ON
    assert pipeline.runs().count("end load") == 2
    assert pipeline.runs().count("end segment") == 1


def test_each_stage_is_known_by_the_files_it_left(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    compute(context, job_id)
    assert context.registry.jobs.stage_files(job_id) == {stage: (name,) for stage, name in FILES.items()}


def test_a_cancelled_job_runs_no_further_stage_and_is_tidied(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    steps = StageSteps(context)
    steps.run(job_id, 0, Stage.SELECT)
    context.registry.jobs.move(job_id, "cancelled", out_of=("running",))
    assert steps.run(job_id, 0, Stage.LOAD) is Verdict.STOP
    assert steps.plan(job_id, 0) == []
    assert context.registry.jobs.view(job_id).state == "cancelled"
    assert not context.workspace(job_id).source.exists()


def test_a_job_cancelled_while_a_stage_fails_stays_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = fake_context(tmp_path)
    job_id = str(enter(context, fake_study(tmp_path / "study")))

    def cancelled_meanwhile(stage: Stage, workspace: object) -> None:
        context.registry.jobs.move(job_id, "cancelled", out_of=("running",))
        raise ValueError

    monkeypatch.setattr(context.pipeline, "run_stage", cancelled_meanwhile)
    assert StageSteps(context).run(job_id, 0, Stage.SELECT) is Verdict.STOP
    assert context.registry.jobs.view(job_id).state == "cancelled"


def test_volumes_that_are_gone_are_loaded_again_from_images_fetched_again(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    steps, pipeline = StageSteps(context), pipeline_of(context)
    for stage in (Stage.SELECT, Stage.LOAD, Stage.SEGMENT):
        steps.run(job_id, 0, stage)
    pipeline.tidy(context.workspace(job_id))
    assert steps.ensure_source(job_id, 0) is Verdict.ON
    assert context.registry.jobs.standing(job_id).finished == {Stage.SELECT, Stage.SEGMENT}
    compute(context, job_id)
    assert [pipeline.runs().count(f"end {stage}") for stage in ("select", "load", "segment")] == [1, 2, 1]


@pytest.mark.parametrize("change", ["gone", "other"])
def test_images_that_are_gone_or_others_now_refuse_the_rerun(tmp_path: Path, change: str) -> None:
    context = fake_context(tmp_path)
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    pipeline_of(context).tidy(context.workspace(job_id))
    if change == "gone":
        shutil.rmtree(tmp_path / "study")
    else:
        (tmp_path / "study/0.txt").write_text("1.2.3 altered")
    assert StageSteps(context).ensure_source(job_id, 0) is Verdict.STOP
    view = context.registry.jobs.view(job_id)
    assert (view.state, view.code) == ("refused", "SOURCE_GONE")


def test_without_any_destination_the_job_is_done(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    pipeline_of(context).order(destinations=[])
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    assert compute(context, job_id) == []
    DeliverySteps(context).settle(job_id)
    assert context.registry.jobs.view(job_id).state == "done"


def test_results_wait_for_review_but_for_the_nodes_own_orthanc(tmp_path: Path) -> None:
    context = fake_context(tmp_path, release="after_review")
    pipeline_of(context).order(destinations=["orthanc", "pacs"])
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    assert compute(context, job_id) == ["orthanc"]
    deliveries = DeliverySteps(context)
    assert deliveries.attempt(job_id, 0, "pacs", 0) is None
    deliveries.attempt(job_id, 0, "orthanc", 0)
    view = context.registry.jobs.view(job_id)
    assert view.state == "awaiting_review"
    assert {(d.destination, d.state) for d in view.deliveries} == {("orthanc", "sent"), ("pacs", "pending")}


def test_a_delivery_killed_half_way_sends_only_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = fake_context(tmp_path)
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    compute(context, job_id)
    killed_at(context.registry.deliveries, "note", monkeypatch, after=True)
    with pytest.raises(Killed):
        DeliverySteps(context).attempt(job_id, 0, "pacs", 0)
    assert DeliverySteps(context).attempt(job_id, 0, "pacs", 0) is None
    sent = [line for line in pipeline_of(context).runs() if line.startswith("sent")]
    assert len(sent) == len(set(sent)) == 2
    assert context.registry.jobs.view(job_id).state == "done"


def test_only_what_was_not_taken_is_tried_again_until_it_is_given_up(tmp_path: Path) -> None:
    # waits of 1, 2, 4 s; the next of 8 s would pass 10.8 s
    context = fake_context(tmp_path, retry_first_s=1, retry_max_s=60, give_up_after_h=0.003)
    pipeline = pipeline_of(context)
    pipeline.order(destinations=["up", "down"], down=["down"], refuses=["sr"])
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    assert compute(context, job_id) == ["up", "down"]
    deliveries = DeliverySteps(context)
    assert deliveries.attempt(job_id, 0, "up", 0) is None
    assert [deliveries.attempt(job_id, 0, "down", attempt) for attempt in range(4)] == [1, 2, 4, None]
    view = context.registry.jobs.view(job_id)
    assert (view.state, view.code) == ("parked", "UNREACHABLE")
    assert view.message == "2 of 4 deliveries never arrived; retry sends them again"
    assert [(d.destination, d.kind, d.state, d.attempts) for d in view.deliveries] == [
        ("up", "seg", "sent", 1),
        ("up", "sr", "refused_permanent", 1),
        ("down", "seg", "retry", 4),
        ("down", "sr", "retry", 4),
    ]


def test_a_fault_of_our_own_in_delivery_is_tried_again_and_tells_no_name(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    pipeline_of(context).order(**{"raise deliver seg": "broken"})
    job_id = str(enter(context, fake_study(tmp_path / "study")))
    compute(context, job_id)
    assert DeliverySteps(context).attempt(job_id, 0, "pacs", 0) == 0.05
    view = context.registry.jobs.view(job_id)
    assert {(d.state, d.code) for d in view.deliveries} == {("retry", "INTERNAL")}
    assert "DOE" not in str(view)


def test_objects_that_cannot_be_listed_fail_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = fake_context(tmp_path)
    job_id = str(enter(context, fake_study(tmp_path / "study")))

    def torn(workspace: object) -> None:
        raise ValueError("DOE^JANE")

    monkeypatch.setattr(context.pipeline, "planned", torn)
    assert compute(context, job_id) == []
    view = context.registry.jobs.view(job_id)
    assert (view.state, view.message) == ("failed", "an unexpected fault (ValueError) in planning the delivery")
