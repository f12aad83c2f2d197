"""What a clinical record does to jobs: frozen when one begins, and a new revision where it changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from nodal.audit import Trail
from nodal.clinical.record import Statement, Unusable, Value
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Refused, WrongUsage
from nodal.findings import Findings, from_json
from nodal.jobs.arrivals import ArrivalSteps
from nodal.jobs.clinical import frozen
from nodal.jobs.context import JobContext, Verdict
from nodal.jobs.model import JobView, Stage, StudySource
from nodal.jobs.node_pipeline import NodePipeline
from nodal.jobs.process import process_folder
from nodal.jobs.registry import Registry
from nodal.jobs.results import OWN_ORTHANC, ResultStore, objects_from_json
from nodal.jobs.service import NodeService
from nodal.jobs.stage_steps import COMPUTED, StageSteps
from nodal.jobs.stages import StageContext
from nodal.jobs.tasks import Task
from nodal.jobs.workspace import Workspace
from nodal.settings import DeliverySettings, Settings
from pydicom import Dataset, dcmread

from tests.unit.jobs.fake import fake_context, fake_study
from tests.virtual import small_virtual_study

pytestmark = pytest.mark.unit

ENTERED = "20300101120000+0000"


def stated(field: str, value: Value, source: str = "fhir", **more: str) -> Statement:
    return Statement(field, value, source, **{"entered_at": ENTERED, **more})  # type: ignore[arg-type]


class Queue:
    """Stands for the engine: what shall be done is done when the test says so."""

    def start_task(self, task: Task) -> None:
        """Nothing."""


class Desk:
    """A node's jobs, run step by step."""

    def __init__(self, context: JobContext) -> None:
        self.context = context
        self.registry = context.registry
        settings = Settings(state_dir=context.state_dir)
        self.service = NodeService(settings, context.registry, context.trail, Queue())

    def enter(self, source: StudySource) -> str:
        intake, _ = self.registry.intakes.add(source, "test")
        steps = ArrivalSteps(self.context)
        assert steps.fetch(intake.intake_id) is Verdict.ON
        job_id = steps.admit(intake.intake_id)
        assert job_id is not None, self.registry.intakes.view(intake.intake_id)
        return job_id

    def compute(self, job_id: str) -> None:
        steps = StageSteps(self.context)
        assert steps.ensure_source(job_id, 0) is Verdict.ON
        for stage in COMPUTED:
            assert steps.run(job_id, 0, stage) is Verdict.ON, self.service.job(job_id)
        steps.plan(job_id, 0)

    def end(self, job_id: str) -> None:
        """As after the last delivery: done, and the images cleared away."""
        assert self.registry.jobs.move(job_id, "done", out_of=("delivering", "awaiting_review"))
        self.context.pipeline.tidy(self.workspace(job_id))

    def key(self, job_id: str) -> str:
        return self.registry.jobs.patient_key(job_id) or ""

    def tell(self, job_id: str, *statements: Statement, unusable: tuple[Unusable, ...] = ()) -> list[JobView]:
        told = PatientStatements(self.key(job_id), statements, unusable)
        return self.service.put_statements(told, replace_source=False)

    def workspace(self, job_id: str) -> Workspace:
        return self.context.workspace(job_id)

    def begun(self, job_id: str) -> list[str]:
        """The stages that ran, in order."""
        events = self.context.trail.events(job_id=job_id)
        return [str(event.details["stage"]) for event in events if event.action == "stage_begun"]

    def findings(self, job_id: str) -> Findings:
        return from_json(self.workspace(job_id).path("findings.json"))

    def objects(self, job_id: str) -> dict[str, Dataset]:
        store = ResultStore(self.context.state_dir / "results")
        stored = objects_from_json(self.workspace(job_id).read_json("objects.json"))
        return {one.kind: dcmread(store.path(one.sha256)) for one in stored if one.target == OWN_ORTHANC}


