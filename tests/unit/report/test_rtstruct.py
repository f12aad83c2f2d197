"""The structure set: read back it is the same voxels, and it says no more than the SEG may."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.imaging import Volume
from matplotlib.path import Path as Polygon
from nodal.dicom.rtstruct import rasterise_rtstruct
from nodal.report.colours import lesion_colour
from nodal.report.inputs import ReportInputs, Target
from nodal.report.rtstruct import structure_set
from nodal.report.seg import segment_label
from nodal.settings import Profile
from pydicom import Dataset, dcmread

from tests.unit.report.sample import FRAME_UID, enhanced, sample_inputs, with_findings
from tests.unit.report.sts import sts_inputs
from tests.unit.report.test_validators import errors

pytestmark = pytest.mark.unit

ASKED = Target(Profile(rtstruct=True), "measurements")


def made(inputs: ReportInputs, target: Target = ASKED) -> Dataset:
    result = structure_set(inputs, target)
    assert result is not None
    return dcmread(io.BytesIO(result.data))


def only(structures: Dataset, number: int) -> Dataset:
    """The set with one structure alone."""
    alone = Dataset()
    alone.FrameOfReferenceUID = structures.FrameOfReferenceUID
    alone.StructureSetROISequence = [item for item in structures.StructureSetROISequence if item.ROINumber == number]
    for name in ("ROIContourSequence", "RTROIObservationsSequence"):
        setattr(alone, name, [item for item in structures[name] if item.ReferencedROINumber == number])
    return alone


def voxels(structures: Dataset, inputs: ReportInputs) -> np.ndarray:
    """Structure numbers on the PET grid, filled by the node's own reader."""
    found = np.zeros(inputs.suv.array.shape, dtype=int)
    for item in structures.StructureSetROISequence:
        number = int(item.ROINumber)
        mask = rasterise_rtstruct(only(structures, number), inputs.suv, str(structures.FrameOfReferenceUID))
        assert not found[mask].any(), "two structures share a voxel"
        found[mask] = number
    return found


def tilted(inputs: ReportInputs) -> ReportInputs:
    """The same study on a patient who lay askew: rows, columns and slices along no axis."""
    turn = np.eye(4)
    a, b = np.deg2rad(12.0), np.deg2rad(-7.0)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    turn[:3, :3] = about_z @ about_x
    affine = turn @ inputs.suv.affine
    return replace(inputs, suv=Volume(inputs.suv.array, affine), lesion_map=Volume(inputs.lesion_map.array, affine))


def hollow(inputs: ReportInputs) -> ReportInputs:
    """Lesion 1 as a thick shell with a bridge, of the kind a necrotic mass leaves: rings, and rings in rings."""
    labels = np.zeros_like(inputs.lesion_map.array)
    k, j, i = np.indices(labels.shape)
    distance = np.sqrt((k - 50.0) ** 2 + (j - 24.0) ** 2 + (i - 24.0) ** 2)
    labels[(distance <= 14) & (distance > 9)] = 1
    labels[distance <= 5] = 1
    labels[50, 24, 10:38] = 1
    labels[48:52:2, 10:38:3, 24:34:2] = 0
    return replace(inputs, lesion_map=inputs.lesion_map.with_array(labels))


CASES = {
    "one": lambda: sample_inputs(1),
    "three": lambda: sample_inputs(3),
    "sixty": lambda: sample_inputs(60),
    "tilted": lambda: tilted(sample_inputs(3)),
    "hollow": lambda: hollow(sample_inputs(1)),
    "hollow and tilted": lambda: tilted(hollow(sample_inputs(1))),
    "enhanced": lambda: replace(sample_inputs(3), pet_headers=enhanced(sample_inputs(3).pet_headers)),
}


@pytest.mark.parametrize("case", list(CASES))
def test_our_reader_gets_the_same_voxels(case: str) -> None:
    # No tolerance: edges run half a pixel from every centre, and coordinates are kept to 0.1 micrometre.
    inputs = CASES[case]()
    assert np.array_equal(voxels(made(inputs), inputs), inputs.lesion_map.array)


@pytest.mark.parametrize("pair", ["STS_001", "STS_002"])
def test_our_reader_gets_the_same_voxels_of_real_pairs(pair: str, real_data: Path) -> None:
    inputs = sts_inputs(real_data / "sts" / pair, 4.0)
    assert inputs.lesion_map.array.any()
    assert np.array_equal(voxels(made(inputs), inputs), inputs.lesion_map.array)


