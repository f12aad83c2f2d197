"""A contour handed in with a job, in place of a segmenter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lymphoma.imaging import Volume
from lymphoma.segmentation import GivenContour
from pydicom import Dataset

from nodal.dicom.contour import read_contour
from nodal.dicom.series import LoadedSeries
from nodal.jobs.images import header_of, headers_of
from nodal.jobs.records import Loaded, SelectionRecord
from nodal.jobs.workspace import Workspace

__all__ = ["Reference", "read_reference"]


@dataclass(frozen=True, eq=False)
class Reference:
    """The contour, and where it comes from.

    Attributes:
        sop_instance_uid: None for a file that is no DICOM. instant: when it was made, DICOM DT.
    """

    contour: GivenContour
    sop_instance_uid: str | None
    instant: str | None


def read_reference(workspace: Workspace, path: Path, suv: Volume) -> Reference:
    """The contour on the PET grid; no threshold and no volume rule touches it."""
    record, pet_files = SelectionRecord.read(workspace), Loaded.read(workspace).pet_files
    mask = read_contour(
        path, LoadedSeries(suv, headers_of(workspace, pet_files)), study_instance_uid=record.study_instance_uid
    )
    source = Dataset() if path.name.endswith((".nii", ".nii.gz", ".nrrd")) else header_of(path)
    label = source.get("StructureSetLabel") or source.get("ContentLabel") or source.get("Modality") or path.name
    return Reference(GivenContour(mask, str(label)), source.get("SOPInstanceUID"), _content_instant(source))


def _content_instant(source: Dataset) -> str | None:
    """When a SEG or RTSTRUCT was made, DICOM DT."""
    for kind in ("StructureSet", "Content", "InstanceCreation"):
        if source.get(f"{kind}Date"):
            return f"{source[f'{kind}Date'].value}{source.get(f'{kind}Time', '') or '000000'}".split(".")[0]
    return None