class TestRevisions:
    """With a pipeline without images."""

    @pytest.fixture
    def desk(self, tmp_path: Path) -> Desk:
        return Desk(fake_context(tmp_path))

    @pytest.fixture
    def job(self, desk: Desk, tmp_path: Path) -> str:
        job_id = desk.enter(fake_study(tmp_path / "study"))
        desk.compute(job_id)
        return job_id

    def test_what_changes_nothing_runs_nothing(self, desk: Desk, job: str) -> None:
        (first,) = desk.tell(job, stated("stage", 3))
        assert (first.cause, first.revision, first.predecessor) == ("clinical", 1, job)
        desk.compute(first.job_id)
        assert desk.tell(job, stated("stage", 3, entered_at="20300301")) == []
        assert desk.tell(job, stated("stage", 3, source="hl7")) == []
        (second,) = desk.tell(job, stated("weight_kg", 70.0))
        assert desk.tell(job, stated("weight_kg", 70.0)) == []  # although the second has not begun yet
        assert second.predecessor == first.job_id

    def test_it_is_compared_with_what_the_job_began_with(self, desk: Desk, job: str) -> None:
        (first,) = desk.tell(job, stated("stage", 3))
        (second,) = desk.tell(job, stated("stage", 3), stated("ecog", 1))
        assert second.predecessor == first.job_id
        desk.compute(second.job_id)
        known = frozen(desk.workspace(second.job_id))
        assert known is not None
        assert {one.field for one in known.statements} == {"stage", "ecog"}

    def test_only_the_time_point_goes_back_to_the_selection(self, desk: Desk, job: str) -> None:
        (first,) = desk.tell(job, stated("stage", 3))
        assert desk.workspace(first.job_id).request().from_stage is Stage.PROGNOSIS
        desk.compute(first.job_id)
        (second,) = desk.tell(job, stated("timepoint", "baseline", "api"))
        assert desk.workspace(second.job_id).request().from_stage is Stage.SELECT
        desk.compute(second.job_id)
        (third,) = desk.service.put_clinical(PatientStatements(desk.key(job)), "api")
        assert desk.workspace(third.job_id).request().from_stage is Stage.SELECT

    def test_what_is_said_while_a_study_enters_is_not_lost(self, desk: Desk, tmp_path: Path) -> None:
        job_id = desk.enter(fake_study(tmp_path / "study"))
        desk.registry.memory.put_clinical(PatientStatements(desk.key(job_id), (stated("stage", 3),)))
        desk.compute(job_id)
        known = frozen(desk.workspace(job_id))
        assert known is not None
        assert [one.field for one in known.statements] == ["stage"]

    def test_a_job_that_its_time_point_refused_comes_back_with_it(self, desk: Desk, job: str) -> None:
        (wrong,) = desk.tell(job, stated("timepoint", "interim", "api"))
        refusal = {"out_of": ("queued",), "code": Code.NOT_BASELINE}
        assert desk.registry.jobs.move(wrong.job_id, "refused", **refusal)  # type: ignore[arg-type]
        assert desk.tell(job, stated("stage", 3)) == []
        (right,) = desk.tell(job, stated("timepoint", "baseline", "api", entered_at="20300102"))
        assert right.predecessor == wrong.job_id

    def test_a_job_refused_for_its_images_stays_refused(self, desk: Desk, job: str) -> None:
        (wrong,) = desk.tell(job, stated("stage", 3))
        refusal = {"out_of": ("queued",), "code": Code.SUV_MISSING_WEIGHT}
        assert desk.registry.jobs.move(wrong.job_id, "refused", **refusal)  # type: ignore[arg-type]
        assert desk.tell(job, stated("timepoint", "baseline", "api")) == []

    def test_a_conflict_and_what_is_unusable_are_changes(self, desk: Desk, job: str) -> None:
        (first,) = desk.tell(job, stated("stage", 3))
        desk.compute(first.job_id)
        (second,) = desk.tell(job, stated("stage", 4, "hl7"))
        desk.compute(second.job_id)
        note = Unusable("ldh_ratio", "hl7", ENTERED, "480 U/L", "no upper limit of normal")
        (third,) = desk.tell(job, unusable=(note,))
        desk.compute(third.job_id)
        again = PatientStatements(desk.key(job), (), (replace(note, entered_at="20300505"),))
        assert desk.service.put_statements(again, replace_source=False) == []
        before = desk.service.clinical(desk.key(job))
        (fourth,) = desk.service.put_statements(again, replace_source=True)  # the stage that HL7 had sent goes with it
        after = desk.service.clinical(desk.key(job))
        assert (len(before.record.conflicts), len(after.record.conflicts)) == (1, 0)
        desk.compute(fourth.job_id)
        once_more = replace(again, unusable=(replace(note, entered_at="20300606"),))
        assert desk.service.put_statements(once_more, replace_source=True) == []

    def test_a_callers_record_replaces_the_callers_alone(self, desk: Desk, job: str) -> None:
        desk.tell(job, stated("stage", 3))
        key = desk.key(job)
        desk.service.put_clinical(PatientStatements(key, (stated("ecog", 1, "api"), stated("bulky", True, "api"))), "a")
        desk.service.put_clinical(PatientStatements(key, (stated("ecog", 2, "api"),)), "a")
        record = desk.service.clinical(key).record
        assert (record.stage, record.ecog, record.bulky) == (3, 2, None)

    def test_a_source_may_be_replaced(self, desk: Desk, job: str) -> None:
        desk.tell(job, stated("stage", 3), stated("ecog", 1, "hl7"))
        told = PatientStatements(desk.key(job), (stated("bulky", True),))
        desk.service.put_statements(told, replace_source=True)
        record = desk.service.clinical(desk.key(job)).record
        assert (record.stage, record.ecog, record.bulky) == (None, 1, True)

    def test_every_job_of_the_patient_and_no_other(self, desk: Desk, job: str, tmp_path: Path) -> None:
        same = desk.enter(fake_study(tmp_path / "more", files=4))
        other = desk.enter(fake_study(tmp_path / "other", study="9.9.9"))
        assert desk.service.job(job).state == "superseded"  # the same study with a further slice
        assert [view.predecessor for view in desk.tell(same, stated("stage", 3))] == [same]
        assert desk.service.job(other).state == "queued"

    def test_an_old_job_whose_folder_is_gone_stops_nobody(self, desk: Desk, job: str) -> None:
        desk.workspace(job).path("request.json").unlink()
        assert desk.tell(job, stated("stage", 3)) == []
        assert desk.service.clinical(desk.key(job)).record.stage == 3
        (event,) = [e for e in desk.context.trail.events(job_id=job) if e.action == "clinical_rerun_impossible"]
        assert event.code == "SOURCE_GONE"

    def test_a_patient_without_an_id_is_nobody(self, desk: Desk) -> None:
        with pytest.raises(WrongUsage):
            desk.service.put_statements(PatientStatements("HOSP~", (stated("stage", 3),)), replace_source=False)

    def test_the_trail_has_fields_and_sources_and_neither_values_nor_patient(self, desk: Desk, job: str) -> None:
        secret = stated("cell_of_origin", "non-GCB", by="laboratory", said="Hans: non-GCB")
        note = Unusable("ldh_ratio", "hl7", ENTERED, "MRN-4711 480 U/L", "no limit for MRN-4711")
        desk.service.put_statements(PatientStatements("HOSP~MRN-4711", (secret,), (note,)), replace_source=False)
        (event,) = [e for e in desk.context.trail.events() if e.action == "clinical_statements_stored"]
        assert event.details == {
            "by": ["laboratory"], "fields": ["cell_of_origin"], "sources": ["fhir", "hl7"],
            "unusable": ["ldh_ratio"], "jobs": [],
        }  # fmt: skip
        assert not any(text in str(event) for text in ("4711", "GCB", "480"))


