"""Contours against independent rasterisations, hand-counted shapes and other programs' objects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.imaging.volume import Volume
from nodal.dicom.contour import read_contour, read_regions
from nodal.dicom.series import LoadedPet, LoadedSeries, load_pet, read_study
from nodal.errors import Code, Refused
from pydicom import Dataset, dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage

from tests.unit.dicom.pet_headers import FRAME, STUDY, write_series

pytestmark = pytest.mark.unit

Polygon = Sequence[tuple[float, float]]
SHAPE = (10, 20, 30)  # 4 mm slices of 3 x 2 mm pixels, from (-10, -20, 100)


@pytest.fixture(scope="module")
def pet(tmp_path_factory: pytest.TempPathFactory) -> LoadedPet:
    folder = tmp_path_factory.mktemp("pet")
    write_series(folder, np.ones(SHAPE, np.uint16))
    return load_pet(read_study(folder).series[0], assume_bw=False)


def read(path: Path, pet: LoadedSeries, study: str = STUDY) -> npt.NDArray[np.bool_]:
    mask = read_contour(path, pet, study_instance_uid=study)
    assert mask.same_grid(pet.volume)
    assert mask.array.dtype == np.bool_
    return mask.array


def refusal(path: Path, pet: LoadedSeries, study: str = STUDY) -> Code:
    with pytest.raises(Refused) as caught:
        read_contour(path, pet, study_instance_uid=study)
    return caught.value.code


# -- structure sets ---------------------------------------------------------------------------------------------


def write_structures(
    path: Path, *rois: Sequence[tuple[float, Polygon]], kinds: Sequence[str] = (), **changes: Any
) -> Path:
    """A structure set; each structure is a list of (z in mm, polygon in mm)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, RTStructureSetStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.9"
    structures = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    structures.SOPClassUID, structures.SOPInstanceUID, structures.Modality = (
        RTStructureSetStorage,
        "1.2.3.9",
        "RTSTRUCT",
    )
    structures.StudyInstanceUID, structures.SeriesInstanceUID = STUDY, "1.2.3.8"
    structures.StructureSetROISequence, structures.ROIContourSequence = [], []
    structures.RTROIObservationsSequence = []
    for number, roi in enumerate(rois, start=1):
        head, body, kind = Dataset(), Dataset(), Dataset()
        head.ROINumber, head.ReferencedFrameOfReferenceUID, head.ROIName = number, FRAME, f"roi {number}"
        body.ReferencedROINumber = kind.ReferencedROINumber = number
        kind.RTROIInterpretedType = kinds[number - 1] if kinds else "GTV"
        body.ContourSequence = [_contour(z, polygon) for z, polygon in roi]
        structures.StructureSetROISequence.append(head)
        structures.ROIContourSequence.append(body)
        structures.RTROIObservationsSequence.append(kind)
    structures.save_as(path, enforce_file_format=True)
    return path


def _contour(z: float, polygon: Polygon) -> Dataset:
    item = Dataset()
    item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", len(polygon)
    item.ContourData = [f"{value:.4f}" for x, y in polygon for value in (x, y, z)]
    return item


def box(rows: tuple[float, float], columns: tuple[float, float]) -> Polygon:
    """A rectangle between rows and columns given in pixels, in mm."""
    (r0, r1), (c0, c1) = rows, columns
    return [(-10 + 2 * c, -20 + 3 * r) for r, c in ((r0, c0), (r0, c1), (r1, c1), (r1, c0))]


def test_two_structures_and_a_hole(tmp_path: Path, pet: LoadedPet) -> None:
    outer, hole, other = box((1.5, 11.5), (2.5, 12.5)), box((4.5, 7.5), (5.5, 9.5)), box((3.5, 5.5), (20.5, 25.5))
    path = write_structures(
        tmp_path / "rs", [(108, outer), (108, hole), (112, outer)], [(108, other), (108, box((4.5, 6.5), (4.5, 6.5)))]
    )
    mask = read(path, pet)
    expected = np.zeros(SHAPE, bool)
    expected[2:4, 2:12, 3:13] = True
    expected[2, 5:8, 6:10] = False
    expected[2, 4:6, 21:26] = True
    expected[2, 5:7, 5:7] = True  # the second structure reaches into the hole of the first: a union, not an XOR
    np.testing.assert_array_equal(mask, expected)


