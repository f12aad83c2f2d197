"""The key images: for each lesion the PET and the CT slice of its hottest voxel, and the summary image (TID 2010)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from highdicom.ko import KeyObjectSelection
from pydicom import Dataset
from pydicom.sr.coding import Code

from nodal.findings import Findings
from nodal.report.canonical import inputs_digest
from nodal.report.identity import finish, start_object
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.lesion_words import TO_CONFIRM
from nodal.report.marks import marks
from nodal.report.outlines import outline_series
from nodal.report.provenance import lesion_name, series_title
from nodal.report.slices import SliceSource, slice_sources
from nodal.report.sr import observer, study_reference
from nodal.report.sr_groups import lesion_places
from nodal.report.uids import series_uid
from nodal.report.verified import verification_flag

__all__ = ["KEY_OBJECTS", "SERIES_NUMBER", "key_images", "nearest_slice"]

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
SERIES_NUMBER = 9108
_OF_INTEREST = Code("113000", "DCM", "Of Interest")
_FARTHEST_MM = 10.0
"""A lesion beyond the CT has no slice of it; thicker slices than 20 mm are made by no scanner of PET/CT."""


@dataclass(frozen=True, eq=False)
class _Key:
    """An image that is pointed out, and its presentation state."""

    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    frame: int | None = None
    state: ResultObject | None = None


def key_images(
    inputs: ReportInputs, target: Target, summary: ResultObject, outlines: Sequence[ResultObject]
) -> ResultObject | None:
    """The Key Object Selection Document (PS3.3 A.35.4); None where the target takes none.

    Images stand in the order: summary, then lesion by lesion PET and CT, each image once.

    Args:
        summary, outlines: of the same inputs and target; each state of ``outlines`` goes with its PET slice.
    """
    if target.profile.key_images == "none":
        return None
    findings = inputs.findings
    dataset = start_object(
        inputs,
        target,
        kind="key_images",
        sop_class_uid=KEY_OBJECTS,
        modality="KO",
        series_number=SERIES_NUMBER,
        series_description=series_title("Key imgs", findings),
    )
    dataset.ReferencedPerformedProcedureStepSequence = []
    keys = _keys(inputs, summary, outlines)
    state_series = outline_series(target, inputs_digest(inputs))
    dataset.CurrentRequestedProcedureEvidenceSequence = [
        _evidence(findings.study_instance_uid, keys, outlines, state_series)
    ]
    content = KeyObjectSelection(
        _OF_INTEREST,
        [_as_image(key) for key in keys],
        observer_device_context=observer(findings),
        description=_description(findings),
    )[0]
    content.ContinuityOfContent = "SEPARATE"
    _complete(content, keys)
    dataset.update(content)
    return finish(dataset, "key_images")


def nearest_slice(headers: Sequence[Dataset], point_mm: Sequence[float]) -> SliceSource | None:
    """The image, or frame of a multi-frame image, whose plane is nearest to a point; None beyond the series' ends.

    Args:
        headers: of one series. point_mm: LPS, in the series' frame of reference.
    """
    planes: list[tuple[SliceSource, Dataset, Dataset]] = []
    for header in headers:
        frames = header.get("PerFrameFunctionalGroupsSequence")
        if not frames:
            planes.append((SliceSource(header, None), header, header))
            continue
        shared = header.SharedFunctionalGroupsSequence[0]
        for number, frame in enumerate(frames, start=1):
            turned = frame if "PlaneOrientationSequence" in frame else shared
            planes.append(
                (SliceSource(header, number), frame.PlanePositionSequence[0], turned.PlaneOrientationSequence[0])
            )
    away = [_distance_mm(position, orientation, point_mm) for _, position, orientation in planes]
    nearest = int(np.argmin(away))
    return planes[nearest][0] if away[nearest] <= _FARTHEST_MM else None


def _distance_mm(position: Dataset, orientation: Dataset, point_mm: Sequence[float]) -> float:
    row, column = np.asarray(orientation.ImageOrientationPatient, dtype=float).reshape(2, 3)
    away = np.asarray(point_mm, dtype=float) - np.asarray(position.ImagePositionPatient, dtype=float)
    return abs(float(np.dot(np.cross(row, column), away)))


def _keys(inputs: ReportInputs, summary: ResultObject, outlines: Sequence[ResultObject]) -> list[_Key]:
    places, sources = lesion_places(inputs), slice_sources(inputs)
    # One state for each slice that holds a hottest voxel, from foot to head, as they were built.
    states = dict(zip(sorted({place.k for place in places.values()}), outlines, strict=False))
    keys = [_Key(summary.sop_class_uid, summary.sop_instance_uid, series_uid(summary.sop_instance_uid))]
    for lesion in sorted(inputs.findings.lesions, key=lambda each: each.number):
        k = places[lesion.number].k
        keys.append(_of_slice(sources[k], states.get(k)))
        if (ct := nearest_slice(inputs.ct_headers, lesion.hottest_mm)) is not None:
            keys.append(_of_slice(ct, None))
    return list({(key.sop_instance_uid, key.frame): key for key in keys}.values())


def _of_slice(source: SliceSource, state: ResultObject | None) -> _Key:
    header = source.header
    return _Key(str(header.SOPClassUID), str(header.SOPInstanceUID), str(header.SeriesInstanceUID), source.frame, state)


def _as_image(key: _Key) -> Dataset:
    """What highdicom takes for an image: it looks for rows and columns, and copies class and UID."""
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = key.sop_class_uid, key.sop_instance_uid
    image.Rows = image.Columns = 1
    return image


def _complete(content: Dataset, keys: Sequence[_Key]) -> None:
    """Adds frames and presentation states, which highdicom's selection has no argument for (Table C.18.4-1)."""
    images = [item for item in content.ContentSequence if item.ValueType == "IMAGE"]
    for item, key in zip(images, keys, strict=True):
        (reference,) = item.ReferencedSOPSequence
        if key.frame is not None:
            reference.ReferencedFrameNumber = key.frame
        if key.state is not None:
            state = Dataset()
            state.ReferencedSOPClassUID = key.state.sop_class_uid
            state.ReferencedSOPInstanceUID = key.state.sop_instance_uid
            reference.ReferencedSOPSequence = [state]


def _evidence(study_uid: str, keys: Sequence[_Key], outlines: Sequence[ResultObject], state_series: str) -> Dataset:
    series: dict[str, dict[str, str]] = {}
    for key in keys:
        series.setdefault(key.series_instance_uid, {})[key.sop_instance_uid] = key.sop_class_uid
    for state in outlines:
        series.setdefault(state_series, {})[state.sop_instance_uid] = state.sop_class_uid
    listed = {uid: [(kind, one) for one, kind in instances.items()] for uid, instances in series.items()}
    return study_reference(study_uid, listed)


def _description(findings: Findings) -> str:
    """What is pointed out and why; what limits it comes first."""
    said = "; ".join(marks(findings))
    lesions = "; ".join(
        f"{lesion_name(lesion)} SUVmax {lesion.suv_max:.1f}, {lesion.volume_ml:.1f} mL"
        + (f", {site}" if (site := lesion.station or lesion.organ) else "")
        + ("" if lesion.status == "accepted" else f", {TO_CONFIRM}")
        for lesion in sorted(findings.lesions, key=lambda each: each.number)
    )
    what = f"Summary, and PET and CT slice of each lesion's hottest voxel: {lesions}" if lesions else "Summary"
    return ". ".join(part for part in (said, what, f"Selected automatically, {verification_flag(findings)}") if part)
