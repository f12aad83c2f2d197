"""One study in many encodings has one digest; any changed value or voxel another."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nodal.dicom.digest import canonical_digest, study_digest
from nodal.dicom.folder import read_study
from nodal.errors import Code, Refused
from nodal.intake.selection import select
from nodal.settings import Settings
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

pytestmark = pytest.mark.unit

# DCMTK's converters, as a PACS uses them: another implementation than the one that decodes.
CONVERTED = {
    "JPEG-LS": ["dcmcjpls"],
    "JPEG lossless SV1": ["dcmcjpeg"],
    "JPEG lossless": ["dcmcjpeg", "+el"],
    "RLE": ["dcmcrle"],
    "implicit": ["dcmconv", "+ti"],
    "explicit, lengths undefined": ["dcmconv", "+te", "+e", "-g"],
    "explicit, group lengths": ["dcmconv", "+te", "-e", "+g"],
    "big endian": ["dcmconv", "+tb"],
    "deflated": ["dcmconv", "+td"],
}


def signed_ct(folder: Path) -> Path:
    """A CT slice of 12 signed bits in 16, with text outside ASCII, a private sequence and negative values."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "1.2.3.4"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = "1.2.3", "1.2.3.1", "CT"
    made.SpecificCharacterSet, made.PatientName = "ISO_IR 100", "Müller^Jürgen"
    made.Rows, made.Columns, made.BitsAllocated, made.BitsStored, made.HighBit = 64, 48, 16, 12, 11
    made.SamplesPerPixel, made.PixelRepresentation, made.PhotometricInterpretation = 1, 1, "MONOCHROME2"
    made.SmallestImagePixelValue, made.ImageComments = -1024, ""
    made.ReferencedImageSequence = [Dataset()]
    made.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.9"
    inner = Dataset()
    inner.add_new(0x00091002, "FD", 1.5)
    made.private_block(0x0009, "SOMEBODY", create=True).add_new(0x01, "SQ", [inner])
    values = np.random.default_rng(1).integers(-1024, 1500, (64, 48), dtype=np.int16)
    made.PixelData = values.tobytes()
    made["PixelData"].VR = "OW"
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    path = folder / "signed.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def sources(tmp_path: Path, real_data: Path) -> list[Path]:
    """A made CT, a real PET and CT, and a Philips PET whose factor is private."""
    sts = real_data / "sts/STS_001"
    images = [sorted((sts / modality / "image").iterdir())[30] for modality in ("PET", "CT")]
    return [signed_ct(tmp_path), *images, sorted((real_data / "suv_dro/DRO_2_4/PT").iterdir())[5]]


@pytest.mark.parametrize("how", CONVERTED)
def test_the_same_after_dcmtk_has_rewritten_it(how: str, sources: list[Path], tmp_path: Path) -> None:
    if shutil.which(CONVERTED[how][0]) is None:
        pytest.fail("DCMTK is not installed: make setup")
    for number, source in enumerate(sources):
        out = tmp_path / f"{number}.dcm"
        subprocess.run([*CONVERTED[how], source, out], check=True, capture_output=True)
        assert out.read_bytes() != source.read_bytes()
        assert canonical_digest(out) == canonical_digest(source), source


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_the_same_after_pydicom_has_compressed_it(syntax: str, tmp_path: Path) -> None:
    source, out = signed_ct(tmp_path), tmp_path / "out.dcm"
    image = dcmread(source)
    image.compress(syntax, generate_instance_uid=False)
    image.save_as(out)
    assert canonical_digest(out) == canonical_digest(source)


def test_what_archives_add_or_leave_empty_does_not_count(tmp_path: Path) -> None:
    source, out = signed_ct(tmp_path), tmp_path / "out.dcm"
    image = dcmread(source)
    image.RetrieveAETitle, image.InstanceAvailability, image.AccessionNumber = "ARCHIVE", "ONLINE", ""
    image.ContributingEquipmentSequence = [Dataset()]
    image.LossyImageCompression = "00"
    del image.ImageComments
    image.PatientName = str(image.PatientName)
    image.SpecificCharacterSet = "ISO_IR 192"
    image.add_new(0xFFFCFFFC, "OB", b"\0" * 16)
    image.save_as(out)
    assert canonical_digest(out) == canonical_digest(source)


def _voxel(image: Dataset) -> None:
    values = image.pixel_array.copy()
    values[10, 20] += 1
    image.PixelData = values.tobytes()


@pytest.mark.parametrize(
    "edit",
    [
        _voxel,
        lambda image: setattr(image, "PatientName", "Muller^Jürgen"),
        lambda image: setattr(image, "SmallestImagePixelValue", -1023),
        lambda image: setattr(image.ReferencedImageSequence[0], "ReferencedSOPInstanceUID", "1.2.8"),
        lambda image: setattr(image, "PatientWeight", "70"),
        lambda image: setattr(image, "LossyImageCompression", "01"),
        lambda image: image.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "DS", "2"),
    ],
)
def test_another_after_any_value_has_changed(edit: Callable[[Dataset], None], tmp_path: Path) -> None:
    source, out = signed_ct(tmp_path), tmp_path / "out.dcm"
    image = dcmread(source)
    edit(image)
    image.save_as(out)
    assert canonical_digest(out) != canonical_digest(source)


def test_text_moved_into_another_element_is_another_instance(tmp_path: Path) -> None:
    """Tag and length are part of what is hashed: values cannot run into one another."""
    source = signed_ct(tmp_path)
    digests = set()
    for first, second in (("AB", "C"), ("A", "BC"), ("ABC", "")):
        image = dcmread(source)
        image.PatientComments, image.StudyDescription = first, second
        image.save_as(tmp_path / "out.dcm")
        digests.add(canonical_digest(tmp_path / "out.dcm"))
    assert len(digests) == 3


def test_a_study_by_its_selected_instances_only(tmp_path: Path, real_data: Path) -> None:
    sts, first, second = real_data / "sts/STS_002", tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    for modality in ("PET", "CT"):
        for number, path in enumerate(sorted((sts / modality / "image").iterdir())[10:15]):
            image = dcmread(path)
            image.NumberOfSlices = 5
            image.save_as(first / f"{modality}{number}")
            image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            image.save_as(second / f"{9 - number}{modality}", enforce_file_format=True)
    shutil.copy(sts / "PET/mask/RS.dcm", second)

    selection = select(read_study(first), settings=Settings())
    again = select(read_study(second), settings=Settings())
    assert study_digest(again) == study_digest(selection)

    fewer = replace(again.ct, paths=again.ct.paths[1:], headers=again.ct.headers[1:])
    assert study_digest(replace(again, ct=fewer)) != study_digest(selection)


def test_a_file_that_is_none_and_pixels_that_do_not_decode(tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(os.urandom(4096))
    with pytest.raises(Refused) as caught:
        canonical_digest(garbage)
    assert caught.value.code == Code.NOT_DICOM
    source, torn = signed_ct(tmp_path), tmp_path / "torn.dcm"
    torn.write_bytes(source.read_bytes()[:-1000])
    with pytest.raises(Refused) as caught:
        canonical_digest(torn)
    assert caught.value.code == Code.PIXELS_UNREADABLE