def test_another_filling_gets_the_same_voxels_and_the_volume() -> None:
    # matplotlib's even-odd rule on coordinates in mm, contour by contour: nothing of the reader above.
    inputs = hollow(sample_inputs(1))
    structures = made(inputs)
    found = np.zeros(inputs.suv.array.shape, dtype=bool)
    area_mm2 = 0.0
    rows, columns = found.shape[1:]
    for contour in structures.ROIContourSequence[0].ContourSequence:
        points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
        assert contour.NumberOfContourPoints == len(points)
        x, y = points[:, 0], points[:, 1]
        area_mm2 += 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
        [k] = {round((z - inputs.suv.affine[2, 3]) / inputs.suv.spacing_mm[2]) for z in points[:, 2]}
        referenced = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
        assert referenced == inputs.pet_headers[k].SOPInstanceUID
        index = np.stack(np.meshgrid([k], range(rows), range(columns), indexing="ij"), axis=-1).reshape(-1, 3)
        centres = inputs.suv.points_mm(index)[:, :2]
        closed = Polygon(np.vstack([points[:, :2], points[:1, :2]]), closed=True)
        found[k] ^= closed.contains_points(centres).reshape(rows, columns)
    assert np.array_equal(found, inputs.lesion_map.array > 0)
    volume_ml = area_mm2 * inputs.suv.spacing_mm[2] / 1000
    assert volume_ml == pytest.approx(found.sum() * inputs.suv.voxel_volume_ml, rel=1e-6)


@pytest.mark.parametrize("case", ["one", "sixty", "hollow", "enhanced"])
@pytest.mark.parametrize("virtual", [False, True])
def test_dciodvfy_finds_no_error(case: str, virtual: bool, tmp_path: Path) -> None:
    inputs = CASES[case]() if not virtual else sample_inputs(2, virtual=True)
    result = structure_set(inputs, ASKED)
    assert result is not None
    path = tmp_path / "rtstruct.dcm"
    path.write_bytes(result.data)
    assert errors(path) == set()


def test_structures_are_the_segments() -> None:
    inputs = sample_inputs(6)
    structures = made(inputs)
    assert structures.FrameOfReferenceUID == FRAME_UID
    assert structures.ApprovalStatus == "UNAPPROVED"
    assert "Physiological uptake not removed" in structures.StructureSetDescription
    series = structures.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0].RTReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == inputs.findings.pet_series_instance_uid
    assert len(series.ContourImageSequence) == len(inputs.pet_headers)
    for item, lesion in zip(structures.StructureSetROISequence, inputs.findings.lesions, strict=True):
        assert item.ROINumber == lesion.segment_number
        assert item.ROIName == segment_label(lesion)
        assert f"Lesion {lesion.number}; Tracking UID {lesion.tracking_uid}" in item.ROIDescription
        assert item.ROIGenerationAlgorithm == "AUTOMATIC"
    for item, lesion in zip(structures.ROIContourSequence, inputs.findings.lesions, strict=True):
        assert tuple(item.ROIDisplayColor) == lesion_colour(lesion.number)


def test_only_what_was_told_from_physiological_uptake_is_a_tumour_volume() -> None:
    plain = sample_inputs(2)
    assert {item.RTROIInterpretedType for item in made(plain).RTROIObservationsSequence} == {""}
    lesions = (plain.findings.lesions[0], replace(plain.findings.lesions[1], status="to_confirm"))
    told = replace(plain.findings.segmentation, anatomy_engine="network")
    judged = made(with_findings(plain, lesions=lesions, segmentation=told))
    assert [item.RTROIInterpretedType for item in judged.RTROIObservationsSequence] == ["GTV", ""]
    assert judged.StructureSetROISequence[1].ROIName.endswith("to be confirmed")


def test_what_limits_the_contours_is_said() -> None:
    inputs = sample_inputs(2, virtual=True)
    segmentation = replace(inputs.findings.segmentation, method="suv4_reviewed", evidence="E0")
    structures = made(with_findings(inputs, segmentation=segmentation))
    assert structures.QualityControlSubject == "YES"
    assert structures.SeriesDescription == "RTSTRUCT, simulated"
    assert "not for clinical use" in structures.StructureSetDescription
    assert "Virtual patient" in structures.StructureSetDescription
    assert all("not for clinical use" in item.ROIDescription for item in structures.StructureSetROISequence)


def test_it_is_made_where_asked_and_where_there_is_a_lesion() -> None:
    assert structure_set(sample_inputs(1), Target(Profile(), "measurements")) is None
    assert structure_set(sample_inputs(0), ASKED) is None


def test_same_input_same_bytes() -> None:
    assert structure_set(sample_inputs(3), ASKED) == structure_set(sample_inputs(3), ASKED)


def test_a_number_may_differ_from_its_segment() -> None:
    inputs = sample_inputs(3)
    moved = inputs.lesion_map.array.copy()
    moved[moved == 3] = 9
    lesions = (*inputs.findings.lesions[:2], replace(inputs.findings.lesions[2], number=9))
    inputs = with_findings(replace(inputs, lesion_map=inputs.lesion_map.with_array(moved)), lesions=lesions)
    assert np.array_equal(voxels(made(inputs), inputs) == 3, moved == 9)
