"""The measurement groups of the structured report.

A lesion has two groups with one Tracking Identifier and Tracking UID, which are also its segment's: (a) TID 1411 with
the segment and every number, (b) TID 1410 with a rectangle on the PET slice of its hottest voxel, a comment that reads
as its label, and no number. The patient likewise: TID 1501 with the totals, and TID 1410 with a point at the hottest
voxel; indices, systems and nomograms are further TID 1501 groups of the patient. Viewers that draw take place and
label from (b); readers that compute take the numbers from (a).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from highdicom.sr import (
    AlgorithmIdentification,
    ContentSequence,
    FindingSite,
    ImageRegion,
    MeasurementsAndQualitativeEvaluations,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForRegion,
    SourceSeriesForSegmentation,
    TextContentItem,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.coding import Code
from scipy import ndimage

from nodal.findings import Findings, Lesion
from nodal.report import codes
from nodal.report.index_words import points_words
from nodal.report.inputs import ReportInputs, ResultObject
from nodal.report.lesion_words import TO_CONFIRM, probability_words
from nodal.report.marks import marks
from nodal.report.provenance import delineation, finding_code, lesion_name
from nodal.report.slices import SliceSource, slice_sources
from nodal.report.sr_candidates import judgement_limits
from nodal.report.sr_indices import index_groups
from nodal.report.sr_items import without_uid
from nodal.report.sr_measures import lesion_measurements, patient_measurements, quality_measurements
from nodal.report.sr_risks import attention_numbers, nomogram_groups, system_groups
from nodal.report.uids import tracking_uid

__all__ = ["Place", "lesion_groups", "lesion_places", "patient_groups", "patient_label"]

_YES = Code("373066001", "SCT", "Yes")
_NO = Code("373067005", "SCT", "No")


@dataclass(frozen=True)
class Place:
    """Where a viewer shall draw: a slice, and the lesion's rectangle on it as array bounds, ends excluded."""

    k: int
    rows: tuple[int, int]
    columns: tuple[int, int]
    hottest_kji: tuple[int, int, int]


def lesion_places(inputs: ReportInputs) -> dict[int, Place]:
    """The place of every lesion, by its number.

    Raises:
        ValueError: a lesion's hottest voxel is not of that lesion in the lesion map.
    """
    boxes = ndimage.find_objects(inputs.lesion_map.array)
    places = {}
    for lesion in inputs.findings.lesions:
        k, j, i = (round(float(index)) for index in inputs.lesion_map.index_kji(lesion.hottest_mm))
        if inputs.lesion_map.array[k, j, i] != lesion.number:
            raise ValueError(f"the hottest voxel of lesion {lesion.number} lies outside it")
        _, box_rows, box_columns = boxes[lesion.number - 1]
        on_slice = inputs.lesion_map.array[k, box_rows, box_columns] == lesion.number
        rows = np.flatnonzero(on_slice.any(axis=1)) + box_rows.start
        columns = np.flatnonzero(on_slice.any(axis=0)) + box_columns.start
        places[lesion.number] = Place(
            k, (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1), (k, j, i)
        )
    return places


def _region(source: SliceSource, graphic_type: str, points: npt.NDArray[np.float64]) -> ImageRegion:
    return ImageRegion(
        graphic_type=graphic_type,
        graphic_data=points,
        source_image=SourceImageForRegion(
            referenced_sop_class_uid=source.header.SOPClassUID,
            referenced_sop_instance_uid=source.header.SOPInstanceUID,
            referenced_frame_numbers=None if source.frame is None else [source.frame],
        ),
    )


def _rectangle(source: SliceSource, place: Place) -> ImageRegion:
    """A closed polyline along pixel edges, (column, row), origin at the outer corner of the first pixel (C.18.6.1)."""
    (top, bottom), (left, right) = place.rows, place.columns
    points = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]], dtype=float)
    return _region(source, "POLYLINE", points)


def _algorithm(findings: Findings, *, full: bool) -> AlgorithmIdentification:
    """TID 4019; the parameters, the same for all lesions, stand only once, with the patient's totals (``full``)."""
    made = delineation(findings)
    return AlgorithmIdentification(
        name=made.name,
        version=made.version,
        parameters=[f"{name}={value}" for name, value in made.parameters.items()] if full else None,
        family=made.family,
    )


def _comment(text: str) -> TextContentItem:
    return TextContentItem(name=codes.COMMENT, value=text, relationship_type="CONTAINS")


def _lesion_label(lesion: Lesion) -> str:
    site = lesion.station or lesion.organ
    doubt = "" if lesion.status == "accepted" else f", {TO_CONFIRM}"
    doubt += f", {words}" if (words := probability_words(lesion.p_lesion)) else ""
    return (
        f"{lesion_name(lesion)}: SUVmax {lesion.suv_max:.1f}, MTV {lesion.volume_ml:.1f} mL, "
        f"TLG {lesion.tlg_g:.1f} g, SUVpeak {lesion.suv_peak:.1f}, diameter {lesion.longest_diameter_mm:.0f} mm"
        f"{f', {site}' if site else ''}{doubt}"
    )


def _status(lesion: Lesion) -> list[QualitativeEvaluation]:
    value = codes.STATUS_ACCEPTED if lesion.status == "accepted" else codes.STATUS_TO_CONFIRM
    said = [QualitativeEvaluation(codes.LESION_STATUS, value)]
    if lesion.decided_by == "person":
        said.append(QualitativeEvaluation(codes.DECIDED_BY, codes.DECIDED_BY_PERSON))
    return said


