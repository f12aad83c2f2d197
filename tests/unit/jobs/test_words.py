"""A person's word on a candidate: kept where it cannot change, and handed on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from nodal.errors import Code, Failed
from nodal.findings import Findings, RejectedCandidate, from_json, to_json
from nodal.jobs.arrivals import ArrivalSteps
from nodal.jobs.context import Verdict
from nodal.jobs.decisions import Decision, words_with
from nodal.jobs.model import Stage
from nodal.jobs.service import NodeService
from nodal.jobs.stage_steps import COMPUTED, StageSteps
from nodal.jobs.tasks import Task
from nodal.jobs.words import WORDS_FILE, Word, decided_by, read_words, with_word, word_on, words_used, write_words
from nodal.jobs.workspace import Workspace
from nodal.settings import Settings

from tests.unit.jobs.fake import fake_context, fake_study
from tests.unit.report.sample import sample_inputs

pytestmark = pytest.mark.unit

BLADDER = (12.5, -30.25, -610.0)
BRAIN = (-3.0, 4.0, 120.125)


def judged_findings() -> Findings:
    """Three lesions, the second to be confirmed, and two rejected candidates."""
    findings = sample_inputs(3).findings
    lesions = tuple(replace(lesion, p_lesion=0.9) for lesion in findings.lesions)
    lesions = (lesions[0], replace(lesions[1], status="to_confirm", p_lesion=0.5), lesions[2])
    rejected = (
        RejectedCandidate(412.5, 18.2, "brain", 0.02, 1, BRAIN),
        RejectedCandidate(80.0, 31.0, "urinary_bladder", 0.01, 2, BLADDER),
    )
    return replace(findings, lesions=lesions, rejected_candidates=rejected)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "job")
    made.write_text("findings.json", to_json(judged_findings()))
    return made


def test_words_come_back_as_they_were_written(workspace: Workspace) -> None:
    assert read_words(workspace) == ()
    words = (Word(BLADDER, True, "orthanc:reader", "20260102030405"), Word(BRAIN, False, "api", "20260102030406"))
    write_words(workspace, words)
    assert read_words(workspace) == words


def test_the_last_word_on_a_candidate_holds() -> None:
    first, second = Word(BLADDER, True, "a", "20260101000000"), Word(BRAIN, True, "a", "20260101000001")
    nearly = (BLADDER[0] + 0.04, *BLADDER[1:])  # as a client that rounds would say it
    taken_back = Word(nearly, False, "b", "20260101000002")
    words = with_word(with_word((first,), second), taken_back)
    assert words == (second, taken_back)
    assert word_on(words, BLADDER) == taken_back
    assert word_on(words, (0.0, 0.0, 0.0)) is None


def test_a_person_decided_only_what_the_word_says() -> None:
    words = (Word(BLADDER, True, "a", "20260101000000"),)
    assert decided_by(words, BLADDER, is_lesion=True) == "person"
    assert decided_by(words, BLADDER, is_lesion=False) is None
    assert decided_by(words, BRAIN, is_lesion=True) is None


def test_who_and_when_do_not_count_in_the_digest_but_place_and_verdict_do() -> None:
    one, two = Word(BLADDER, True, "a", "20260101000000"), Word(BRAIN, False, "a", "20260101000001")
    said = words_used((one, two))
    other = words_used((replace(two, by="b", at="20270101000000"), one))
    assert said is not None
    assert other is not None
    assert (said.count, said.instant, other.instant) == (2, "20260101000001", "20270101000000")
    assert said.sha256 == other.sha256
    for changed in (replace(one, is_lesion=False), replace(one, hottest_mm=(12.5, -30.25, -606.0))):
        different = words_used((changed, two))
        assert different is not None
        assert different.sha256 != said.sha256
    assert words_used(()) is None


@pytest.mark.parametrize(
    "decision",
    [
        Decision(True, rejected=2),
        Decision(True, hottest_mm=BLADDER),
        Decision(True, hottest_mm=(12.5, -30.2501, -610.0)),
    ],
    ids=["number", "place", "rounded place"],
)
def test_a_rejected_candidate_is_taken_back(workspace: Workspace, decision: Decision) -> None:
    (word,) = words_with(workspace, decision, "orthanc:reader")
    assert (word.hottest_mm, word.is_lesion, word.by) == (BLADDER, True, "orthanc:reader")
    assert len(word.at) == 14
    assert word.at.isdigit()


@pytest.mark.parametrize("is_lesion", [True, False])
def test_an_unconfirmed_lesion_is_confirmed_or_left_out(workspace: Workspace, is_lesion: bool) -> None:
    lesion = judged_findings().lesions[1]
    (word,) = words_with(workspace, Decision(is_lesion, lesion=2), "api")
    assert (word.hottest_mm, word.is_lesion) == (lesion.hottest_mm, is_lesion)


def refused(workspace: Workspace, decision: Decision) -> str:
    with pytest.raises(Failed) as caught:
        words_with(workspace, decision, "api")
    return caught.value.code


def test_what_is_not_there_or_would_change_nothing_is_refused(workspace: Workspace) -> None:
    assert refused(workspace, Decision(True, rejected=3)) == Code.CANDIDATE_UNKNOWN
    assert refused(workspace, Decision(True, lesion=4)) == Code.CANDIDATE_UNKNOWN
    assert refused(workspace, Decision(True, hottest_mm=(0.0, 0.0, 0.0))) == Code.CANDIDATE_UNKNOWN
    assert refused(workspace, Decision(True, lesion=1)) == Code.JOB_STATE
    assert refused(workspace, Decision(False, rejected=1)) == Code.JOB_STATE


def test_a_word_that_the_lesions_do_not_follow_can_be_changed(workspace: Workspace) -> None:
    write_words(workspace, [Word(BRAIN, True, "api", "20260101000000")])
    (word,) = words_with(workspace, Decision(False, rejected=1), "api")
    assert (word.hottest_mm, word.is_lesion) == (BRAIN, False)


def test_lesions_that_were_not_judged_take_no_word(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert refused(workspace, Decision(True, lesion=1)) == Code.JOB_STATE
    workspace.write_text("findings.json", to_json(sample_inputs(2).findings))
    assert refused(workspace, Decision(False, lesion=1)) == Code.JOB_STATE
    # its rejected candidate was written before numbers and places were
    assert refused(workspace, Decision(True, rejected=1)) == Code.CANDIDATE_UNKNOWN


class Queue:
    """Stands for the engine: what shall be done is done when the test says so."""

    def start_task(self, task: Task) -> None:
        """Nothing."""


class TestRevisions:
    """With a pipeline without images."""

    @pytest.fixture
    def job(self, tmp_path: Path) -> str:
        self.context = fake_context(tmp_path)
        self.service = NodeService(
            Settings(state_dir=self.context.state_dir), self.context.registry, self.context.trail, Queue()
        )
        intake, _ = self.context.registry.intakes.add(fake_study(tmp_path / "study"), "test")
        arrivals = ArrivalSteps(self.context)
        assert arrivals.fetch(intake.intake_id) is Verdict.ON
        job_id = arrivals.admit(intake.intake_id)
        assert job_id is not None
        self.compute(job_id)
        return job_id

    def compute(self, job_id: str) -> None:
        """All stages; then findings as a judging segmenter would leave them, in place of the pipeline's."""
        steps = StageSteps(self.context)
        assert steps.ensure_source(job_id, 0) is Verdict.ON
        for stage in COMPUTED:
            assert steps.run(job_id, 0, stage) is Verdict.ON
        self.context.workspace(job_id).write_text("findings.json", to_json(judged_findings()))

    def begun(self, job_id: str) -> list[str]:
        events = self.context.trail.events(job_id=job_id)
        return [str(event.details["stage"]) for event in events if event.action == "stage_begun"]

    def test_the_lesions_are_drawn_anew_and_the_word_is_there_before(self, job: str) -> None:
        view = self.service.decide(job, Decision(True, rejected=2), "orthanc:reader")
        assert (view.cause, view.predecessor, view.revision) == ("correction", job, 1)
        assert self.service.job(job).state == "superseded"
        (word,) = read_words(self.context.workspace(view.job_id))
        assert (word.hottest_mm, word.by) == (BLADDER, "orthanc:reader")
        assert not self.context.workspace(job).path(WORDS_FILE).exists()
        self.compute(view.job_id)
        assert self.begun(view.job_id) == ["segment", "anatomy", "prognosis", "encode"]
        # an input, not the work of a stage: a stage that is run again must not lose it
        assert all(WORDS_FILE not in files for files in self.context.registry.jobs.stage_files(view.job_id).values())

    def test_words_are_handed_on_and_add_up(self, job: str) -> None:
        second = self.service.decide(job, Decision(True, rejected=2), "orthanc:one").job_id
        self.compute(second)
        third = self.service.decide(second, Decision(False, lesion=2), "orthanc:two").job_id
        self.compute(third)
        fourth = self.service.rerun(third, Stage.SELECT).job_id
        words = read_words(self.context.workspace(fourth))
        place = from_json(self.context.workspace(third).path("findings.json")).lesions[1].hottest_mm
        assert [(word.by, word.is_lesion, word.hottest_mm) for word in words] == [
            ("orthanc:one", True, BLADDER),
            ("orthanc:two", False, place),
        ]

    def test_a_job_that_was_replaced_takes_no_word(self, job: str) -> None:
        self.service.decide(job, Decision(True, rejected=2), "orthanc:one")
        with pytest.raises(Failed) as caught:
            self.service.decide(job, Decision(True, rejected=1), "orthanc:two")
        assert caught.value.code == Code.JOB_STATE

    def test_no_word_where_there_are_no_findings_yet(self, job: str) -> None:
        second = self.service.decide(job, Decision(True, rejected=2), "orthanc:one").job_id
        with pytest.raises(Failed) as caught:
            self.service.decide(second, Decision(True, rejected=1), "orthanc:one")
        assert caught.value.code == Code.JOB_STATE