def test_structures_are_told_apart_by_name(tmp_path: Path, pet: LoadedPet) -> None:
    left, right = box((1.5, 4.5), (2.5, 5.5)), box((1.5, 4.5), (5.5, 8.5))
    contour = read_regions(
        write_structures(tmp_path / "rs", [(108, left)], [(108, right)]), pet, study_instance_uid=STUDY
    )
    assert [(one.label, one.name, one.tracking_uid) for one in contour.regions] == [
        (1, "roi 1", None),
        (2, "roi 2", None),
    ]
    expected = np.zeros(SHAPE, np.uint16)
    expected[2, 2:5, 3:6], expected[2, 2:5, 6:9] = 1, 2
    np.testing.assert_array_equal(contour.labels.array, expected)


def test_a_contour_that_marks_nothing_may_be_meant(tmp_path: Path, pet: LoadedPet) -> None:
    path = write_structures(tmp_path / "rs", [])
    assert refusal(path, pet) == Code.CONTOUR_EMPTY
    contour = read_regions(path, pet, study_instance_uid=STUDY, may_be_empty=True)
    assert not contour.labels.array.any()
    beside = write_structures(tmp_path / "beside", [(900, box((1, 4), (2, 5)))])
    with pytest.raises(Refused) as caught:  # it marks something, elsewhere
        read_regions(beside, pet, study_instance_uid=STUDY, may_be_empty=True)
    assert caught.value.code == Code.CONTOUR_EMPTY


def test_pixel_belongs_when_its_centre_is_inside_or_on_the_contour(tmp_path: Path, pet: LoadedPet) -> None:
    mask = read(write_structures(tmp_path / "rs", [(100, box((2, 5), (3, 6)))]), pet)  # drawn through centres
    assert mask[0, 2:6, 3:7].all()
    assert mask.sum() == 16
    mask = read(write_structures(tmp_path / "rs", [(100, box((2.01, 4.99), (3.01, 5.99)))]), pet)
    assert mask.sum() == 4


def test_hole_drawn_through_centres_keeps_its_rim(tmp_path: Path, pet: LoadedPet) -> None:
    mask = read(write_structures(tmp_path / "rs", [(100, box((1, 9), (1, 9))), (100, box((3, 7), (3, 7)))]), pet)
    assert mask.sum() == 81 - 9


def test_keyhole_contour(tmp_path: Path, pet: LoadedPet) -> None:
    """One contour that runs in and out along the same line makes a hole too (PS3.3 C.8.8.6.3)."""
    outer = [*box((1.5, 11.5), (1.5, 11.5)), box((1.5, 11.5), (1.5, 11.5))[0]]
    inner = box((4.5, 8.5), (4.5, 8.5))
    mask = read(write_structures(tmp_path / "rs", [(100, [*outer, inner[0], *reversed(inner), outer[-1]])]), pet)
    assert not mask[0, 5:9, 5:9][np.triu_indices(4, 1)].any()
    assert mask.sum() - np.diagonal(mask[0, 5:9, 5:9]).sum() == 100 - 16


def test_contours_on_ct_planes_fill_every_pet_slice(tmp_path: Path, pet: LoadedPet) -> None:
    """CT planes each 1.5 mm from 109.2 to 120: PET slices at 112, 116, 120 and, half a plane off at most, none else."""
    planes = [(109.2 + 1.5 * n, box((1.5, 3.5 + n), (1.5, 3.5))) for n in range(8)]
    mask = read(write_structures(tmp_path / "rs", planes), pet)
    assert mask.any(axis=(1, 2)).tolist() == [False, False, False, True, True, True, *[False] * 4]
    nearest = [2, 5, 7]  # of 112, 116 and 120 among the planes
    assert mask.sum(axis=(1, 2))[3:6].tolist() == [(2 + n) * 2 for n in nearest]


def test_contours_on_every_second_slice_leave_no_gap(tmp_path: Path, pet: LoadedPet) -> None:
    mask = read(write_structures(tmp_path / "rs", [(z, box((1.5, 3.5), (1.5, 3.5))) for z in (104, 112, 120)]), pet)
    assert mask.any(axis=(1, 2)).tolist() == [True] * 7 + [False] * 3  # 100 and 124 lie half a gap from the ends


def test_slab_thickness_is_believed(tmp_path: Path, pet: LoadedPet) -> None:
    path = write_structures(tmp_path / "rs", [(z, box((1.5, 3.5), (1.5, 3.5))) for z in (104, 112, 120)])
    structures = dcmread(path)
    for contour in structures.ROIContourSequence[0].ContourSequence:
        contour.ContourSlabThickness = 4
    structures.save_as(path)
    assert np.flatnonzero(read(path, pet).any(axis=(1, 2))).tolist() == [1, 3, 5]


