"""The registry keeps its word: states change only when they may, nothing is counted twice, no patient id in hashes."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from nodal.clinical.record import Statement, Unusable
from nodal.clinical.statements import PatientStatements
from nodal.delivery.outcome import Outcome
from nodal.errors import Code, Failed
from nodal.jobs.model import JobRequest, Stage, StudySource
from nodal.jobs.registry import Registry
from nodal.jobs.results import StoredObject
from sqlalchemy.exc import OperationalError

pytestmark = pytest.mark.unit

SOURCE = StudySource("folder", Path("/studies/one"))


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry.in_folder(tmp_path)


def request(digest: str, revision: int = 0, study: str = "1.2", predecessor: str | None = None) -> JobRequest:
    return JobRequest(f"{digest}-r{revision}", digest, revision, "intake", study, SOURCE, predecessor=predecessor)


def stored(kind: str, target: str = "pacs") -> StoredObject:
    return StoredObject(target, kind, "1.2.840", f"2.25.{target}.{kind}", "ab" * 32)  # type: ignore[arg-type]


def test_an_announcement_that_waits_is_not_entered_twice(registry: Registry) -> None:
    first, new = registry.intakes.add(SOURCE, "stable_study", "1.2")
    again, new_again = registry.intakes.add(SOURCE, "reconcile")
    assert (new, new_again, again.intake_id) == (True, False, first.intake_id)
    other, new_other = registry.intakes.add(StudySource("orthanc", orthanc_id="a1"), "stable_study")
    assert new_other
    assert other.source == StudySource("orthanc", orthanc_id="a1")


def test_an_announcement_after_the_study_was_looked_at_is_news(registry: Registry) -> None:
    first, _ = registry.intakes.add(SOURCE, "stable_study")
    registry.intakes.begin(first.intake_id)
    late, new = registry.intakes.add(SOURCE, "stable_study")
    assert new
    assert late.intake_id != first.intake_id
    assert registry.intakes.waiting() == [first.intake_id, late.intake_id]


def test_a_selected_intake_is_not_refused_afterwards(registry: Registry) -> None:
    view, _ = registry.intakes.add(SOURCE, "listener")
    registry.intakes.select(view.intake_id, "d-r0", "1.2")
    registry.intakes.refuse(view.intake_id, Code.NO_CT, "there is no CT")
    now = registry.intakes.view(view.intake_id)
    assert (now.state, now.job_id, now.code, now.study_instance_uid) == ("selected", "d-r0", None, "1.2")


def test_the_same_job_is_entered_once(registry: Registry) -> None:
    assert registry.jobs.add(request("d"), "~1", None)
    assert not registry.jobs.add(request("d"), "~1", None)
    assert len(registry.jobs.views()) == 1


def test_a_new_job_supersedes_what_it_names(registry: Registry) -> None:
    registry.jobs.add(request("a"), None, None)
    registry.jobs.add(request("b", predecessor="a-r0"), None, None)
    assert registry.jobs.view("a-r0").state == "superseded"
    assert registry.jobs.latest_of_study("1.2") == "b-r0"
    assert registry.jobs.view("b-r0").predecessor == "a-r0"


def test_revisions_count_up_for_each_digest(registry: Registry) -> None:
    assert registry.jobs.next_revision("a") == 0
    registry.jobs.add(request("a"), None, None)
    registry.jobs.add(request("a", 1), None, None)
    registry.jobs.add(request("b"), None, None)
    assert (registry.jobs.next_revision("a"), registry.jobs.next_revision("b")) == (2, 1)


def test_a_state_changes_only_out_of_the_states_named(registry: Registry) -> None:
    registry.jobs.add(request("a"), None, None)
    assert registry.jobs.move("a-r0", "cancelled", out_of=("queued", "running"))
    assert not registry.jobs.move("a-r0", "failed", out_of=("queued", "running"), code=Code.INTERNAL, message="late")
    view = registry.jobs.view("a-r0")
    assert (view.state, view.code, view.message) == ("cancelled", None, None)


def test_work_of_an_earlier_round_changes_nothing(registry: Registry) -> None:
    registry.jobs.add(request("a"), None, None)
    registry.jobs.move("a-r0", "failed", out_of=("queued",))
    registry.jobs.move("a-r0", "queued", out_of=("failed",), next_round=True)
    assert registry.jobs.standing("a-r0").round == 1
    assert not registry.jobs.begin_stage("a-r0", 0, Stage.LOAD)
    assert not registry.jobs.move("a-r0", "failed", out_of=("queued",), round_=0)
    assert registry.jobs.begin_stage("a-r0", 1, Stage.LOAD)


def test_stages_keep_their_seconds_and_files(registry: Registry) -> None:
    registry.jobs.add(request("a"), None, None)
    registry.jobs.begin_stage("a-r0", 0, Stage.LOAD)
    registry.jobs.end_stage("a-r0", Stage.LOAD, 1.5, ["pet_suv.nrrd"])
    registry.jobs.end_stage("a-r0", Stage.SELECT, 0.25, ["selection.json"])
    view = registry.jobs.view("a-r0")
    assert list(view.stage_seconds.items()) == [("select", 0.25), ("load", 1.5)]
    assert (view.state, view.stage) == ("running", Stage.LOAD)
    assert registry.jobs.stage_files("a-r0")[Stage.LOAD] == ("pet_suv.nrrd",)
    registry.jobs.forget_stages("a-r0", [Stage.LOAD])
    assert registry.jobs.standing("a-r0").finished == {Stage.SELECT}


def test_unknown_names_are_an_error_with_a_code(registry: Registry) -> None:
    for ask in (registry.jobs.view, registry.jobs.standing, registry.intakes.view):
        with pytest.raises(Failed) as caught:
            ask("nothing")
        assert caught.value.code is Code.JOB_UNKNOWN


def test_deliveries_are_tallied_given_up_and_taken_up(registry: Registry) -> None:
    registry.jobs.add(request("a"), None, None)
    objects = [stored("seg"), stored("sr"), stored("pdf", "other")]
    book = registry.deliveries
    book.plan("a-r0", objects)
    book.plan("a-r0", objects)
    assert book.undelivered("a-r0") == objects
    book.note("a-r0", objects[0], Outcome(objects[0].sop_instance_uid, "sent"))
    book.note("a-r0", objects[1], Outcome(objects[1].sop_instance_uid, "retry", Code.UNREACHABLE, "pacs is down"))
    tally = book.tally("a-r0")
    assert (tally.open, tally.given_up, tally.total) == (2, 0, 3)
    book.give_up("a-r0", "pacs")
    tally = book.tally("a-r0")
    assert (tally.open, tally.given_up) == (1, 1)
    assert book.undelivered("a-r0") == [objects[2]]
    book.take_up("a-r0")
    assert book.undelivered("a-r0") == objects[1:]
    views = {view.kind: view for view in registry.jobs.view("a-r0").deliveries}
    assert (views["seg"].state, views["seg"].attempts) == ("sent", 1)
    assert (views["sr"].state, views["sr"].code, views["sr"].message) == ("retry", "UNREACHABLE", "pacs is down")
    assert (views["pdf"].state, views["pdf"].attempts) == ("pending", 0)


def test_an_object_sent_in_place_of_another_is_entered(registry: Registry) -> None:
    registry.deliveries.note("a-r0", stored("sr"), Outcome("2.25.pacs.sr", "sent"))
    assert registry.deliveries.tally("a-r0").total == 1


class TestClinical:
    STAGE = Statement("stage", 3, "fhir", "20260102100000+0000", "20260101", "Dr A", "IIIB")
    LDH = Statement("ldh_ratio", 1.4, "hl7", "20260102100000+0000")
    NOTE = Unusable("ldh_ratio", "hl7", "20260102100000+0000", "480 U/L", "no upper limit")

    def test_statements_come_back_as_they_were(self, registry: Registry) -> None:
        assert registry.memory.clinical("H~1") == PatientStatements("H~1")
        told = PatientStatements("H~1", (self.STAGE, self.LDH), (self.NOTE,))
        registry.memory.put_clinical(told)
        assert registry.memory.clinical("H~1") == told
        assert registry.memory.clinical("H~2").statements == ()

    def test_sources_are_added_and_one_is_replaced(self, registry: Registry) -> None:
        first = Statement("ecog", 1, "api", "20260102")
        registry.memory.put_clinical(PatientStatements("H~1", (self.STAGE, first), (self.NOTE,)))
        second = Statement("bulky", True, "api", "20260103")
        registry.memory.put_clinical(PatientStatements("H~1", (second,)), ("api",))
        known = registry.memory.clinical("H~1")
        assert (known.statements, known.unusable) == ((self.STAGE, second), (self.NOTE,))
        registry.memory.put_clinical(PatientStatements("H~1"), ("api", "hl7"))
        assert registry.memory.clinical("H~1") == PatientStatements("H~1", (self.STAGE,))

    def test_a_message_sent_again_is_kept_once(self, registry: Registry) -> None:
        registry.memory.put_clinical(PatientStatements("H~1", (self.LDH,), (self.NOTE,)))
        again = replace(self.LDH, entered_at="20260105"), replace(self.NOTE, entered_at="20260105")
        registry.memory.put_clinical(PatientStatements("H~1", again[:1], again[1:]))
        assert registry.memory.clinical("H~1") == PatientStatements("H~1", (self.LDH,), (self.NOTE,))
        back_and_forth = [replace(self.LDH, value=value, entered_at="20260106") for value in (2.0, 1.4)]
        for one in back_and_forth:
            registry.memory.put_clinical(PatientStatements("H~1", (one,)))
        assert registry.memory.clinical("H~1").statements == (self.LDH, *back_and_forth)

    def test_whole_records_of_earlier_versions_are_read_and_taken_over(
        self, registry: Registry, tmp_path: Path
    ) -> None:
        whole = {
            "age_years": 61.0, "sex": "F", "stage": 3, "ldh_ratio": None, "ecog": 1, "extranodal_sites": ["liver"],
            "cell_of_origin": None, "bulky": None, "b_symptoms": False, "timepoint": "baseline",
            "entered_at": "20260102100000+0000", "sources": {"age_years": "api", "sex": "api"},
        }  # fmt: skip
        with sqlite3.connect(tmp_path / "registry.sqlite") as other:
            other.execute("INSERT INTO clinical_records VALUES ('H~1', ?, '2026-01-02')", (json.dumps(whole),))
        other.close()
        known = {one.field: one.value for one in registry.memory.clinical("H~1").statements}
        assert known == {
            "age_years": 61.0, "sex": "F", "stage": 3, "ecog": 1, "extranodal_sites": ("liver",),
            "b_symptoms": False, "timepoint": "baseline",
        }  # fmt: skip
        registry.memory.put_clinical(PatientStatements("H~1", (self.LDH,)))
        assert {one.field for one in registry.memory.clinical("H~1").statements} == {*known, "ldh_ratio"}
        registry.memory.put_clinical(PatientStatements("H~1"), ("api",))
        assert registry.memory.clinical("H~1").statements == (self.LDH,)

    def test_dates_of_scans(self, registry: Registry) -> None:
        registry.memory.note_study("H~1", "1.1", "20250101")
        registry.memory.note_study("H~1", "1.2", "20250301")
        assert registry.memory.study_date("H~1", "1.1") == "20250101"
        assert registry.memory.study_date("H~2", "1.1") is None
        assert registry.memory.latest_study_date("H~1") == "20250301"
        assert registry.memory.latest_study_date("H~2") is None


def test_an_earlier_study_is_known_without_the_patients_id(registry: Registry, tmp_path: Path) -> None:
    memory = registry.memory
    memory.note_study("HOSP~PATIENT-4711", "1.1", "20250101")
    memory.note_study("HOSP~PATIENT-4711", "1.2", "20250301")
    memory.note_study("HOSP~PATIENT-4711", "1.2", "20250301")
    assert memory.earlier_study("HOSP~PATIENT-4711", "20250601", "1.3") == "20250301"
    assert memory.earlier_study("HOSP~PATIENT-4711", "20250301", "1.2") == "20250101"
    assert memory.earlier_study("HOSP~PATIENT-4711", "20250101", "1.1") is None
    assert memory.earlier_study("OTHER~PATIENT-4711", "20250601", "1.3") is None
    assert not any(b"PATIENT-4711" in path.read_bytes() for path in tmp_path.iterdir())


def test_patients_without_an_id_are_not_one_patient(registry: Registry) -> None:
    registry.memory.note_study("HOSP~", "1.1", "20250101")
    assert registry.memory.earlier_study("HOSP~", "20250601", "1.2") is None


def test_own_objects_and_cursors(registry: Registry) -> None:
    registry.memory.note_own("a-r0", [("2.25.1", "ab")])
    registry.memory.note_own("a-r0", [("2.25.1", "ab")])
    assert registry.memory.is_own("2.25.1")
    assert not registry.memory.is_own("2.25.2")
    assert registry.memory.cursor("changes") is None
    registry.memory.put_cursor("changes", "17")
    registry.memory.put_cursor("changes", "18")
    assert registry.memory.cursor("changes") == "18"


def test_a_second_holder_sees_what_the_first_wrote(registry: Registry, tmp_path: Path) -> None:
    registry.jobs.add(request("a"), "~1", "orthanc-id")
    beside = Registry.in_folder(tmp_path)
    assert beside.jobs.of_orthanc("orthanc-id") == "a-r0"
    assert beside.jobs.of_patient("~1") == ["a-r0"]
    assert beside.jobs.counts() == {"queued": 1}


def test_an_error_of_the_database_quotes_no_patient(registry: Registry, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "registry.sqlite") as other:
        other.execute("DROP TABLE clinical_records")
    other.close()
    with pytest.raises(OperationalError) as caught:
        registry.memory.clinical("HOSP~PATIENT-4711")
    assert "PATIENT-4711" not in str(caught.value)
