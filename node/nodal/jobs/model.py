"""The nouns of a job: where its study lies, what was asked, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal

__all__ = [
    "DeliveryState",
    "DeliveryView",
    "IntakeState",
    "IntakeView",
    "JobRequest",
    "JobState",
    "JobView",
    "Stage",
    "StudySource",
    "job_id_of",
]

JobState = Literal[
    "queued",
    "running",
    "awaiting_review",
    "delivering",
    "done",
    "parked",
    "refused",
    "failed",
    "cancelled",
    "superseded",
]
IntakeState = Literal["waiting", "selected", "refused"]
DeliveryState = Literal["pending", "sent", "refused_permanent", "retry", "committed", "commit_unknown"]


def job_id_of(digest: str, revision: int) -> str:
    """``<first 32 hex of the study digest>-r<revision>``."""
    return f"{digest[:32]}-r{revision}"


class Stage(StrEnum):
    """The way of a study, in order."""

    SELECT = "select"
    LOAD = "load"
    SEGMENT = "segment"
    ANATOMY = "anatomy"
    PROGNOSIS = "prognosis"
    ENCODE = "encode"
    DELIVER = "deliver"


@dataclass(frozen=True)
class StudySource:
    """Where the instances of a study lie.

    Attributes:
        kind: "folder" (a folder named by a caller), "spool" (a study folder of the listener's spool) or "orthanc".
        path: the folder, for "folder" and "spool".
        orthanc_id: Orthanc's own id of the study, for "orthanc".
    """

    kind: Literal["folder", "spool", "orthanc"]
    path: Path | None = None
    orthanc_id: str | None = None


@dataclass(frozen=True)
class JobRequest:
    """What a job shall do; written once into its folder, never changed.

    Attributes:
        job_id: ``<first 32 hex of the study digest>-r<revision>``.
        digest: hex SHA-256 over the selected instances (SOP Instance UID + canonical data set).
        cause: "intake", "clinical", "correction" (a person's word on a candidate, or contour), "review" (a person
            accepted the results), "rerun", "bundle" or "settings".
        predecessor: job_id of the job that this one replaces.
        from_stage: earlier stages are taken from the predecessor's folder.
        reference: a contour in place of the segmenter; a relative name is in the job's folder (a correction).
    """

    job_id: str
    digest: str
    revision: int
    cause: str
    study_instance_uid: str
    source: StudySource
    predecessor: str | None = None
    from_stage: Stage = Stage.SELECT
    reference: Path | None = None
    systems: tuple[str, ...] | None = None
    allow_partial: bool = False


@dataclass(frozen=True)
class DeliveryView:
    """One result object at one destination."""

    destination: str
    kind: str
    sop_instance_uid: str
    state: DeliveryState
    attempts: int = 0
    code: str | None = None
    message: str | None = None
    updated: str | None = None


@dataclass(frozen=True)
class JobView:
    """How a job stands, for the API, the CLI and Orthanc's page. Never holds a patient's name.

    Attributes:
        stage: the stage it is in, or stopped in. stage_seconds: wall time of each finished stage.
        code, message: of the refusal or failure. created, updated: ISO 8601, UTC.
        orthanc_id: of the study in the node's Orthanc, where known.
        summary: a few numbers for a table: tmtv_ml, lesion_count, suv_max, field_of_view.
    """

    job_id: str
    study_instance_uid: str
    state: JobState
    revision: int
    cause: str
    stage: Stage | None
    stage_seconds: dict[str, float]
    created: str
    updated: str
    predecessor: str | None = None
    code: str | None = None
    message: str | None = None
    orthanc_id: str | None = None
    deliveries: tuple[DeliveryView, ...] = ()
    summary: dict[str, float | int | str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class IntakeView:
    """A study that was announced or received, before and up to its job."""

    intake_id: str
    study_instance_uid: str | None
    source: StudySource
    state: IntakeState
    created: str
    updated: str
    job_id: str | None = None
    code: str | None = None
    message: str | None = None