def node_of(folder: Path, *, release: str = "after_review") -> Desk:
    """The real stages, without an Orthanc; results wait for a person, so that nothing is cleared away."""
    state = folder / "state"
    registry, trail = Registry.in_folder(state), Trail(state / "audit")
    settings = Settings(state_dir=state)
    stages = StageContext(
        settings,
        trail,
        ResultStore(state / "results"),
        earlier_pet_ct=registry.memory.earlier_study,
        clinical_of=registry.memory.clinical,
    )
    rules = DeliverySettings(release=release)  # type: ignore[arg-type]
    return Desk(JobContext(state, registry, NodePipeline(stages, None), trail, rules))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small virtual study with the patient's age, and a height in centimetres, in its header."""
    header = {"PatientAge": "061Y", "PatientBirthDate": "", "PatientSex": "F", "PatientSize": "172"}
    return small_virtual_study(tmp_path_factory.mktemp("study"), seed=3, pet=header, ct=header).dicom


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return node_of(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="module")
def first(real: Desk, study: Path) -> str:
    """A job without a record."""
    job_id = real.enter(StudySource("folder", study))
    real.compute(job_id)
    return job_id


@pytest.fixture(scope="module")
def second(real: Desk, first: str) -> str:
    """Its revision, after a record has arrived."""
    (view,) = real.tell(first, stated("stage", 3, said="IIIB"), stated("age_years", 50))
    real.compute(view.job_id)
    return view.job_id


