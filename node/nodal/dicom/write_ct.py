"""The CT series of a virtual study (CT Image IOD, PS3.3 A.3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
from lymphoma.simulation import VirtualPatient
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from nodal.dicom.write_common import SeriesTemplate, StudyFrame, common_header, place_slice, virtual_uid

__all__ = ["ct_instances"]

_OFFSET = 1024


def ct_instances(patient: VirtualPatient, frame: StudyFrame) -> Iterator[Dataset]:
    """The instances, head first; 12 bits, Rescale Intercept -1024."""
    template = SeriesTemplate.of(_series_header(patient, frame))
    values = patient.ct_hu.array
    for number, k in enumerate(reversed(range(values.shape[0])), start=1):
        instance = template.instance()
        instance.SOPInstanceUID = virtual_uid(frame.identity, "CT", str(number))
        place_slice(instance, patient.ct_hu, k, number=number)
        instance.BitsStored, instance.HighBit, instance.PixelRepresentation = 12, 11, 0
        stored = np.clip(values[k].astype(np.int32) + _OFFSET, 0, 4095).astype("<u2")
        instance.add_new("PixelData", "OW", stored.tobytes())
        yield instance


def _series_header(patient: VirtualPatient, frame: StudyFrame) -> Dataset:
    """General Series and CT Image (PS3.3 C.7.3.1, C.8.2.1)."""
    acquired = frame.scan_start - timedelta(minutes=2)
    header = common_header(patient, frame)
    header.SOPClassUID = CTImageStorage
    header.Modality = "CT"
    header.SeriesInstanceUID = virtual_uid(frame.identity, "CT")
    header.SeriesNumber = 2
    for name in ("Series", "Acquisition", "Content"):
        setattr(header, f"{name}Date", acquired.strftime("%Y%m%d"))
        setattr(header, f"{name}Time", acquired.strftime("%H%M%S"))
    header.SeriesDescription = "Virtual CT low dose"
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    header.PatientPosition = "HFS"
    header.AcquisitionNumber = 1
    header.KVP = "120"
    header.XRayTubeCurrent = "60"
    header.ExposureTime = "500"
    header.ConvolutionKernel = "simulated"
    header.GantryDetectorTilt = "0"
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = str(-_OFFSET), "1", "HU"
    header.WindowCenter, header.WindowWidth = "40", "400"
    return header
