"""A node that lives in memory, for the interface and the pages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Failed, Refused
from nodal.jobs.clinical import ClinicalView, view_of
from nodal.jobs.decisions import Decision
from nodal.jobs.difference import Difference, LesionChange, RiskChange
from nodal.jobs.model import DeliveryView, IntakeView, JobView, Stage, StudySource
from nodal.jobs.review import review_by
from nodal.jobs.service import Health

ORTHANC_ID = "f874fb81-31fb0704-ad43ec3e-481ed642-6d4aa9cd"
STUDY = "1.2.826.0.1.3680043.10.999.1"
JOB = "0123456789abcdef0123456789abcdef-r0"
CREATED = "2026-01-01T10:00:00.000+00:00"
UPDATED = "2026-01-01T10:00:41.500+00:00"


def job_view(**changes: object) -> JobView:
    """A job that is done, with the given fields changed."""
    seconds = {
        "select": 1.2,
        "load": 6.4,
        "segment": 4.1,
        "anatomy": 2.2,
        "prognosis": 0.8,
        "encode": 1.7,
        "deliver": 0.9,
    }
    deliveries = tuple(
        DeliveryView(place, kind, f"2.25.10{number}", "sent", 1, updated=UPDATED)
        for place in ("orthanc", "pacs")
        for number, kind in enumerate(("seg", "sr", "pdf", "summary"))
    )
    summary = {"tmtv_ml": 134.6, "tlg_g": 812.4, "lesion_count": 7, "suv_max": 17.3, "field_of_view": "whole"}
    view = JobView(
        JOB, STUDY, "done", 0, "intake", Stage.DELIVER, seconds, CREATED, UPDATED,
        orthanc_id=ORTHANC_ID, deliveries=deliveries, summary=summary,
    )  # fmt: skip
    return replace(view, **changes)  # type: ignore[arg-type]


@dataclass
class FakeNode:
    """Does what it is told, and remembers it."""

    known_jobs: list[JobView] = field(default_factory=list)
    known_intakes: list[IntakeView] = field(default_factory=list)
    submitted: list[tuple[StudySource, str, str | None]] = field(default_factory=list)
    told: dict[str, PatientStatements] = field(default_factory=dict)
    clinical_by: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    decisions: list[tuple[Decision, str]] = field(default_factory=list)
    contours: list[tuple[bytes, str]] = field(default_factory=list)

    def submit(self, source: StudySource, reason: str, study_instance_uid: str | None = None) -> IntakeView:
        self.submitted.append((source, reason, study_instance_uid))
        view = IntakeView(f"{len(self.submitted):032x}", study_instance_uid, source, "waiting", CREATED, UPDATED)
        self.known_intakes.insert(0, view)
        return view

    def intakes(self, study_instance_uid: str | None = None) -> list[IntakeView]:
        return [view for view in self.known_intakes if study_instance_uid in (None, view.study_instance_uid)]

    def jobs(self, study_instance_uid: str | None = None) -> list[JobView]:
        return [view for view in self.known_jobs if study_instance_uid in (None, view.study_instance_uid)]

    def job(self, job_id: str) -> JobView:
        for view in self.known_jobs:
            if view.job_id == job_id:
                return view
        raise Failed(Code.JOB_UNKNOWN, f"there is no job {job_id}")

    def _noted(self, verb: str, job_id: str) -> JobView:
        view = self.job(job_id)
        if verb == "retry" and view.state == "done":
            raise Failed(Code.JOB_STATE, "the job is done; run it again instead")
        self.asked.append((verb, job_id))
        return view

    def retry(self, job_id: str) -> JobView:
        return self._noted("retry", job_id)

    def cancel(self, job_id: str) -> JobView:
        return self._noted("cancel", job_id)

    def accept(self, job_id: str, observer: str) -> JobView:
        review_by(observer)
        view = self._noted(f"accept by {observer}", job_id)
        return replace(view, job_id=f"{job_id[:-1]}{view.revision + 1}", cause="review", predecessor=job_id)

    def reject(self, job_id: str) -> JobView:
        return self._noted("reject", job_id)

    def rerun(self, job_id: str, from_stage: Stage) -> JobView:
        view = self._noted(f"rerun {from_stage}", job_id)
        return replace(view, job_id=f"{job_id[:-1]}{view.revision + 1}", revision=view.revision + 1, predecessor=job_id)

    def decide(self, job_id: str, decision: Decision, by: str) -> JobView:
        if decision.rejected == 99:
            raise Failed(Code.CANDIDATE_UNKNOWN, "the findings of this job hold no such candidate")
        self.decisions.append((decision, by))
        return replace(self.rerun(job_id, Stage.SEGMENT), cause="correction")

    def correct(self, job_id: str, contour: bytes, by: str) -> JobView:
        if contour.startswith(b"not"):
            raise Refused(Code.CONTOUR_UNREADABLE, "the file is no Segmentation and no RT Structure Set")
        self.contours.append((contour, by))
        return replace(self.rerun(job_id, Stage.SEGMENT), cause="correction")

    def difference(self, job_id: str) -> Difference:
        view = self.job(job_id)
        if view.predecessor is None:
            raise Failed(Code.JOB_STATE, "this job replaced none that had findings")
        line = "TMTV 134.6 -> 120.2 mL, lesions 7 -> 6, LAMP OS low -> high"
        risks = (RiskChange("LAMP OS", "low", "high"),)
        changed = (LesionChange(7, 14.4, None),)
        return Difference(
            job_id, view.predecessor, view.cause, (134.6, 120.2), (812.4, 700.0), (7, 6), changed, risks, line
        )

    def put_clinical(self, patient: PatientStatements, by: str) -> list[JobView]:
        self.told[patient.patient_key] = patient
        self.clinical_by.append(by)
        return [self.rerun(view.job_id, Stage.PROGNOSIS) for view in self.known_jobs]

    def put_statements(self, patient: PatientStatements, *, replace_source: bool) -> list[JobView]:
        assert not replace_source
        known = self.told.get(patient.patient_key, PatientStatements(patient.patient_key))
        added = replace(patient, statements=(*known.statements, *patient.statements))
        self.told[patient.patient_key] = added
        return [self.rerun(view.job_id, Stage.PROGNOSIS) for view in self.known_jobs]

    def clinical(self, patient_key: str, study_date: str | None = None) -> ClinicalView:
        return view_of(self.told.get(patient_key, PatientStatements(patient_key)), study_date)

    def health(self) -> Health:
        counts = dict(Counter(str(view.state) for view in self.known_jobs))
        return Health(
            "ok", "0.1.0", UPDATED, counts, len(self.known_intakes), 120.0, {"listener": True, "orthanc": None}
        )


def refused_intake() -> IntakeView:
    """A study that no job was made of."""
    source = StudySource("folder", path=Path("/studies/a"))
    message = "no PET series is attenuation corrected; the uncorrected one cannot give SUV"
    return IntakeView(
        "f" * 32, f"{STUDY}.2", source, "refused", CREATED, UPDATED, None, Code.PET_NOT_CORRECTED, message
    )