class TestRealStages:
    """A record that arrives late leaves everything that was measured as it is."""

    KEPT = ("selection.json", "loaded.json", "lesions.nrrd", "segmentation.json", "measured.json", "organs.json")

    def test_only_prognosis_and_encoding_run_again(self, real: Desk, first: str, second: str) -> None:
        assert real.begun(first) == [str(stage) for stage in COMPUTED]
        assert real.begun(second) == ["prognosis", "encode"]

    def test_the_maps_and_measures_are_the_same_files(self, real: Desk, first: str, second: str) -> None:
        for name in (*self.KEPT, "pet_suv.nrrd"):
            assert real.workspace(second).path(name).samefile(real.workspace(first).path(name)), name

    def test_lesions_keep_their_identity_in_every_object(self, real: Desk, first: str, second: str) -> None:
        before, after = real.findings(first), real.findings(second)
        assert len(before.lesions) > 0
        assert [one.tracking_uid for one in after.lesions] == [one.tracking_uid for one in before.lesions]
        assert (after.lesion_map_sha256, after.totals) == (before.lesion_map_sha256, before.totals)
        old, new = real.objects(first), real.objects(second)
        assert new["seg"].PixelData == old["seg"].PixelData
        assert [one.TrackingUID for one in new["seg"].SegmentSequence] == [
            one.TrackingUID for one in old["seg"].SegmentSequence
        ]
        assert new["sr"].SOPInstanceUID != old["sr"].SOPInstanceUID
        assert after.predecessor_sr_uid == old["sr"].SOPInstanceUID

    def test_the_record_joins_header_and_sources(self, real: Desk, first: str, second: str) -> None:
        before, after = real.findings(first).clinical, real.findings(second).clinical
        assert (before.age_years, before.sources["age_years"], before.entered_at) == (61.0, "dicom", None)
        assert (after.age_years, after.stage, after.said["stage"]) == (50.0, 3, "IIIB")
        assert after.sources["age_years"] == "fhir"
        assert after.sources["sex"] == "dicom"
        (conflict,) = after.conflicts
        assert (conflict.field, conflict.others[0].value, conflict.others[0].source) == ("age_years", 61.0, "dicom")
        assert [one.field for one in after.unusable] == ["height_m"]
        assert (after.entered_at, real.findings(second).content_datetime) == (ENTERED, ENTERED[:14])

    def test_of_a_job_whose_images_are_cleared_the_volumes_are_loaded_again(self, real: Desk, second: str) -> None:
        real.end(second)
        (view,) = real.tell(second, stated("ecog", 1))
        real.compute(view.job_id)
        assert real.begun(view.job_id) == ["load", "prognosis", "encode"]
        assert real.workspace(view.job_id).path("lesions.nrrd").samefile(real.workspace(second).path("lesions.nrrd"))
        assert real.objects(view.job_id)["seg"].PixelData == real.objects(second)["seg"].PixelData
        assert real.findings(view.job_id).clinical.ecog == 1


