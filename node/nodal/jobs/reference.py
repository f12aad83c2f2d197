"""A contour handed in with a job, in place of a segmenter."""

from __future__ import annotations

from pathlib import Path

from lymphoma.imaging import Volume
from lymphoma.segmentation import lesions_from_contour
from pydicom import Dataset

from nodal.dicom.contour import read_contour
from nodal.dicom.series import LoadedSeries
from nodal.findings import Segmentation
from nodal.jobs.images import header_of, headers_of
from nodal.jobs.records import Loaded, SelectionRecord
from nodal.jobs.workspace import Workspace

__all__ = ["lesions_of_reference"]


def lesions_of_reference(workspace: Workspace, path: Path, suv: Volume, engine: str) -> tuple[Volume, Segmentation]:
    """Lesions of a contour that was handed in, and how they were made; no threshold and no volume rule touches them."""
    record, pet_files = SelectionRecord.read(workspace), Loaded.read(workspace).pet_files
    mask = read_contour(
        path, LoadedSeries(suv, headers_of(workspace, pet_files)), study_instance_uid=record.study_instance_uid
    )
    source = Dataset() if path.name.endswith((".nii", ".nii.gz", ".nrrd")) else header_of(path)
    label = source.get("StructureSetLabel") or source.get("ContentLabel") or source.get("Modality") or path.name
    made = Segmentation(
        "reference",
        f"given contour ({label}), 26-connected components, no threshold and no volume rule",
        0.0,
        26,
        reference_sop_instance_uid=source.get("SOPInstanceUID"),
        reference_instant=_content_instant(source),
        anatomy_engine=engine,
    )
    return lesions_from_contour(mask), made


def _content_instant(source: Dataset) -> str | None:
    """When a SEG or RTSTRUCT was made, DICOM DT."""
    for kind in ("StructureSet", "Content", "InstanceCreation"):
        if source.get(f"{kind}Date"):
            return f"{source[f'{kind}Date'].value}{source.get(f'{kind}Time', '') or '000000'}".split(".")[0]
    return None
