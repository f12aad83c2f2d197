"""Values that are not finite are seen in the file, where the image library hides them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from lymphoma.imaging.volume import Volume
from nodal.cohort.nifti import description, not_finite

pytestmark = pytest.mark.unit


def values(dtype: str) -> np.ndarray:
    array = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    if array.dtype.kind == "f":
        array[0, 0, 1], array[1, 2, 3] = np.nan, -np.inf
    return array


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(("dtype", "count"), [("float32", 2), ("float64", 2), ("int16", 0), ("uint8", 0)])
def test_counted_in_every_type(tmp_path: Path, name: str, dtype: str, count: int) -> None:
    Volume(values(dtype), np.eye(4)).save(tmp_path / name)
    assert not_finite(tmp_path / name) == count


def test_the_reason_for_this_module_still_holds(tmp_path: Path) -> None:
    Volume(values("float32"), np.eye(4)).save(tmp_path / "a.nii")
    assert np.isfinite(Volume.load(tmp_path / "a.nii").array).all()


def test_the_other_byte_order(tmp_path: Path) -> None:
    header = np.zeros(352, np.uint8)
    header[0:4] = np.frombuffer(np.array(348, ">i4").tobytes(), np.uint8)
    header[70:72] = np.frombuffer(np.array(16, ">i2").tobytes(), np.uint8)
    header[108:112] = np.frombuffer(np.array(352, ">f4").tobytes(), np.uint8)
    (tmp_path / "a.nii").write_bytes(header.tobytes() + np.array([1, np.nan, 2], ">f4").tobytes())
    assert not_finite(tmp_path / "a.nii") == 1


def test_a_second_layout(tmp_path: Path) -> None:
    header = bytearray(544)
    header[0:4], header[12:14] = np.array(540, "<i4").tobytes(), np.array(64, "<i2").tobytes()
    header[168:176] = np.array(544, "<i8").tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(header) + np.array([np.inf, 2, np.nan]).tobytes())
    assert not_finite(tmp_path / "a.nii") == 2


def test_what_is_no_nifti_is_left_to_its_reader(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_text("text")
    assert not_finite(tmp_path / "a.nii") == 0
    (tmp_path / "b.nii").write_bytes(b"\1" * 600)
    assert not_finite(tmp_path / "b.nii") == 0


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_the_description_that_the_library_writes_is_read(tmp_path: Path, name: str) -> None:
    image = Volume(values("int16"), np.eye(4)).to_sitk()
    sitk.WriteImage(image, str(tmp_path / name))
    assert description(tmp_path / name) == ""
    image.SetMetaData("ITK_FileNotes", "NODAL VIRTUAL generator A")
    sitk.WriteImage(image, str(tmp_path / name))
    assert description(tmp_path / name) == "NODAL VIRTUAL generator A"
    (tmp_path / "text").write_text("none")
    assert description(tmp_path / "text") == ""


def test_a_file_cut_short_is_an_error(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(size=(9, 9, 9)).astype(np.float32)
    Volume(noise, np.eye(4)).save(tmp_path / "a.nii")
    packed = gzip.compress((tmp_path / "a.nii").read_bytes())
    (tmp_path / "a.nii.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(EOFError):
        not_finite(tmp_path / "a.nii.gz")
