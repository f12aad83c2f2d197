"""SEG: the same voxels, the right names, nothing of the source but what is allowed."""

from __future__ import annotations

import io
from dataclasses import replace

import highdicom
import numpy as np
import pytest
from highdicom.color import CIELabColor
from nodal.report.colours import lesion_colour
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.seg import build_seg, segment_label
from nodal.settings import Profile
from pydicom import Dataset, dcmread

from tests.unit.report.sample import enhanced, sample_inputs, with_findings

pytestmark = pytest.mark.unit

BINARY = Target(Profile(), "measurements")
LABELMAP = Target(Profile(seg="labelmap"), "measurements")


def made(inputs: ReportInputs, target: Target = BINARY) -> ResultObject:
    result = build_seg(inputs, target)
    assert result is not None
    return result


def read(result: ResultObject) -> Dataset:
    return dcmread(io.BytesIO(result.data))


def voxels(result: ResultObject, inputs: ReportInputs) -> np.ndarray:
    """Segment numbers on the PET grid, read back by highdicom and placed by position alone."""
    segmentation = highdicom.seg.segread(io.BytesIO(result.data))
    volume = segmentation.get_volume(combine_segments=True)
    found = np.zeros(inputs.suv.array.shape, dtype=int)
    index = np.argwhere(volume.array > 0)
    points = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    k, j, i = np.rint(inputs.suv.index_kji(points)).astype(int).T
    found[k, j, i] = volume.array[tuple(index.T)]
    return found


@pytest.mark.parametrize("target", [BINARY, LABELMAP], ids=["binary", "labelmap"])
@pytest.mark.parametrize("count", [1, 3])
def test_the_voxels_come_back(count: int, target: Target) -> None:
    inputs = sample_inputs(count)
    assert np.array_equal(voxels(made(inputs, target), inputs), inputs.lesion_map.array)


def test_the_voxels_of_an_enhanced_pet_come_back() -> None:
    inputs = sample_inputs(3)
    inputs = replace(inputs, pet_headers=enhanced(inputs.pet_headers))
    assert np.array_equal(voxels(made(inputs), inputs), inputs.lesion_map.array)


def test_a_lesion_number_need_not_be_the_segment_number() -> None:
    # Numbers persist from the scan's earlier revision and may have gaps; segments may not (C.8.20.2).
    inputs = sample_inputs(3)
    moved = inputs.lesion_map.array.copy()
    moved[inputs.lesion_map.array == 3] = 9
    lesions = (*inputs.findings.lesions[:2], replace(inputs.findings.lesions[2], number=9))
    inputs = with_findings(replace(inputs, lesion_map=inputs.lesion_map.with_array(moved)), lesions=lesions)
    result = made(inputs)
    assert np.array_equal(voxels(result, inputs) == 3, moved == 9)
    assert read(result).SegmentSequence[2].TrackingID == "Lesion 9"


def test_without_lesion_or_without_taker_there_is_no_seg() -> None:
    assert build_seg(sample_inputs(0), BINARY) is None
    assert build_seg(sample_inputs(2), Target(Profile(seg="none"), "measurements")) is None


def test_empty_frames_are_left_out() -> None:
    inputs = sample_inputs(3)
    frames = sum(int((inputs.lesion_map.array == number).any(axis=(1, 2)).sum()) for number in (1, 2, 3))
    assert read(made(inputs)).NumberOfFrames == frames


def test_segments_say_what_they_are() -> None:
    inputs = sample_inputs(6)
    dataset = read(made(inputs))
    assert dataset.SegmentationType == "BINARY"
    for segment, lesion in zip(dataset.SegmentSequence, inputs.findings.lesions, strict=True):
        assert segment.SegmentNumber == lesion.segment_number
        assert segment.SegmentLabel == segment_label(lesion)
        assert (segment.TrackingID, segment.TrackingUID) == (f"Lesion {lesion.number}", lesion.tracking_uid)
        assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "52988006"
        assert segment.SegmentAlgorithmType == "AUTOMATIC"
        assert "SUV >= 4.0" in segment.SegmentDescription
        assert "Physiological uptake not removed" in segment.SegmentDescription
        colour = CIELabColor.from_dicom_value(list(segment.RecommendedDisplayCIELabValue)).to_rgb()
        # CIELab is stored in 16 bits a channel: one step of 8-bit sRGB is the most that rounding can cost.
        assert np.allclose(colour, lesion_colour(lesion.number), atol=1)
    algorithm = dataset.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmVersion == "0.1.0"
    assert "min_volume_ml=3" in algorithm.AlgorithmParameters
    assert dataset.SegmentSequence[3].AnatomicRegionSequence[0].CodeValue == "78961009"
    assert dataset.SegmentSequence[0].AnatomicRegionSequence[0].CodeValue == "59441001"