def test_two_lesions_far_apart_stay_apart(tmp_path: Path, pet: LoadedPet) -> None:
    square = box((1.5, 3.5), (1.5, 3.5))
    mask = read(write_structures(tmp_path / "rs", [(z, square) for z in (100, 104, 128, 132)]), pet)
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == [0, 1, 7, 8]


def test_body_outline_and_organs_are_no_lesion(tmp_path: Path, pet: LoadedPet) -> None:
    lesion, organ, body = box((1.5, 3.5), (1.5, 3.5)), box((4.5, 9.5), (1.5, 9.5)), box((0, 19), (0, 29))
    path = tmp_path / "rs"
    write_structures(path, [(100, lesion)], [(100, organ)], [(100, body)], kinds=("", "ORGAN", "EXTERNAL"))
    assert read(path, pet).sum() == 4
    write_structures(path, [(100, lesion)], [(100, organ)], [(100, body)], kinds=("ORGAN", "ORGAN", "EXTERNAL"))
    assert read(path, pet).sum() == 4 + 40
    write_structures(path, [(100, body)], kinds=("EXTERNAL",))
    assert refusal(path, pet) is Code.CONTOUR_EMPTY


def test_structures_of_another_image(tmp_path: Path, pet: LoadedPet) -> None:
    path = write_structures(tmp_path / "rs", [(100, box((1.5, 3.5), (1.5, 3.5)))])
    assert refusal(path, pet, study="1.2.3") is Code.CONTOUR_OTHER_IMAGE
    structures = dcmread(path)
    structures.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    structures.save_as(path)
    assert refusal(path, pet) is Code.CONTOUR_OTHER_IMAGE


def test_structures_without_a_voxel(tmp_path: Path, pet: LoadedPet) -> None:
    assert refusal(write_structures(tmp_path / "rs"), pet) is Code.CONTOUR_EMPTY
    path = write_structures(tmp_path / "rs", [(5000, box((1.5, 3.5), (1.5, 3.5)))])
    assert refusal(path, pet) is Code.CONTOUR_EMPTY
    path = write_structures(tmp_path / "rs", [(100, box((1.6, 1.9), (1.6, 1.9)))])
    assert refusal(path, pet) is Code.CONTOUR_EMPTY


def test_contour_across_slices_is_unreadable(tmp_path: Path, pet: LoadedPet) -> None:
    path = write_structures(tmp_path / "rs", [(100, box((1.5, 3.5), (1.5, 3.5)))])
    structures = dcmread(path)
    structures.ROIContourSequence[0].ContourSequence[0].ContourData[2] = 130
    structures.save_as(path)
    assert refusal(path, pet) is Code.CONTOUR_UNREADABLE


@pytest.mark.parametrize("content", [b"", b"no contour at all" * 20, b"\0" * 128 + b"DICM" + b"\x02\x00garbage" * 9])
def test_garbage_is_unreadable(tmp_path: Path, pet: LoadedPet, content: bytes) -> None:
    path = tmp_path / "mask"
    path.write_bytes(content)
    assert refusal(path, pet) is Code.CONTOUR_UNREADABLE


def test_other_dicom_objects_are_unreadable(tmp_path: Path, pet: LoadedPet) -> None:
    path = write_series(tmp_path, np.ones((1, 4, 4), np.uint16))[0]
    assert refusal(path, pet) is Code.CONTOUR_UNREADABLE


# -- real contours ----------------------------------------------------------------------------------------------


def points_mm(structures: Dataset) -> list[npt.NDArray[np.float64]]:
    contours = [contour for roi in structures.ROIContourSequence for contour in roi.ContourSequence]
    return [np.array([float(v) for v in contour.ContourData]).reshape(-1, 3) for contour in contours]


