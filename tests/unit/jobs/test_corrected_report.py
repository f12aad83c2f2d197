"""Result objects of a corrected contour: lesions keep their numbers, the editor's object is named as their source."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from nodal.jobs.identity import numbered
from nodal.jobs.results import own_target
from nodal.report.inputs import ReportInputs
from nodal.report.seg import build_seg
from nodal.report.sr import build_sr
from nodal.settings import ResultSettings
from pydicom import Dataset, dcmread
from pydicom.uid import SegmentationStorage

from tests.unit.report.sample import sample_inputs

pytestmark = pytest.mark.unit

NUMBERS = {1: 5, 2: 2, 3: 11}
"""Segment number -> number: two lesions between them are gone, one is new."""


def corrected() -> ReportInputs:
    inputs = sample_inputs(3)
    lesions = tuple(replace(one, number=NUMBERS[one.segment_number]) for one in inputs.findings.lesions)
    made = replace(
        inputs.findings.segmentation,
        method="reference",
        reference_sop_instance_uid="1.2.3.4",
        reference_sop_class_uid=SegmentationStorage,
        reference_series_instance_uid="1.2.3.5",
        reference_instant="20260102030405",
    )
    ordered = tuple(sorted(lesions, key=lambda one: one.number))
    findings = replace(inputs.findings, lesions=ordered, segmentation=made)
    return replace(inputs, findings=findings, lesion_map=numbered(inputs.lesion_map, ordered))


@pytest.fixture(scope="module")
def objects() -> tuple[Dataset, Dataset]:
    inputs, target = corrected(), own_target(ResultSettings())
    seg = build_seg(inputs, target)
    assert seg is not None
    sr = build_sr(inputs, target, seg)
    assert sr is not None
    return dcmread(io.BytesIO(seg.data)), dcmread(io.BytesIO(sr.data))


def test_segments_are_counted_anew_and_labels_keep_the_numbers(objects: tuple[Dataset, Dataset]) -> None:
    seg, _ = objects
    before = {one.segment_number: one for one in sample_inputs(3).findings.lesions}
    assert {int(one.SegmentNumber): one.SegmentLabel[:3] for one in seg.SegmentSequence} == {
        1: "L05", 2: "L02", 3: "L11",
    }  # fmt: skip
    for one in seg.SegmentSequence:
        assert one.TrackingUID == before[int(one.SegmentNumber)].tracking_uid
    voxels = dict.fromkeys(before, 0)
    for frame, pixels in zip(seg.PerFrameFunctionalGroupsSequence, seg.pixel_array, strict=True):
        voxels[frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber] += int(pixels.sum())
    lesion_map = sample_inputs(3).lesion_map.array
    assert voxels == {number: int((lesion_map == number).sum()) for number in before}


def test_both_name_the_editors_object(objects: tuple[Dataset, Dataset]) -> None:
    seg, sr = objects
    (series,) = [one for one in seg.ReferencedSeriesSequence if one.SeriesInstanceUID == "1.2.3.5"]
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    (study,) = sr.PertinentOtherEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert (series.SeriesInstanceUID, series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) == (
        "1.2.3.5",
        "1.2.3.4",
    )
