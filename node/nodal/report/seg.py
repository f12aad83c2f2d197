"""The segmentation: one segment for each lesion, on the PET's own grid (PS3.3 A.51, C.8.20)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from nodal.findings import Findings, Lesion
from nodal.report import codes, identity
from nodal.report.canonical import inputs_digest
from nodal.report.colours import lesion_colour
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.lesion_words import TO_CONFIRM, judged_by_words, probability_words, status_words
from nodal.report.marks import marks
from nodal.report.provenance import contour_qualifier, delineation, finding_code, fitting, lesion_name, series_title
from nodal.report.slices import slice_sources
from nodal.report.uids import derived_uid, object_uid, series_uid

__all__ = ["SERIES_NUMBER", "build_seg", "nameless_sources", "segment_label"]

SERIES_NUMBER = 9101
_LO = 64
_DOUBT = f", {TO_CONFIRM}"

# Of the source, highdicom gets what it needs for geometry and references, nothing more.
_NEEDED = (
    "SOPClassUID",
    "SOPInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "Modality",
    "Rows",
    "Columns",
    "PixelSpacing",
    "SpacingBetweenSlices",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "InstanceNumber",
    "NumberOfFrames",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DimensionIndexSequence",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


_NOT_TOLD = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
)


def segment_label(lesion: Lesion) -> str:
    """What a viewer lists: number, site where known, volume, and whether a person must still look."""
    volume = f"{lesion.volume_ml:.0f}" if lesion.volume_ml >= 10 else f"{lesion.volume_ml:.1f}"
    end = f" {volume} mL" + ("" if lesion.status == "accepted" else _DOUBT)
    site = lesion.station or lesion.organ
    begin = f"L{lesion.number:02d}" + (f" {site}" if site else "")
    return f"{begin[: _LO - len(end)]}{end}"


def nameless_sources(inputs: ReportInputs) -> list[Dataset]:
    """The PET instances as highdicom shall see them: whose they are is added afterwards.

    A library that is not told a patient's name cannot warn about it in a log.
    """
    nobody = Dataset()
    nobody.StudyInstanceUID = inputs.findings.study_instance_uid
    for keyword in _NOT_TOLD:
        setattr(nobody, keyword, None)
    step_mm = float(inputs.suv.spacing_mm[2])
    sources = []
    for header in inputs.pet_headers:
        source = Dataset()
        source.update({header[keyword].tag: header[keyword] for keyword in _NEEDED if keyword in header})
        source.update(nobody)
        # Slice Thickness may be empty in a PET image (type 2), never in a segmentation (type 1C): then the step.
        source.SliceThickness = header.get("SliceThickness") or f"{step_mm:.6g}"
        sources.append(source)
    return sources


def _description(findings: Findings, lesion: Lesion, algorithm: AlgorithmIdentificationSequence) -> SegmentDescription:
    made = delineation(findings)
    site = codes.site_code(lesion.organ, lesion.station)
    described = SegmentDescription(
        segment_number=lesion.segment_number,
        segment_label=segment_label(lesion),
        segmented_property_category=codes.ABNORMAL_STRUCTURE,
        segmented_property_type=finding_code(findings, lesion),
        algorithm_type=made.segment_type,
        algorithm_identification=algorithm,
        tracking_uid=lesion.tracking_uid,
        tracking_id=lesion_name(lesion),
        anatomic_regions=[site] if site else None,
        display_color=CIELabColor.from_rgb(*lesion_colour(lesion.number)),
    )
    judged = () if lesion.p_lesion is None else (status_words(lesion), probability_words(lesion.p_lesion))
    by = (words,) if (words := judged_by_words(findings)) else ()
    avid = ", ".join(("FDG-avid lesion", *judged))
    sentences = (avid, *by, findings.segmentation.description, *marks(findings))
    described.SegmentDescription = fitting(sentences, 1024)
    return described


def _segments(inputs: ReportInputs, lesions: list[Lesion]) -> npt.NDArray[np.uint16]:
    """Segment numbers in place of lesion numbers, shape (frames, rows, columns), in the order of the source frames."""
    table = np.zeros(int(inputs.lesion_map.array.max()) + 1, dtype=np.uint16)
    for lesion in lesions:
        table[lesion.number] = lesion.segment_number
    frames = [source.frame for source in slice_sources(inputs)]
    order = np.argsort([frame or 0 for frame in frames], kind="stable")
    return np.asarray(table[inputs.lesion_map.array[order]])


def _algorithm(findings: Findings) -> AlgorithmIdentificationSequence:
    made = delineation(findings)
    return AlgorithmIdentificationSequence(
        name=made.name,
        family=made.family,
        version=made.version,
        source=identity.MANUFACTURER,
        parameters=made.parameters,
    )


def _encoding(target: Target) -> tuple[SegmentationTypeValues, str]:
    """Segmentation type and transfer syntax that the target can take."""
    if target.profile.seg == "labelmap":
        return SegmentationTypeValues.LABELMAP, RLELossless
    return SegmentationTypeValues.BINARY, ExplicitVRLittleEndian


def build_seg(inputs: ReportInputs, target: Target) -> ResultObject | None:
    """The SEG of all lesions; None where there is no lesion or the target takes no SEG.

    Frames that hold no lesion are left out. Segment numbers are the lesions' ``segment_number`` (1..n without gaps);
    label, tracking identifier and colour follow the lesion's number.
    """
    findings = inputs.findings
    lesions = sorted(findings.lesions, key=lambda lesion: lesion.segment_number)
    if target.profile.seg == "none" or not lesions:
        return None
    digest = inputs_digest(inputs)
    uid = object_uid("seg", target, digest)
    algorithm = _algorithm(findings)
    segmentation_type, transfer_syntax = _encoding(target)
    dataset = Segmentation(
        source_images=nameless_sources(inputs),
        pixel_array=_segments(inputs, lesions),
        segmentation_type=segmentation_type,
        segment_descriptions=[_description(findings, lesion, algorithm) for lesion in lesions],
        series_instance_uid=series_uid(uid),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=identity.MANUFACTURER,
        manufacturer_model_name=identity.MODEL_NAME,
        software_versions=findings.provenance.node_version,
        device_serial_number=identity.device_serial(findings),
        content_label="LESIONS",
        content_description=contour_qualifier(findings) or fitting(marks(findings), _LO) or "FDG-avid lesions",
        transfer_syntax_uid=transfer_syntax,
        omit_empty_frames=True,
    )
    dataset.SeriesDescription = series_title("Nodal SEG", findings)
    dataset.CodingSchemeIdentificationSequence = [codes.private_scheme_item()]
    dataset.ReferencedSeriesSequence = [*dataset.get("ReferencedSeriesSequence", ()), *_editors_object(findings)]
    _own_dimensions(dataset, derived_uid(uid, "dimensions"))
    return identity.finish(identity.adopt(dataset, inputs, target, "seg", digest=digest), "seg")


def _editors_object(findings: Findings) -> list[Dataset]:
    """The series of the contour that the lesions were taken from, where it was a DICOM object (C.12.2)."""
    made = findings.segmentation
    if made.reference_series_instance_uid is None or made.reference_sop_class_uid is None:
        return []
    instance, series = Dataset(), Dataset()
    instance.ReferencedSOPClassUID = made.reference_sop_class_uid
    instance.ReferencedSOPInstanceUID = made.reference_sop_instance_uid
    series.SeriesInstanceUID = made.reference_series_instance_uid
    series.ReferencedInstanceSequence = [instance]
    return [series]


def _own_dimensions(dataset: Dataset, uid: str) -> None:
    """Replaces the dimension organization's random UID, wherever it stands, by ours."""
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