def scanline(drawn: list[npt.NDArray[np.float64]], grid: Volume) -> npt.NDArray[np.bool_]:
    """Filled independently: even-odd crossings of the pixel rows, computed in mm; axial grids only."""
    mask = np.zeros(grid.array.shape, bool)
    (dx, dy, dz), (x0, y0, z0) = grid.spacing_mm, grid.affine[:3, 3]
    x = x0 + dx * np.arange(mask.shape[2])
    for points in drawn:
        k = round((points[0, 2] - z0) / dz)
        start, end = points[:, :2], np.roll(points[:, :2], -1, axis=0)
        for j in range(mask.shape[1]):
            y = y0 + dy * j
            cross = (start[:, 1] > y) != (end[:, 1] > y)
            a, b = start[cross], end[cross]
            at = a[:, 0] + (y - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
            mask[k, j] ^= (x[:, None] < at).sum(axis=1) % 2 == 1
    return mask


@cache
def loaded(folder: Path) -> tuple[LoadedPet, str]:
    study = read_study(folder)
    return load_pet(study.series[0], assume_bw=False), study.study_instance_uid


@pytest.mark.parametrize("drawn_on", ["PET", "CT"])
@pytest.mark.parametrize("name", ["STS_001", "STS_002", "STS_004"])
def test_real_structure_sets_against_an_independent_filling(real_data: Path, name: str, drawn_on: str) -> None:
    pet, study = loaded(real_data / "sts" / name / "PET/image")
    path = real_data / "sts" / name / drawn_on / "mask/RS.dcm"
    mask, drawn = read(path, pet, study), points_mm(dcmread(path))
    assert mask.sum() == pytest.approx(scanline(drawn, pet.volume).sum(), rel=0.005)  # ties on an edge
    drawn_ml = sum(area_mm2(points) for points in drawn)
    drawn_ml *= pet.volume.spacing_mm[2] / 1000  # CT and PET share the slice distance of 3.27 mm
    counted_ml = mask.sum() * pet.volume.voxel_volume_ml
    assert counted_ml == pytest.approx(drawn_ml, rel=0.03)  # pixels of 4 to 5 mm on outlines of 20 to 100 mm


def area_mm2(points: npt.NDArray[np.float64]) -> float:
    x, y = points[:, :2].T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


# -- masks ------------------------------------------------------------------------------------------------------


def test_nifti_on_the_pet_grid_and_on_a_finer_one(tmp_path: Path, pet: LoadedPet) -> None:
    truth = np.zeros(SHAPE, bool)
    truth[2:5, 3:9, 4:20] = True
    pet.volume.with_array(truth.astype(np.uint8)).save(tmp_path / "same.nii.gz")
    np.testing.assert_array_equal(read(tmp_path / "same.nii.gz", pet), truth)
    fine_affine = pet.volume.affine @ np.diag([0.5, 0.5, 0.5, 1.0])
    fine_affine[:3, 3] = pet.volume.points_mm([-0.25, -0.25, -0.25])
    fine = np.repeat(np.repeat(np.repeat(truth, 2, 0), 2, 1), 2, 2)
    Volume(fine.astype(np.uint8) * 7, fine_affine).save(tmp_path / "fine.nrrd")
    np.testing.assert_array_equal(read(tmp_path / "fine.nrrd", pet), truth)


def test_nifti_elsewhere_empty_or_not_a_mask(tmp_path: Path, pet: LoadedPet) -> None:
    far = pet.volume.affine.copy()
    far[2, 3] += 5000
    Volume(np.ones(SHAPE, np.uint8), far).save(tmp_path / "far.nii")
    assert refusal(tmp_path / "far.nii", pet) is Code.CONTOUR_OTHER_IMAGE
    pet.volume.with_array(np.zeros(SHAPE, np.uint8)).save(tmp_path / "empty.nii")
    assert refusal(tmp_path / "empty.nii", pet) is Code.CONTOUR_EMPTY
    pet.volume.with_array(np.full(SHAPE, np.nan, np.float32)).save(tmp_path / "nan.nrrd")
    assert refusal(tmp_path / "nan.nrrd", pet) is Code.CONTOUR_UNREADABLE


def test_reference_mask_of_others(real_data: Path) -> None:
    folder = real_data / "suv_dro/DRO_0_0"
    study = read_study(folder / "PT")
    pet = load_pet(study.series[0], assume_bw=False)
    assert read(folder / "mask/DRO_mask.nii.gz", pet, study.study_instance_uid).sum() == 203202  # counted by nibabel


def write_seg(path: Path, folder: Path, mask: npt.NDArray[Any], **options: Any) -> Path:
    """A Segmentation made by highdicom; ``mask`` (k, j, i) labels or (k, j, i, segment)."""
    sources = [dcmread(p) for p in sorted(folder.iterdir())]
    for source in sources:
        source.PatientBirthDate, source.StudyDate, source.StudyTime = "", "20240301", "110000"
        source.PatientSex = "O"
        source.AccessionNumber, source.StudyID, source.ReferringPhysicianName = "", "", ""
    categories = options.pop("categories", [codes.SCT.MorphologicallyAbnormalStructure] * options.pop("segments", 1))
    description = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"L{number}",
            segmented_property_category=category,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type="MANUAL",
        )
        for number, category in enumerate(categories, start=1)
    ]
    seg = highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=mask,
        segmentation_type=options.pop("kind", "BINARY"),
        segment_descriptions=description,
        series_instance_uid="1.2.3.7",
        series_number=9,
        sop_instance_uid="1.2.3.6",
        instance_number=1,
        manufacturer="X",
        manufacturer_model_name="X",
        software_versions="X",
        device_serial_number="X",
        **options,
    )
    seg.save_as(path)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write_series(folder, np.ones(SHAPE, np.uint16))
    return folder


