"""What the durable engine asks of the pipeline, as a protocol: the engine is tested without a single image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from nodal.delivery.outcome import Outcome
from nodal.dicom.contour_header import ContourHeader
from nodal.jobs.model import Stage, StudySource
from nodal.jobs.results import StoredObject
from nodal.jobs.workspace import Workspace

__all__ = ["Admission", "Pipeline"]


@dataclass(frozen=True)
class Admission:
    """A study that the node can use.

    Attributes:
        digest: hex SHA-256 over the selected PET and CT instances.
        patient_key: ``issuer~id``. study_date: YYYYMMDD, or empty.
    """

    digest: str
    study_instance_uid: str
    patient_key: str
    study_date: str


class Pipeline(Protocol):
    """The work itself. Everything here may be called again after a kill, and must then do no harm."""

    def fetch(self, source: StudySource, folder: Path) -> None:
        """Brings the study's instances, as they are at this instant, into an empty folder.

        Raises:
            Unreachable: tried again later. SourceGone, Refused: final.
        """

    def admit(self, folder: Path) -> Admission:
        """Selects PET and CT among the instances and takes their digest; Refused with its code and sentence."""

    def contours(self, folder: Path) -> Sequence[ContourHeader]:
        """The contours among the instances of a study, whoever made them."""

    def contour_digest(self, path: Path) -> str:
        """By what a contour is known again, however it was encoded on its way."""

    def calling_ae(self, source: StudySource, contour: ContourHeader) -> str | None:
        """The AE title that sent a contour; None where it is not known."""

    def check_contour(self, workspace: Workspace, path: Path, *, may_be_empty: bool) -> bool:
        """Whether a contour would change the lesions of a finished job.

        Raises:
            Refused: CONTOUR_OTHER_IMAGE, CONTOUR_EMPTY, CONTOUR_UNREADABLE.
        """

    def has_images(self, source: StudySource) -> bool:
        """Whether the images of a study can still be had where they came from; raises Unreachable."""

    def prepare(self, workspace: Workspace, patient_key: str | None, /) -> None:
        """Leaves in a new job's folder what the stages read beside the images, such as the clinical record."""

    def run_stage(self, stage: Stage, workspace: Workspace) -> None:
        """Runs one of SELECT..ENCODE; what it leaves is written whole or not at all."""

    def planned(self, workspace: Workspace) -> Sequence[StoredObject]:
        """After ENCODE: every object for every destination that shall receive it."""

    def summary(self, workspace: Workspace) -> Mapping[str, float | int | str | None]:
        """After ENCODE: the few numbers that tables show."""

    def deliver(
        self, workspace: Workspace, destination: str, objects: Sequence[StoredObject]
    ) -> Iterable[tuple[StoredObject, Outcome]]:
        """Tries once to bring objects to a destination; each answer as soon as it is known.

        An object sent in place of one that the destination cannot take comes as a further pair.
        """

    def tidy(self, workspace: Workspace) -> None:
        """Removes the images and loaded volumes of a job that has ended."""