def _sites(lesion: Lesion) -> list[FindingSite] | None:
    site = codes.site_code(lesion.organ, lesion.station)
    if site is None:
        return None
    return [FindingSite(site, laterality=codes.laterality_code(lesion.organ, lesion.station))]


def lesion_groups(inputs: ReportInputs, seg: ResultObject | None) -> list[ContentSequence]:
    """Both groups of every lesion, in the order of their numbers.

    Without a SEG (the target takes none) the numbers stand in a TID 1501 group in place of the TID 1411 one.
    """
    findings = inputs.findings
    places, sources = lesion_places(inputs), slice_sources(inputs)
    algorithm, limits = _algorithm(findings, full=False), judgement_limits(findings)
    groups: list[ContentSequence] = []
    for lesion in sorted(findings.lesions, key=lambda each: each.number):
        tracking = TrackingIdentifier(uid=lesion.tracking_uid, identifier=lesion_name(lesion))
        shared = {"tracking_identifier": tracking, "finding_type": finding_code(findings, lesion)}
        measured = {
            "finding_sites": _sites(lesion),
            "algorithm_id": algorithm,
            "measurements": [*lesion_measurements(lesion, limits), *attention_numbers(lesion, findings)],
            "qualitative_evaluations": _status(lesion),
        }
        if seg is None:
            numbers = MeasurementsAndQualitativeEvaluations(**shared, **measured)
        else:
            segment = ReferencedSegment(
                sop_class_uid=seg.sop_class_uid,
                sop_instance_uid=seg.sop_instance_uid,
                segment_number=lesion.segment_number,
                source_series=SourceSeriesForSegmentation(findings.pet_series_instance_uid),
            )
            numbers = VolumetricROIMeasurementsAndQualitativeEvaluations(
                referenced_segment=segment, **shared, **measured
            )
        place = places[lesion.number]
        drawn = PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=_rectangle(sources[place.k], place), **shared
        )
        drawn[0].ContentSequence.append(_comment(_lesion_label(lesion)))
        groups += [numbers, drawn]
    return groups


def _patient_name(findings: Findings) -> str:
    """Tracking Identifier of the totals; never "whole" for a cropped body. No person's name."""
    return "Whole patient" if findings.totals.field_of_view == "whole" else "Limited field of view"


def patient_label(findings: Findings) -> str:
    """The totals in a line, and what limits their meaning."""
    totals = findings.totals
    if not totals.lesion_count:
        parts = ["no FDG-avid lesion" if not findings.lesions else "no accepted lesion", *marks(findings)]
        return f"{_patient_name(findings)}: {', '.join(parts)} ({findings.segmentation.description})"
    parts = [
        f"{'TMTV' if totals.field_of_view == 'whole' else 'MTV'} {totals.tmtv_ml:.1f} mL",
        f"TLG {totals.tlg_g:.1f} g",
        f"{totals.lesion_count} lesion{'s' if totals.lesion_count != 1 else ''}",
    ]
    parts += [f"SUVmax {totals.suv_max:.1f}"] if totals.suv_max is not None else []
    parts += [f"Dmax {totals.dmax_mm:.0f} mm"] if totals.dmax_mm is not None else []
    parts += [f"IPI {points_words(ipi)}"] if (ipi := findings.indices.ipi) is not None else []
    return f"{_patient_name(findings)}: {', '.join([*parts, *marks(findings)])}"


def patient_groups(inputs: ReportInputs) -> list[ContentSequence]:
    """The totals, the point that lets viewers list them, and a group for each index, system and nomogram.

    Without a lesion there is no point to draw, and a Tracking UID without any coordinates blanks the whole report
    in a viewer that hydrates by it: the UID is then left out.
    """
    findings = inputs.findings
    uid = tracking_uid(findings.pet_series_instance_uid, findings.lesion_map_sha256, 0)
    tracking = TrackingIdentifier(uid=uid, identifier=_patient_name(findings))
    bulky = findings.totals.bulky
    # Where every lesion is still to be confirmed, nobody has called it lymphoma yet.
    accepted = [lesion for lesion in findings.lesions if lesion.status == "accepted"]
    finding = codes.LYMPHOMA if accepted else codes.LESION
    totals = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        finding_type=finding if findings.lesions else None,
        algorithm_id=_algorithm(findings, full=True),
        measurements=[*patient_measurements(findings), *quality_measurements(findings)],
        qualitative_evaluations=None if bulky is None else [QualitativeEvaluation(codes.BULK, _YES if bulky else _NO)],
    )
    risks = _risk_groups(findings, tracking)
    if not findings.lesions:
        totals[0].ContentSequence.append(_comment(patient_label(findings)))
        return [without_uid(one) for one in (totals, *risks)]
    hottest = max(accepted or findings.lesions, key=lambda lesion: (lesion.suv_max, -lesion.number))
    k, j, i = lesion_places(inputs)[hottest.number].hottest_kji
    place = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        referenced_region=_region(slice_sources(inputs)[k], "POINT", np.array([[i + 0.5, j + 0.5]])),
        finding_type=finding,
    )
    place[0].ContentSequence.append(_comment(patient_label(findings)))
    return [totals, place, *risks]


def _risk_groups(findings: Findings, tracking: TrackingIdentifier) -> list[ContentSequence]:
    """Indices, systems and nomograms, each a group of the same patient: with the same Tracking UID as the totals.

    A group with a UID of its own would have no coordinates, and one without any is an error to some viewers; both
    lose them the whole report.
    """
    return [
        *index_groups(findings, tracking),
        *system_groups(findings, tracking),
        *nomogram_groups(findings, tracking),
    ]
