"""The CT series of a virtual study (CT Image IOD, PS3.3 A.3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import numpy.typing as npt
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import VirtualPatient
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from nodal.dicom.write_common import SeriesTemplate, StudyFrame, common_header, date_time, place_slice, virtual_uid
from nodal.dicom.write_habits import Habit

__all__ = ["ct_instances", "scout_instance"]

_OFFSET = 1024


def ct_instances(
    patient: VirtualPatient, frame: StudyFrame, habit: Habit, *, sharp: Volume | None = None
) -> Iterator[Dataset]:
    """The instances, head first; 12 bits, Rescale Intercept -1024.

    Args:
        sharp: the CT reconstructed with a sharp kernel, as a series of its own; None is the CT.
    """
    series = "CT" if sharp is None else "CT-SHARP"
    volume = sharp or patient.ct_hu
    template = SeriesTemplate.of(_series_header(patient, frame, habit, series))
    values = volume.array
    for number, k in enumerate(reversed(range(values.shape[0])), start=1):
        instance = template.instance()
        instance.SOPInstanceUID = virtual_uid(frame.identity, series, str(number))
        place_slice(instance, volume, k, number=number)
        _store(instance, values[k])
        yield instance


def scout_instance(patient: VirtualPatient, frame: StudyFrame, habit: Habit) -> Dataset:
    """A localizer: the mean CT number along the rays from the front, coronal, head up (PS3.3 C.8.2.1.1.1)."""
    volume = patient.ct_hu
    x, _, z = (float(step) for step in volume.spacing_mm)
    header = _series_header(patient, frame, habit, "SCOUT")
    header.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    header.SeriesDescription = "Topogram" if habit.manufacturer.startswith("SIEMENS") else "Scout"
    instance = SeriesTemplate.of(header).instance()
    instance.SOPInstanceUID = virtual_uid(frame.identity, "SCOUT", "1")
    place_slice(instance, volume, volume.array.shape[0] - 1, number=1)
    instance.ImageOrientationPatient = ["1", "0", "0", "0", "0", "-1"]
    instance.Rows, instance.Columns = volume.array.shape[0], volume.array.shape[2]
    instance.PixelSpacing = [f"{z:.6g}", f"{x:.6g}"]
    _store(instance, np.rint(volume.array.mean(axis=1, dtype=np.float32)[::-1]))
    return instance


def _store(instance: Dataset, hu: npt.NDArray[np.generic]) -> None:
    instance.BitsStored, instance.HighBit, instance.PixelRepresentation = 12, 11, 0
    stored = np.clip(hu.astype(np.int32) + _OFFSET, 0, 4095).astype("<u2")
    instance.add_new("PixelData", "OW", stored.tobytes())


def _series_header(patient: VirtualPatient, frame: StudyFrame, habit: Habit, series: str) -> Dataset:
    """General Series and CT Image (PS3.3 C.7.3.1, C.8.2.1)."""
    ct, sharp = patient.plan.scan.ct, series == "CT-SHARP"
    acquired = frame.scan_start - timedelta(minutes=2)
    header = common_header(patient, frame, habit)
    header.SOPClassUID = CTImageStorage
    header.Modality = "CT"
    header.SeriesInstanceUID = virtual_uid(frame.identity, series)
    header.SeriesNumber = {"CT": 2, "CT-SHARP": 5, "SCOUT": 1}[series]
    for name in ("Series", "Acquisition", "Content"):
        day, clock = date_time(acquired)
        setattr(header, f"{name}Date", day)
        setattr(header, f"{name}Time", clock)
    header.SeriesDescription = "CT WB LUNG" if sharp else habit.ct_description
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.PatientPosition = "HFS"
    header.AcquisitionNumber = 1
    header.KVP = "120"
    header.XRayTubeCurrent = "60"
    header.ExposureTime = "500"
    header.ConvolutionKernel = habit.sharp_kernel if sharp else habit.kernel
    if ct.field_mm is not None:
        header.ReconstructionDiameter = f"{ct.field_mm:g}"
    if ct.venous or ct.oral:
        header.ContrastBolusAgent = "simulated"
        header.ContrastBolusRoute = "IV" if ct.venous else "ORAL"
    header.GantryDetectorTilt = "0"
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = str(-_OFFSET), "1", "HU"
    header.WindowCenter, header.WindowWidth = "40", "400"
    return header