def test_binary_seg_with_empty_frames_left_out(tmp_path: Path, pet: LoadedPet, source: Path) -> None:
    truth = np.zeros((*SHAPE, 2), np.uint8)
    truth[1, 2:5, 3:6, 0] = 1
    truth[[3, 8], 7:9, 3:6, 1] = 1  # frames at 1, 3 and 8: no two neighbours
    path = write_seg(tmp_path / "seg", source, truth, segments=2)
    np.testing.assert_array_equal(read(path, pet), truth.any(axis=-1))


def test_overlapping_segments_count_once(tmp_path: Path, pet: LoadedPet, source: Path) -> None:
    truth = np.zeros((*SHAPE, 2), np.uint8)
    truth[4:6, 2:5, 3:6, 0] = 1
    truth[5:7, 2:5, 3:6, 1] = 1
    assert read(write_seg(tmp_path / "seg", source, truth, segments=2), pet).sum() == 3 * 9


def test_one_slice_of_one_segment(tmp_path: Path, pet: LoadedPet, source: Path) -> None:
    truth = np.zeros(SHAPE, np.uint8)
    truth[6, 2:5, 3:6] = 1
    np.testing.assert_array_equal(read(write_seg(tmp_path / "seg", source, truth), pet), truth > 0)


def test_label_map_and_fractional_seg(tmp_path: Path, pet: LoadedPet, source: Path) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:6, 2:5, 3:6], labels[8, 2:5, 3:6] = 1, 2
    path = write_seg(tmp_path / "map", source, labels, kind="LABELMAP", segments=2)
    np.testing.assert_array_equal(read(path, pet), labels > 0)
    contour = read_regions(path, pet, study_instance_uid=STUDY)
    np.testing.assert_array_equal(contour.labels.array, labels)
    assert [one.name for one in contour.regions] == ["L1", "L2"]
    share = np.zeros(SHAPE, np.float32)
    share[4, 2:5, 3:6], share[5, 2:5, 3:6] = 0.9, 0.3
    path = write_seg(tmp_path / "share", source, share, kind="FRACTIONAL", fractional_type="PROBABILITY")
    np.testing.assert_array_equal(read(path, pet), share > 0.5)


def test_organ_segments_are_left_out_beside_lesions(tmp_path: Path, pet: LoadedPet, source: Path) -> None:
    truth = np.zeros((*SHAPE, 2), np.uint8)
    truth[4, 2:5, 3:6, 0] = 1
    truth[6, 2:9, 3:9, 1] = 1
    categories = [codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.AnatomicalStructure]
    path = write_seg(tmp_path / "seg", source, truth, categories=categories)
    np.testing.assert_array_equal(read(path, pet), truth[..., 0] > 0)


def test_seg_drawn_on_a_finer_image_of_the_same_frame(tmp_path: Path, pet: LoadedPet) -> None:
    folder = tmp_path / "ct"
    fine = (20, 40, 60)
    write_series(folder, np.ones(fine, np.uint16), modality="CT", spacing=(1, 1.5, 2), origin=(-10.5, -20.75, 99))
    drawn = np.zeros(fine, np.uint8)
    drawn[4:10, 6:18, 8:40] = 1  # exactly PET slices 2-4, rows 3-8, columns 4-19
    truth = np.zeros(SHAPE, bool)
    truth[2:5, 3:9, 4:20] = True
    np.testing.assert_array_equal(read(write_seg(tmp_path / "seg", folder, drawn), pet), truth)


def test_seg_of_another_frame_or_study(tmp_path: Path, pet: LoadedPet, source: Path) -> None:
    truth = np.zeros(SHAPE, np.uint8)
    truth[6, 2:5, 3:6] = 1
    path = write_seg(tmp_path / "seg", source, truth)
    assert refusal(path, pet, study="1.2.3") is Code.CONTOUR_OTHER_IMAGE
    other = dcmread(path)
    other.FrameOfReferenceUID = "1.2.3"
    other.save_as(path)
    assert refusal(path, pet) is Code.CONTOUR_OTHER_IMAGE
