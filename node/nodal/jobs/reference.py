"""A contour handed in with a job, in place of a segmenter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lymphoma.imaging import Volume
from pydicom import Dataset

from nodal.dicom.contour import read_regions
from nodal.dicom.contour_header import content_instant
from nodal.dicom.series import LoadedSeries
from nodal.jobs.given import GivenLesions, contour_path, with_names
from nodal.jobs.identity import earlier_of
from nodal.jobs.images import header_of, headers_of
from nodal.jobs.records import Loaded, SelectionRecord
from nodal.jobs.workspace import Workspace

__all__ = ["Reference", "read_reference"]


@dataclass(frozen=True, eq=False)
class Reference:
    """The contour, and where it comes from.

    Attributes:
        lesions: draws it. The UIDs are None for a file that is no DICOM. instant: when it was made, DICOM DT.
    """

    lesions: GivenLesions
    sop_instance_uid: str | None
    sop_class_uid: str | None
    series_instance_uid: str | None
    instant: str | None


def read_reference(workspace: Workspace, name: Path, suv: Volume) -> Reference:
    """The contour on the PET grid; no threshold and no volume rule touches it.

    Args:
        name: of the file; a relative one is in the job's folder: a correction, which may be empty.
    """
    record, pet_files = SelectionRecord.read(workspace), Loaded.read(workspace).pet_files
    path, earlier = contour_path(workspace, name), earlier_of(workspace)
    known = earlier.known if earlier else {}
    contour = read_regions(
        path,
        LoadedSeries(suv, headers_of(workspace, pet_files)),
        study_instance_uid=record.study_instance_uid,
        may_be_empty=not name.is_absolute(),
    )
    source = Dataset() if path.name.endswith((".nii", ".nii.gz", ".nrrd")) else header_of(path)
    label = source.get("StructureSetLabel") or source.get("ContentLabel") or source.get("Modality") or path.name
    return Reference(
        GivenLesions(with_names(contour, known), str(label), frozenset(known)),
        source.get("SOPInstanceUID"),
        source.get("SOPClassUID"),
        source.get("SeriesInstanceUID"),
        content_instant(source),
    )