class TestBesideTheStudy:
    @pytest.fixture
    def folder(self, study: Path, tmp_path: Path) -> Path:
        """The study's files by links, to lay something beside them."""
        target = tmp_path / "folder"
        for path in study.rglob("*"):
            if path.is_file():
                place = target / path.relative_to(study)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.hardlink_to(path)
        return target

    def test_a_job_reads_it_and_keeps_it_without_the_images(self, folder: Path, tmp_path: Path) -> None:
        (folder / "clinical.yaml").write_text("stage: 3\ntimepoint: baseline\n")
        desk = node_of(tmp_path)
        job_id = desk.enter(StudySource("folder", folder))
        assert StageSteps(desk.context).run(job_id, 0, Stage.SELECT) is Verdict.ON
        selected = desk.workspace(job_id).read_json("selection.json")
        assert (selected["baseline"], selected["unreadable"]) == ("confirmed", [])
        known = frozen(desk.workspace(job_id))
        assert known is not None
        assert {(one.field, one.source) for one in known.statements} == {("stage", "file"), ("timepoint", "file")}
        (folder / "clinical.yaml").unlink()
        (view,) = desk.tell(job_id, stated("ecog", 1))
        (desk.workspace(job_id).source / "clinical.yaml").unlink()
        assert StageSteps(desk.context).ensure_source(view.job_id, 0) is Verdict.ON
        again = frozen(desk.workspace(view.job_id))
        assert again is not None
        assert {one.field for one in again.statements} == {"stage", "timepoint", "ecog"}

    @pytest.mark.parametrize("names", [("clinical.json",), ("clinical.yaml", "clinical.yml")])
    def test_a_job_says_why_it_could_not_be_used(self, folder: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
        for name in names:
            (folder / name).write_text("stage: 7\n")
        desk = node_of(tmp_path)
        known = frozen(desk.workspace(desk.enter(StudySource("folder", folder))))
        assert known is not None
        (note,) = known.unusable
        assert (note.field, note.source, note.said) == ("record", "file", ", ".join(names))
        assert "7" not in note.reason

    def test_a_follow_up_by_its_record_makes_no_job(self, folder: Path, tmp_path: Path) -> None:
        (folder / "clinical.json").write_text(json.dumps({"timepoint": "interim"}))
        desk = node_of(tmp_path)
        intake, _ = desk.registry.intakes.add(StudySource("folder", folder), "test")
        steps = ArrivalSteps(desk.context)
        steps.fetch(intake.intake_id)
        assert steps.admit(intake.intake_id) is None
        assert desk.registry.intakes.view(intake.intake_id).code == "NOT_BASELINE"

    def test_process_reads_it_and_a_named_one_goes_before_it(self, folder: Path, tmp_path: Path) -> None:
        (folder / "clinical.yml").write_text("stage: 2\nage_years: 61\n")
        settings = Settings(state_dir=tmp_path / "state")
        record = process_folder(folder, tmp_path / "out", settings).clinical
        assert (record.stage, record.sources["stage"], record.sources["sex"]) == (2, "file", "dicom")
        assert record.conflicts == ()
        named = PatientStatements("", (stated("timepoint", "interim", "file"),))
        with pytest.raises(Refused, match="interim"):
            process_folder(folder, tmp_path / "out", settings, clinical=named)

    def test_process_stops_at_one_that_cannot_be_used(self, folder: Path, tmp_path: Path) -> None:
        settings = Settings(state_dir=tmp_path / "state")
        (folder / "clinical.yml").write_text("stage: 9\n")
        with pytest.raises(WrongUsage, match=r"clinical\.yml.*stage"):
            process_folder(folder, tmp_path / "out", settings)
        (folder / "clinical.json").write_text("{}")
        with pytest.raises(WrongUsage, match="several"):
            process_folder(folder, tmp_path / "out", settings)
