"""Contours that come back, without a single image: what is a correction, when it is taken up, what a kill leaves."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nodal.audit import Event
from nodal.jobs.context import JobContext
from nodal.jobs.contour_steps import ContourSteps
from nodal.jobs.given import CONTOUR_FILE, read_note
from nodal.jobs.identity import IDENTITIES
from nodal.jobs.model import JobView, Stage, StudySource
from nodal.jobs.stage_steps import StageSteps
from nodal.report.uids import series_uid

from tests.unit.jobs.fake import fake_context, fake_contour, fake_study
from tests.unit.jobs.test_steps import Killed, compute, enter, killed_at

pytestmark = pytest.mark.unit

STUDY = "1.2.3"


class Desk:
    """A study, its first job done, and a workstation that sends contours."""

    def __init__(self, folder: Path, *, done: bool = True, accept_from: tuple[str, ...] = ()) -> None:
        self.context: JobContext = replace(fake_context(folder), accept_from=accept_from)
        self.folder = folder
        self.source = fake_study(folder / "study", STUDY)
        self.first = str(enter(self.context, self.source))
        if done:
            compute(self.context, self.first)
        self.sent = 0

    @property
    def seg(self) -> str:
        """SOP Instance UID of the first job's SEG."""
        return f"2.25.pacs.seg.{self.first}"

    def send(self, name: str, **said: Any) -> str | None:
        """The contour alone, as a workstation sends it; the job to start."""
        self.sent += 1
        folder = self.folder / f"sent-{self.sent}"
        fake_contour(folder, name, STUDY, **said)
        return enter(self.context, StudySource("folder", folder))

    def jobs(self) -> list[JobView]:
        return self.context.registry.jobs.views(STUDY)

    def events(self, action: str) -> list[Event]:
        return [one for one in self.context.trail.events() if one.action == action]

    def sentences(self, action: str) -> list[str]:
        return [str(one.details["sentence"]) for one in self.events(action)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_contour_that_refers_to_our_seg_begins_a_revision_from_the_lesions_on(desk: Desk) -> None:
    begun = desk.send("1", refs=[desk.seg])
    new, old = desk.jobs()
    assert (new.job_id, new.cause, new.predecessor, new.revision) == (begun, "correction", desk.first, 1)
    assert old.state == "superseded"
    workspace = desk.context.workspace(new.job_id)
    assert workspace.path(CONTOUR_FILE).exists()
    assert workspace.request().reference == Path(CONTOUR_FILE)
    compute(desk.context, new.job_id)
    stages = [
        one.details["stage"] for one in desk.context.trail.events(job_id=new.job_id) if one.action == "stage_begun"
    ]
    assert stages == ["segment", "anatomy", "prognosis", "encode"]
    (taken,) = desk.events("contour_taken")
    assert (taken.job_id, taken.details["sop_instance_uid"]) == (new.job_id, "1.2.9.1")
    # an input, not the work of a stage: a stage that is run again must not lose it
    assert all(CONTOUR_FILE not in files for files in desk.context.registry.jobs.stage_files(new.job_id).values())
    assert not any((desk.context.state_dir / "contours").iterdir())


@pytest.mark.parametrize("how", ["series", "tracking", "sr"])
def test_any_reference_to_what_we_made_counts(desk: Desk, how: str) -> None:
    desk.context.workspace(desk.first).write_json(IDENTITIES, {"2.25.77": 1})
    said = {
        "series": {"refs": [series_uid(desk.seg)]},
        "tracking": {"tracking": ["2.25.5", "2.25.77"]},
        "sr": {"refs": [desk.seg.replace("seg", "sr", 1)]},
    }[how]
    assert desk.send("1", **said) != desk.first
    assert len(desk.jobs()) == 2


def test_a_foreign_contour_is_passed_over_once_and_nothing_is_refused(desk: Desk) -> None:
    assert desk.send("1", refs=["1.2.840.1"], caller="PLANNING") == desk.first
    assert desk.send("1", refs=["1.2.840.1"], caller="PLANNING") == desk.first
    assert len(desk.jobs()) == 1
    (sentence,) = desk.sentences("contour_passed_over")
    assert "refers to none of this node's results" in sentence
    assert {intake.state for intake in desk.context.registry.intakes.views()} == {"selected"}


def test_a_workstation_that_the_settings_name_needs_no_reference(tmp_path: Path) -> None:
    desk = Desk(tmp_path, accept_from=("READING",))
    assert desk.send("1", caller="PLANNING") == desk.first
    assert desk.send("2", caller="READING") != desk.first
    (taken,) = desk.events("contour_taken")
    assert taken.details["caller"] == "READING"


def test_a_workstation_that_is_named_later_may_send_again(desk: Desk) -> None:
    desk.send("1", caller="READING")
    desk.context = replace(desk.context, accept_from=("READING",))
    assert desk.send("1", caller="READING") != desk.first


def test_our_own_object_that_comes_back_changes_nothing(desk: Desk) -> None:
    folder = desk.folder / "back"
    fake_contour(folder, "x", STUDY, sop=desk.seg, refs=[desk.seg])
    assert enter(desk.context, StudySource("folder", folder)) == desk.first
    assert len(desk.jobs()) == 1
    assert not [one for one in desk.context.trail.events() if one.action.startswith("contour_")]


def test_the_same_contour_again_makes_nothing_new(desk: Desk) -> None:
    new = str(desk.send("1", refs=[desk.seg]))
    compute(desk.context, new)
    assert desk.send("1", refs=[desk.seg]) == new
    fake_contour(desk.folder / "study", "1", STUDY, refs=[desk.seg])
    enter(desk.context, desk.source)  # with the study, as Orthanc holds it
    assert len(desk.jobs()) == 2


def test_a_contour_that_comes_with_the_study_is_taken_up(desk: Desk) -> None:
    fake_contour(desk.folder / "study", "1", STUDY, refs=[desk.seg])
    assert enter(desk.context, desk.source) == desk.jobs()[0].job_id
    assert len(desk.jobs()) == 2


def test_of_two_at_once_the_one_made_later_is_taken(desk: Desk) -> None:
    fake_contour(desk.folder / "study", "1", STUDY, refs=[desk.seg], instant="20260102120000")
    fake_contour(desk.folder / "study", "2", STUDY, refs=[desk.seg], instant="20260102110000")
    new = str(enter(desk.context, desk.source))
    note = read_note(desk.context.workspace(new))
    assert note is not None
    assert note.sop_instance_uid == "1.2.9.1"
    assert desk.sentences("contour_passed_over") == ["a contour of the same lesions that was made later came with it"]
    compute(desk.context, new)
    enter(desk.context, desk.source)
    assert len(desk.jobs()) == 2


def test_a_contour_waits_for_a_job_that_is_running_and_outlives_its_source(tmp_path: Path) -> None:
    desk = Desk(tmp_path, done=False)
    desk.context.registry.memory.note_own(desk.first, [("2.25.early", "0")])
    assert desk.send("1", refs=["2.25.early"]) == desk.first
    assert len(desk.events("contour_received")) == 1
    shutil.rmtree(tmp_path / "sent-1")
    steps = ContourSteps(desk.context)
    assert steps.take_up() == []
    compute(desk.context, desk.first)
    (begun,) = steps.take_up()
    assert desk.context.registry.jobs.view(begun).predecessor == desk.first
    assert steps.take_up() == []


@pytest.mark.parametrize("code", ["CONTOUR_OTHER_IMAGE", "CONTOUR_UNREADABLE"])
def test_a_contour_of_something_else_is_refused_and_the_job_stands(desk: Desk, code: str) -> None:
    assert desk.send("1", refs=[desk.seg], fault=code) == desk.first
    (job,) = desk.jobs()
    assert job.state == "delivering"
    (refused,) = desk.events("contour_refused")
    assert (refused.outcome, refused.code) == ("refused", code)
    assert ContourSteps(desk.context).take_up() == []


def test_only_who_edited_our_lesions_may_say_that_there_is_none(tmp_path: Path) -> None:
    desk = Desk(tmp_path, accept_from=("READING",))
    assert desk.send("1", caller="READING", empty=True) == desk.first
    assert [one.code for one in desk.events("contour_refused")] == ["CONTOUR_EMPTY"]
    assert desk.send("2", refs=[desk.seg], empty=True) != desk.first


def test_a_contour_that_changes_nothing_makes_no_revision(desk: Desk) -> None:
    """Nor does a PACS that gives our own SEG new UIDs and sends it back, again and again."""
    assert desk.send("1", refs=[desk.seg], same=True) == desk.first
    assert desk.sentences("contour_passed_over") == ["it marks the lesions as they are"]


def test_images_that_are_gone_leave_the_job_as_it_is_until_they_are_back(desk: Desk) -> None:
    desk.context.pipeline.tidy(desk.context.workspace(desk.first))
    shutil.rmtree(desk.folder / "study")
    assert desk.send("1", refs=[desk.seg]) == desk.first
    assert [one.code for one in desk.events("contour_passed_over")] == ["SOURCE_GONE"]
    fake_study(desk.folder / "study", STUDY)
    fake_contour(desk.folder / "study", "1", STUDY, refs=[desk.seg])
    assert enter(desk.context, desk.source) != desk.first


def test_a_contour_of_a_study_that_was_never_here_is_refused_as_before(tmp_path: Path) -> None:
    context = fake_context(tmp_path)
    fake_contour(tmp_path / "sent", "1", STUDY, refs=["1.2"])
    assert enter(context, StudySource("folder", tmp_path / "sent")) is None
    (intake,) = context.registry.intakes.views()
    assert (intake.state, intake.code) == ("refused", "NO_PET")


def test_a_rerun_keeps_the_contour(desk: Desk) -> None:
    new = str(desk.send("1", refs=[desk.seg]))
    compute(desk.context, new)
    steps = ContourSteps(desk.context)
    again = steps._revisions.revise(desk.context.registry.jobs.view(new), "rerun", Stage.SELECT)
    workspace = desk.context.workspace(again.job_id)
    assert workspace.path(CONTOUR_FILE).samefile(desk.context.workspace(new).path(CONTOUR_FILE))
    assert workspace.request().reference == Path(CONTOUR_FILE)
    assert read_note(workspace) == read_note(desk.context.workspace(new))


def test_a_late_slice_keeps_the_contour_for_the_new_results(desk: Desk) -> None:
    new = str(desk.send("1", refs=[desk.seg]))
    compute(desk.context, new)
    fake_study(desk.folder / "study", STUDY, files=4)
    late = str(enter(desk.context, desk.source))
    assert desk.context.registry.jobs.view(late).predecessor == new
    compute(desk.context, late)
    (begun,) = ContourSteps(desk.context).take_up()
    assert desk.context.registry.jobs.view(begun).predecessor == late
    assert desk.context.workspace(begun).path(CONTOUR_FILE).exists()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", ["contours.put", "contours.settle", "intakes.select", "jobs.add"])
def test_killed_anywhere_the_contour_makes_its_one_revision(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, place: str, after: bool
) -> None:
    from nodal.jobs.arrivals import ArrivalSteps

    folder = desk.folder / "sent"
    fake_contour(folder, "1", STUDY, refs=[desk.seg])
    intake, _ = desk.context.registry.intakes.add(StudySource("folder", folder), "test")
    steps = ArrivalSteps(desk.context)
    steps.fetch(intake.intake_id)
    book, _, name = place.partition(".")
    killed_at(getattr(desk.context.registry, book), name, monkeypatch, after=after)
    with pytest.raises(Killed):
        steps.admit(intake.intake_id)
    monkeypatch.undo()
    shutil.rmtree(folder)
    begun = steps.admit(intake.intake_id)
    assert [job.cause for job in desk.jobs()] == ["correction", "intake"]
    assert begun == desk.jobs()[0].job_id
    (waiting, taken) = desk.context.registry.contours.waiting(), desk.events("contour_taken")
    assert (waiting, len(taken) <= 1) == ([], True)
    assert StageSteps(desk.context).ensure_source(str(begun), 0) == "on"
