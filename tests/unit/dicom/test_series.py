"""Folders of files become studies; series become volumes, or are refused with their code."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from nodal.dicom.series import LoadedSeries, load_ct, load_pet, read_study
from nodal.errors import Code, Refused
from nodal.study import StudyFiles
from pydicom import Dataset, dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.unit.dicom.pet_headers import AXIAL, FRAME, STUDY, image_header, pet_header, write_series

pytestmark = pytest.mark.unit

RNG = np.random.default_rng(7)
STORED = RNG.integers(0, 4000, size=(6, 5, 7), dtype=np.uint16)
LARGER = RNG.integers(0, 4000, size=(3, 64, 48), dtype=np.uint16)  # JPEG 2000's wavelets need some pixels


def load(folder: Path) -> LoadedSeries:
    series = read_study(folder).series[0]
    return load_ct(series) if series.modality == "CT" else load_pet(series, assume_bw=False)


def refusal(folder: Path, reader: Callable[[Path], object] = load) -> Code:
    with pytest.raises(Refused) as caught:
        reader(folder)
    return caught.value.code


def passed_over(study: StudyFiles) -> dict[str, Code]:
    return {passed.path.name: passed.code for passed in study.unreadable}


def edit(path: Path, **changes: Any) -> None:
    dataset = dcmread(path)
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)


# -- the folder -------------------------------------------------------------------------------------------------


def test_study_of_two_series_in_subfolders_with_any_names(tmp_path: Path) -> None:
    write_series(tmp_path / "a/b", STORED, number=2)
    write_series(tmp_path / "c", STORED, number=1, modality="CT")
    study = read_study(tmp_path)
    assert study.study_instance_uid == STUDY
    assert [(s.modality, len(s.paths), len(s.headers)) for s in study.series] == [("CT", 6, 6), ("PT", 6, 6)]
    assert "PixelData" not in study.series[0].headers[0]
    assert study.unreadable == ()


def test_private_elements_are_kept(tmp_path: Path) -> None:
    path = write_series(tmp_path, STORED[:1])[0]
    dataset = dcmread(path)
    dataset.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20240301110000")
    dataset.save_as(path)
    header = read_study(tmp_path).series[0].headers[0]
    assert header.private_block(0x0009, "GEMS_PETD_01")[0x0D].value == "20240301110000"


def test_what_is_not_dicom_is_passed_over(tmp_path: Path) -> None:
    write_series(tmp_path, STORED)
    (tmp_path / "notes.txt").write_text("nothing of interest, but longer than 132 bytes " * 4)
    (tmp_path / "empty").touch()
    (tmp_path / "DICOMDIR").write_bytes(b"never looked at")
    study = read_study(tmp_path)
    assert passed_over(study) == {"notes.txt": Code.NOT_DICOM, "empty": Code.NOT_DICOM}
    assert len(study.series[0].paths) == 6


def test_media_directory_under_another_name_is_skipped(tmp_path: Path) -> None:
    path = write_series(tmp_path, STORED)[0]
    directory = dcmread(path)
    directory.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    del directory.SOPClassUID
    directory.save_as(tmp_path / "INDEX")
    study = read_study(tmp_path)
    assert len(study.series[0].paths) == 6
    assert study.unreadable == ()


def test_file_without_preamble(tmp_path: Path) -> None:
    for path in write_series(tmp_path, STORED):
        dataset = dcmread(path)
        bare = Dataset(dataset)
        bare.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    expected = STORED * np.float32(2.7633668172e-4)
    assert load(tmp_path).volume.array == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("cut", [100, 400, -20], ids=["in the preamble", "in the header", "in the pixels"])
def test_file_cut_short(tmp_path: Path, cut: int) -> None:
    path = write_series(tmp_path, STORED)[2]
    path.write_bytes(path.read_bytes()[:cut])
    study = read_study(tmp_path)
    assert passed_over(study) == {path.name: Code.NOT_DICOM if cut == 100 else Code.TRUNCATED_FILE}
    assert refusal(tmp_path) is Code.MISSING_SLICE


def test_folder_without_an_instance(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    assert refusal(tmp_path, read_study) is Code.EMPTY_STUDY


def test_two_studies_in_one_folder(tmp_path: Path) -> None:
    write_series(tmp_path / "1", STORED)
    write_series(tmp_path / "2", STORED, number=2, StudyInstanceUID="1.2.3")
    assert refusal(tmp_path, read_study) is Code.SEVERAL_STUDIES


def test_the_same_instance_twice_is_one(tmp_path: Path) -> None:
    paths = write_series(tmp_path, STORED)
    shutil.copy(paths[0], tmp_path / "copy")
    compressed = dcmread(paths[1])
    compressed.compress(RLELossless, generate_instance_uid=False)
    compressed.save_as(tmp_path / "compressed")
    assert len(read_study(tmp_path).series[0].paths) == 6
    assert load(tmp_path).volume.array.shape == STORED.shape


@pytest.mark.parametrize("what", ["pixels", "header"])
def test_one_uid_with_two_contents_is_refused(tmp_path: Path, what: str) -> None:
    paths = write_series(tmp_path, STORED)
    other = dcmread(paths[0])
    if what == "pixels":
        other.PixelData = bytes(len(other.PixelData))
    else:
        other.PatientWeight = "71"
    other.save_as(tmp_path / "other")
    assert len(read_study(tmp_path).series[0].paths) == 7
    assert refusal(tmp_path) is Code.DUPLICATE_SLICE


# -- the volume -------------------------------------------------------------------------------------------------


def test_ct_in_hounsfield_units_foot_to_head(tmp_path: Path) -> None:
    write_series(tmp_path, STORED, modality="CT", reverse=True)
    loaded = load(tmp_path)
    assert loaded.volume.array.dtype == np.float32
    np.testing.assert_array_equal(loaded.volume.array, STORED.astype(np.float32) - 1024)
    np.testing.assert_allclose(loaded.volume.spacing_mm, (2, 3, 4))
    np.testing.assert_allclose(loaded.volume.points_mm([5, 1, 2]), (-10 + 2 * 2, -20 + 1 * 3, 100 + 5 * 4))
    assert [float(h.ImagePositionPatient[2]) for h in loaded.headers] == [100, 104, 108, 112, 116, 120]


def test_ct_padding_is_air(tmp_path: Path) -> None:
    write_series(tmp_path, np.zeros((2, 3, 3), np.uint16), modality="CT", RescaleIntercept="-3024")
    assert np.all(load(tmp_path).volume.array == -1024)


def test_every_slice_has_its_own_slope(tmp_path: Path) -> None:
    for k, path in enumerate(write_series(tmp_path, STORED)):
        edit(path, RescaleSlope=f"{k + 1}.5")
    expected = STORED * (np.arange(6) + 1.5)[:, None, None] * 2.7633668172e-4
    assert load(tmp_path).volume.array == pytest.approx(expected, rel=1e-6)


def test_oblique_series(tmp_path: Path) -> None:
    c, s = np.cos(0.3), np.sin(0.3)
    orientation = (c, s, 0.0, 0.0, 0.0, -1.0)  # coronal, turned; the normal points backwards and sideways
    write_series(tmp_path, STORED, orientation=orientation, reverse=True)
    volume = load(tmp_path).volume
    normal = np.cross(orientation[:3], orientation[3:])
    expected = np.array([-10, -20, 100]) + 3 * 2 * np.array([c, s, 0]) + 2 * 3 * np.array([0, 0, -1]) + 4 * 4 * normal
    np.testing.assert_allclose(volume.points_mm([4, 2, 3]), expected, atol=1e-5)
    assert volume.array[4, 2, 3] == pytest.approx(STORED[4, 2, 3] * 2.7633668172e-4)


def test_head_last_slices_still_rise_to_the_head(tmp_path: Path) -> None:
    """Feet-first prone writes both in-plane axes mirrored; the normal, and so k, still points to the head."""
    write_series(tmp_path, STORED, orientation=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), reverse=True)
    volume = load(tmp_path).volume
    assert volume.affine[2, 2] == pytest.approx(4)
    np.testing.assert_allclose(volume.points_mm([0, 1, 1]), (-12, -23, 100))


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEGLSLossless,
     JPEG2000Lossless],
    ids=lambda uid: uid.name,
)  # fmt: skip
def test_transfer_syntaxes(tmp_path: Path, syntax: Any) -> None:
    for path in write_series(tmp_path, LARGER, modality="CT"):
        dataset = dcmread(path)
        if syntax.is_encapsulated:
            dataset.compress(syntax, generate_instance_uid=False)
        else:
            dataset.file_meta.TransferSyntaxUID = syntax
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").byteswap().tobytes()
            dataset.set_original_encoding(False, True)
            bare = Dataset(dataset)
            bare.file_meta = dataset.file_meta
            bare.save_as(path, implicit_vr=False, little_endian=False)
        else:
            dataset.save_as(path, enforce_file_format=True)
    study = read_study(tmp_path)
    assert study.unreadable == ()
    np.testing.assert_array_equal(load(tmp_path).volume.array, LARGER.astype(np.float32) - 1024)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda uid: uid.name)
@pytest.mark.parametrize("lost", [600, 20])
def test_compressed_pixels_cut_short(tmp_path: Path, syntax: Any, lost: int) -> None:
    for k, path in enumerate(write_series(tmp_path, LARGER, modality="CT")):
        dataset = dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
        if k == 1:
            path.write_bytes(path.read_bytes()[:-lost])
    assert list(passed_over(read_study(tmp_path)).values()) == [Code.TRUNCATED_FILE]


def test_compressed_pixels_that_do_not_decode(tmp_path: Path) -> None:
    for path in write_series(tmp_path, LARGER, modality="CT"):
        dataset = dcmread(path)
        dataset.compress(JPEG2000Lossless, generate_instance_uid=False)
        dataset.PixelData = dataset.PixelData.replace(b"\xff\x4f\xff\x51", b"\x00\x00\x00\x00")
        dataset.save_as(path)
    assert refusal(tmp_path) is Code.PIXELS_UNREADABLE


def test_pixels_of_another_size_than_declared(tmp_path: Path) -> None:
    for path in write_series(tmp_path, STORED, modality="CT"):
        edit(path, SamplesPerPixel=3, Rows=5, Columns=2, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert refusal(tmp_path) is Code.PIXELS_UNREADABLE


# -- refused geometry -------------------------------------------------------------------------------------------


def test_missing_slice(tmp_path: Path) -> None:
    write_series(tmp_path, STORED)[3].unlink()
    assert refusal(tmp_path) is Code.MISSING_SLICE


def test_missing_last_slice_is_seen_by_the_declared_number(tmp_path: Path) -> None:
    write_series(tmp_path, STORED, NumberOfSlices=6)[5].unlink()
    assert refusal(tmp_path) is Code.MISSING_SLICE


@pytest.mark.parametrize(("shift", "refused"), [(0.015, False), (0.1, True)])
def test_uneven_gaps(tmp_path: Path, shift: float, refused: bool) -> None:
    path = write_series(tmp_path, STORED)[3]
    edit(path, ImagePositionPatient=["-10", "-20", f"{112 + shift}"])
    if refused:
        assert refusal(tmp_path) is Code.MISSING_SLICE
    else:
        assert load(tmp_path).volume.spacing_mm[2] == pytest.approx(4)


REFUSED: list[tuple[Code, dict[str, Any]]] = [
    (Code.DUPLICATE_SLICE, {"ImagePositionPatient": ["-10", "-20", "108"]}),
    (Code.MIXED_ORIENTATION, {"ImageOrientationPatient": ["1", "0", "0", "0", "0", "-1"]}),
    (Code.MIXED_ORIENTATION, {"ImagePositionPatient": ["-9", "-20", "112"]}),
    (Code.GEOMETRY_MISSING, {"ImagePositionPatient": None}),
    (Code.GEOMETRY_MISSING, {"ImageOrientationPatient": None}),
    (Code.GEOMETRY_MISSING, {"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]}),
    (Code.GEOMETRY_MISSING, {"PixelSpacing": None}),
    (Code.GEOMETRY_MISSING, {"PixelSpacing": ["0", "2"]}),
    (Code.MIXED_SERIES, {"PixelSpacing": ["3", "2.5"]}),
    (Code.MIXED_SERIES, {"FrameOfReferenceUID": "1.2.3"}),
    (Code.MIXED_SERIES, {"Units": "GML"}),
    (Code.WRONG_MODALITY, {"Modality": "OT"}),
    (Code.WRONG_MODALITY, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}),
    (Code.SUV_BAD_SLOPE, {"RescaleSlope": None}),
]


@pytest.mark.parametrize(("code", "changes"), REFUSED, ids=lambda value: str(value)[:50])
def test_one_slice_that_does_not_fit(tmp_path: Path, code: Code, changes: dict[str, Any]) -> None:
    edit(write_series(tmp_path, STORED)[3], **changes)
    assert refusal(tmp_path) is code


def test_slices_of_another_matrix(tmp_path: Path) -> None:
    write_series(tmp_path, STORED)
    write_series(tmp_path / "more", STORED[:, :, :4], origin=(-10, -20, 124), SOPInstanceUID="1.2.3.4")
    assert refusal(tmp_path) in (Code.MIXED_SERIES, Code.DUPLICATE_SLICE)


def test_series_without_frame_of_reference(tmp_path: Path) -> None:
    write_series(tmp_path, STORED, FrameOfReferenceUID=None)
    assert refusal(tmp_path) is Code.GEOMETRY_MISSING


def test_ct_without_rescale(tmp_path: Path) -> None:
    write_series(tmp_path, STORED, modality="CT", RescaleSlope=None)
    assert refusal(tmp_path) is Code.PIXELS_UNREADABLE


# -- multi-frame ------------------------------------------------------------------------------------------------


def write_enhanced(path: Path, modality: str, *, unit: str | None, order: list[int], gap_at: int | None = None) -> None:
    """An enhanced PET or CT whose frames come in ``order``; PET maps stored values to SUV by 0.001."""
    stored: npt.NDArray[np.uint16] = STORED[order].reshape(-1, STORED.shape[2])
    image = image_header(modality, 1, stored, f"{STUDY}.1.1")
    image.SOPClassUID = EnhancedPETImageStorage if modality == "PT" else EnhancedCTImageStorage
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.Rows, image.Columns, image.NumberOfFrames = *STORED.shape[1:], len(order)
    shared = Dataset()
    shared.PlaneOrientationSequence = [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = list(AXIAL)
    shared.PixelMeasuresSequence = [Dataset()]
    shared.PixelMeasuresSequence[0].PixelSpacing, shared.PixelMeasuresSequence[0].SliceThickness = [3, 2], 4
    if unit is not None:
        shared.RealWorldValueMappingSequence = [_mapping("Bq/ml", 1.0), _mapping(unit, 0.001)]
    del image.RescaleSlope, image.RescaleIntercept
    rescale = Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = "1", "-1024", "HU"
    shared.PixelValueTransformationSequence = [rescale]
    image.SharedFunctionalGroupsSequence = [shared]
    image.PerFrameFunctionalGroupsSequence = [_frame(100.0 + 4 * k + (8 if k == gap_at else 0)) for k in order]
    image.save_as(path, enforce_file_format=True)


def _frame(z: float) -> Dataset:
    groups, position = Dataset(), Dataset()
    position.ImagePositionPatient = [-10, -20, z]
    groups.PlanePositionSequence = [position]
    return groups


def _mapping(unit: str, slope: float) -> Dataset:
    item, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", unit
    item.MeasurementUnitsCodeSequence = [code]
    item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 65535
    item["RealWorldValueFirstValueMapped"].VR = item["RealWorldValueLastValueMapped"].VR = "US"
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, 0.0
    item.LUTLabel, item.LUTExplanation = unit, unit
    return item


@pytest.mark.parametrize("unit", ["{SUVbw}g/ml", "g/ml{SUVbw}"])
def test_enhanced_pet_by_its_real_world_map(tmp_path: Path, unit: str) -> None:
    write_enhanced(tmp_path / "pet", "PT", unit=unit, order=[3, 1, 0, 2, 5, 4])
    series = read_study(tmp_path).series[0]
    pet = load_pet(series, assume_bw=False)
    assert pet.volume.array == pytest.approx(STORED * 0.001, rel=1e-6)
    np.testing.assert_allclose(pet.volume.points_mm([5, 0, 0]), (-10, -20, 120))
    assert pet.conversion.method == "Enhanced PET, real-world value mapping to SUVbw"
    assert len(pet.headers) == 1


@pytest.mark.parametrize("unit", [None, "{SUVlbm}g/ml"])
def test_enhanced_pet_without_a_map_to_suv(tmp_path: Path, unit: str | None) -> None:
    write_enhanced(tmp_path / "pet", "PT", unit=unit, order=list(range(6)))
    assert refusal(tmp_path) is Code.PET_ENHANCED_UNMAPPED


def test_enhanced_ct(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "ct", "CT", unit=None, order=[5, 4, 3, 2, 1, 0])
    loaded = load(tmp_path)
    np.testing.assert_array_equal(loaded.volume.array, STORED.astype(np.float32) - 1024)


def test_enhanced_frames_with_a_gap(tmp_path: Path) -> None:
    write_enhanced(tmp_path / "ct", "CT", unit=None, order=list(range(6)), gap_at=5)
    assert refusal(tmp_path) is Code.MISSING_SLICE


# -- real scans -------------------------------------------------------------------------------------------------


def test_real_pair_shares_its_space(real_data: Path) -> None:
    study = read_study(real_data / "sts/STS_001")
    by_modality = {series.modality: series for series in study.series}
    ct, pet = load_ct(by_modality["CT"]), load_pet(by_modality["PT"], assume_bw=False)
    assert (ct.volume.array.shape, pet.volume.array.shape) == ((59, 202, 198), (59, 43, 41))
    first = dcmread(next((real_data / "sts/STS_001/PET/image").glob("*")))
    k = [h.SOPInstanceUID for h in pet.headers].index(first.SOPInstanceUID)
    expected = first.pixel_array * float(first.RescaleSlope) + float(first.RescaleIntercept)
    np.testing.assert_allclose(pet.volume.array[k], expected, rtol=1e-6)
    overlap = np.abs(ct.volume.points_mm([0, 0, 0]) - pet.volume.points_mm([0, 0, 0]))
    assert overlap.max() < 5  # both were cropped to the same 5 cm around the tumour, up to a PET pixel
    assert pet_header().Modality == by_modality["PT"].modality
    assert pet.headers[0].FrameOfReferenceUID == ct.headers[0].FrameOfReferenceUID != FRAME