def test_an_organ_map_or_a_given_contour_makes_it_a_neoplasm() -> None:
    inputs = sample_inputs(2)
    for changes, kind in (
        ({"anatomy_engine": "given"}, "AUTOMATIC"),
        ({"reference_sop_instance_uid": "1.2.3"}, "SEMIAUTOMATIC"),
    ):
        judged = with_findings(inputs, segmentation=replace(inputs.findings.segmentation, **changes))
        segment = read(made(judged)).SegmentSequence[0]
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "108369006"
        assert segment.SegmentAlgorithmType == kind


def test_labels_are_short_and_say_when_a_person_must_look() -> None:
    lesion = replace(sample_inputs(1).findings.lesions[0], number=7, volume_ml=34.4, station=None, organ=None)
    assert segment_label(lesion) == "L07 34 mL"
    assert segment_label(replace(lesion, volume_ml=3.14159, organ="spleen")) == "L07 spleen 3.1 mL"
    doubtful = segment_label(replace(lesion, station="s" * 100, status="to_confirm"))
    assert len(doubtful) <= 64
    assert doubtful.endswith("s 34 mL, to be confirmed")


def test_titles_carry_what_limits_the_meaning() -> None:
    partial = read(made(sample_inputs(1, partial=True)))
    assert partial.SeriesDescription == "Nodal SEG, limited field of view, not whole-body TMTV"
    both = read(made(sample_inputs(1, partial=True, virtual=True)))
    assert both.SeriesDescription == "Nodal SEG, simulated, limited field of view, not whole-body TMTV"
    assert both.QualityControlSubject == "YES"


def test_no_uid_is_random_and_every_input_counts() -> None:
    first, again = made(sample_inputs(3)), made(sample_inputs(3))
    assert first.data == again.data
    other = with_findings(sample_inputs(3), settings_sha256="0" * 64)
    assert made(other).sop_instance_uid != first.sop_instance_uid
    assert made(sample_inputs(3), LABELMAP).sop_instance_uid != first.sop_instance_uid
    organization = read(first).DimensionOrganizationSequence[0].DimensionOrganizationUID
    assert {item.DimensionOrganizationUID for item in read(first).DimensionIndexSequence} == {organization}
    assert read(made(other)).DimensionOrganizationSequence[0].DimensionOrganizationUID != organization


def test_free_text_of_the_source_stays_behind() -> None:
    result = made(sample_inputs(2, PatientComments="free text", PregnancyStatus=4, SmokingStatus="NO"))
    assert b"must not travel" not in result.data
    assert b"free text" not in result.data
    dataset = read(result)
    assert "PregnancyStatus" not in dataset
    assert dataset.FrameOfReferenceUID == sample_inputs(1).pet_headers[0].FrameOfReferenceUID
    assert dataset.Manufacturer == "Nodal"


def test_an_empty_slice_thickness_becomes_the_step() -> None:
    dataset = read(made(sample_inputs(2, SliceThickness=None)))
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SliceThickness) == 9.0


def test_lossy_compression_of_the_source_is_told() -> None:
    dataset = read(made(sample_inputs(1, LossyImageCompression="01", LossyImageCompressionRatio="8")))
    assert dataset.LossyImageCompression == "01"


def test_no_warning_names_the_patient(recwarn: pytest.WarningsRecorder) -> None:
    # Warnings end in logs. A name of one component is what libraries remark upon.
    made(sample_inputs(1, PatientName="Unmistakable", PatientID="ID-4711-X"))
    assert not [warning for warning in recwarn if "Unmistakable" in str(warning.message)]
