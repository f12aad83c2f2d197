"""The lesions as an RT Structure Set for radiotherapy: one structure a lesion, on the PET's slices (PS3.3 A.19).

The lines follow pixel edges (:mod:`nodal.report.rings`): a reader that takes the pixels whose centres lie within gets
the voxels of the SEG, and the enclosed area is theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from scipy import ndimage

from nodal.findings import Findings, Lesion
from nodal.report import codes
from nodal.report.colours import lesion_colour
from nodal.report.identity import content_instant, finish, start_object
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.lesion_words import judged_by_words, probability_words, status_words
from nodal.report.marks import marks
from nodal.report.provenance import (
    contour_qualifier,
    delineation,
    finding_code,
    fitting,
    lesion_name,
    series_title,
)
from nodal.report.rings import pixel_edges
from nodal.report.seg import segment_label
from nodal.report.slices import SliceSource, slice_sources

__all__ = ["RT_STRUCTURE_SET", "SERIES_NUMBER", "structure_set"]

RT_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management (retired); what ReferencedSOPClassUID of a study holds (PS3.3 C.8.8.5)."""
SERIES_NUMBER = 9103

_DECIMALS = 4
"""Of coordinates in mm: far below a pixel's edge, and a Decimal String (16 characters) holds them."""
_LABEL = "NODAL LESIONS"
_ST = 1024
_LO = 64


def structure_set(inputs: ReportInputs, target: Target) -> ResultObject | None:
    """The structure set of all lesions; None where there is no lesion or the target takes none.

    Structure numbers and names are the SEG's segment numbers and labels. It is UNAPPROVED. RT ROI Interpreted Type is
    GTV for an accepted lesion that was told from physiological uptake, and empty for any other: nobody has called that
    tumour.
    """
    lesions = sorted(inputs.findings.lesions, key=lambda lesion: lesion.segment_number)
    if not target.profile.rtstruct or not lesions:
        return None
    dataset = start_object(
        inputs,
        target,
        kind="rtstruct",
        sop_class_uid=RT_STRUCTURE_SET,
        modality="RTSTRUCT",
        series_number=SERIES_NUMBER,
        series_description=series_title("RTSTRUCT", inputs.findings),
    )
    dataset.OperatorsName = ""
    _name(dataset, inputs.findings)
    frame = str(inputs.pet_headers[0].FrameOfReferenceUID)
    dataset.FrameOfReferenceUID = frame
    dataset.PositionReferenceIndicator = inputs.pet_headers[0].get("PositionReferenceIndicator") or ""
    sources = slice_sources(inputs)
    dataset.ReferencedFrameOfReferenceSequence = [_referenced(inputs, frame, sources)]
    dataset.StructureSetROISequence = [_structure(inputs.findings, lesion, frame) for lesion in lesions]
    boxes = ndimage.find_objects(inputs.lesion_map.array)
    dataset.ROIContourSequence = [_contours(inputs, lesion, boxes[lesion.number - 1], sources) for lesion in lesions]
    dataset.RTROIObservationsSequence = [_observation(inputs.findings, lesion) for lesion in lesions]
    dataset.ApprovalStatus = "UNAPPROVED"
    return finish(dataset, "rtstruct")


def _name(dataset: Dataset, findings: Findings) -> None:
    """Label, name and description of the set: how it came about, and what limits its meaning."""
    dataset.StructureSetLabel = _LABEL
    dataset.StructureSetName = "FDG-avid lesions"
    sentences = (
        *((qualifier,) if (qualifier := contour_qualifier(findings)) else ()),
        *marks(findings),
        "Automatic, not verified" if delineation(findings).segment_type == "AUTOMATIC" else "Not verified",
        findings.segmentation.description,
    )
    dataset.StructureSetDescription = fitting(sentences, _ST)
    dataset.StructureSetDate, dataset.StructureSetTime = content_instant(findings)


def _image(source: SliceSource) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = source.header.SOPClassUID
    item.ReferencedSOPInstanceUID = source.header.SOPInstanceUID
    if source.frame is not None:
        item.ReferencedFrameNumber = source.frame
    return item


def _referenced(inputs: ReportInputs, frame: str, sources: Sequence[SliceSource]) -> Dataset:
    """The PET series that the contours are drawn on."""
    series = Dataset()
    series.SeriesInstanceUID = inputs.findings.pet_series_instance_uid
    series.ContourImageSequence = [_image(source) for source in sources]
    study = Dataset()
    study.ReferencedSOPClassUID = STUDY_COMPONENT
    study.ReferencedSOPInstanceUID = inputs.findings.study_instance_uid
    study.RTReferencedSeriesSequence = [series]
    item = Dataset()
    item.FrameOfReferenceUID = frame
    item.RTReferencedStudySequence = [study]
    return item


def _structure(findings: Findings, lesion: Lesion, frame: str) -> Dataset:
    made = delineation(findings)
    item = Dataset()
    item.ROINumber = lesion.segment_number
    item.ReferencedFrameOfReferenceUID = frame
    item.ROIName = segment_label(lesion)
    item.ROIDescription = _description(findings, lesion)
    item.ROIVolume = f"{lesion.volume_ml:.6g}"
    item.ROIGenerationAlgorithm = made.segment_type
    item.ROIGenerationDescription = fitting((made.name, f"version {made.version}"), _LO)
    return item


def _description(findings: Findings, lesion: Lesion) -> str:
    """Which lesion it is in the other objects, how sure that is, and by what it was judged."""
    judged = () if lesion.p_lesion is None else (status_words(lesion), probability_words(lesion.p_lesion))
    by = (words,) if (words := judged_by_words(findings)) else ()
    parts = (", ".join((lesion_name(lesion), *judged)), f"Tracking UID {lesion.tracking_uid}", *by, *marks(findings))
    return fitting(parts, _ST)


def _contours(
    inputs: ReportInputs, lesion: Lesion, box: tuple[slice, slice, slice], sources: Sequence[SliceSource]
) -> Dataset:
    item = Dataset()
    item.ROIDisplayColor = list(lesion_colour(lesion.number))
    item.ReferencedROINumber = lesion.segment_number
    item.ContourSequence = []
    slices, rows, columns = box
    for k in range(slices.start, slices.stop):
        for ring in pixel_edges(inputs.lesion_map.array[k, rows, columns] == lesion.number):
            corners = ring + np.array((rows.start, columns.start))
            points = inputs.suv.points_mm(np.insert(corners, 0, k, axis=1))
            item.ContourSequence.append(_contour(points, sources[k]))
    return item


def _contour(points_mm: npt.NDArray[np.float64], source: SliceSource) -> Dataset:
    contour = Dataset()
    contour.ContourImageSequence = [_image(source)]
    # The way to a hole and back runs through one line twice, which CLOSED_PLANAR allows (C.8.8.6.3).
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = len(points_mm)
    # Adding zero turns a rounded -0.0 into 0.0.
    rounded = np.round(points_mm, _DECIMALS) + 0.0
    contour.ContourData = [f"{value:.{_DECIMALS}f}".rstrip("0").rstrip(".") for value in rounded.ravel().tolist()]
    return contour


def _observation(findings: Findings, lesion: Lesion) -> Dataset:
    code = finding_code(findings, lesion)
    item = Dataset()
    item.ObservationNumber = lesion.segment_number
    item.ReferencedROINumber = lesion.segment_number
    item.RTROIIdentificationCodeSequence = [codes.code_item(code)]
    item.RTROIInterpretedType = "GTV" if code == codes.NEOPLASM else ""
    item.ROIInterpreter = ""
    return item
