"""Small made-up PET and CT series for the tests of this folder: headers in memory, and whole series on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage

STUDY = "1.2.826.0.1.3680043.8.498.1"
FRAME = "1.2.826.0.1.3680043.8.498.2"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def pet_header(*, tracer: dict[str, Any] | None = None, **changes: Any) -> Dataset:
    """A plausible F-18 BQML/START header of 70 kg, 370 MBq, injected one hour before the scan (None removes)."""
    header = Dataset()
    header.SOPClassUID = PositronEmissionTomographyImageStorage
    header.Modality = "PT"
    header.Manufacturer = "SIEMENS"
    header.ImageType = ["ORIGINAL", "PRIMARY"]
    header.SeriesInstanceUID = f"{STUDY}.1"
    header.SeriesDate, header.SeriesTime = "20240301", "110000"
    header.AcquisitionDate, header.AcquisitionTime = "20240301", "110000"
    header.PatientWeight, header.PatientSize, header.PatientSex = "70", "1.75", "M"
    header.Units, header.DecayCorrection = "BQML", "START"
    header.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    header.RescaleSlope, header.RescaleIntercept = "1", "0"
    item = Dataset()
    item.RadiopharmaceuticalStartDateTime = "20240301100000"
    item.RadiopharmaceuticalStartTime = "100000"
    item.RadionuclideTotalDose, item.RadionuclideHalfLife = "370000000", "6586.2"
    _change(item, tracer or {})
    header.RadiopharmaceuticalInformationSequence = [item]
    _change(header, changes)
    return header


def _change(dataset: Dataset, changes: dict[str, Any]) -> None:
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)


def write_series(
    folder: Path,
    stored: npt.NDArray[np.uint16],
    *,
    modality: str = "PT",
    number: int = 1,
    spacing: tuple[float, float, float] = (2.0, 3.0, 4.0),
    origin: Sequence[float] = (-10.0, -20.0, 100.0),
    orientation: Sequence[float] = AXIAL,
    reverse: bool = False,
    **changes: Any,
) -> list[Path]:
    """One file for each slice of ``stored`` (k, j, i); spacing (x, y, z) in mm. Files in the order of k."""
    folder.mkdir(parents=True, exist_ok=True)
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    normal = np.cross(row, column)
    paths = []
    for k, plane in enumerate(stored):
        name = len(stored) - k if reverse else k
        header = image_header(modality, number, plane, f"{STUDY}.{number}.{k + 1}")
        header.ImagePositionPatient = [f"{value:.6f}" for value in np.asarray(origin) + normal * k * spacing[2]]
        header.ImageOrientationPatient = [f"{value:.10f}" for value in orientation]
        header.PixelSpacing, header.SliceThickness = [f"{spacing[1]:g}", f"{spacing[0]:g}"], f"{spacing[2]:g}"
        _change(header, changes)
        path = folder / f"I{name:04d}"
        header.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def image_header(modality: str, number: int, plane: npt.NDArray[np.uint16], uid: str) -> FileDataset:
    """A single-frame image with its pixels, without geometry."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = uid
    header = FileDataset(None, pet_header() if modality == "PT" else _ct_header(), file_meta=meta, preamble=b"\0" * 128)
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.SOPInstanceUID, header.StudyInstanceUID = uid, STUDY
    header.SeriesInstanceUID, header.FrameOfReferenceUID = f"{STUDY}.{number}", FRAME
    header.PatientID, header.PatientName = "X", "X"
    header.Rows, header.Columns = plane.shape
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 0
    header.PixelData = np.ascontiguousarray(plane).astype("<u2").tobytes()
    header["PixelData"].VR = "OW"
    return header


def _ct_header() -> Dataset:
    header = Dataset()
    header.SOPClassUID, header.Modality = CTImageStorage, "CT"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.RescaleSlope, header.RescaleIntercept = "1", "-1024"
    return header
