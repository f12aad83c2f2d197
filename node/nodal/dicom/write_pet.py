"""The PET series of a virtual study (PET Image IOD, PS3.3 A.21)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from lymphoma.simulation import VirtualPatient
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import PositronEmissionTomographyImageStorage
from pydicom.valuerep import DSfloat

from nodal.dicom.write_common import SeriesTemplate, StudyFrame, code, common_header, place_slice, virtual_uid

__all__ = ["HALF_LIFE_S", "becquerel_per_suv", "pet_instances"]

HALF_LIFE_S = 6586.2
BED_MM, BED_S, MOVE_S = 120.0, 120.0, 5.0
_FULL = 32767


def becquerel_per_suv(patient: VirtualPatient, frame: StudyFrame) -> float:
    """Bq/mL for SUVbw 1 at the start of the scan: the dose left then, over the body weight in g."""
    waited = (frame.scan_start - frame.injection).total_seconds()
    left = round(patient.plan.scan.injected_mbq * 1e6) * 2.0 ** (-waited / HALF_LIFE_S)
    return float(left / (patient.plan.person.weight_kg * 1000.0))


def pet_instances(patient: VirtualPatient, frame: StudyFrame, *, per_slice_slope: bool) -> Iterator[Dataset]:
    """The instances, head first, in Bq/mL decay corrected to the start of the series.

    Args:
        per_slice_slope: each slice has its own Rescale Slope that fills 15 bits, as one maker's scanners write; else
            one slope holds for the series.
    """
    template = SeriesTemplate.of(_series_header(patient, frame))
    values = patient.pet_suv.array * np.float32(becquerel_per_suv(patient, frame))
    common_slope = _slope(values)
    slices = values.shape[0]
    for number, k in enumerate(reversed(range(slices)), start=1):
        instance = template.instance()
        instance.SOPInstanceUID = virtual_uid(frame.identity, "PT", str(number))
        instance.ImageIndex = number
        place_slice(instance, patient.pet_suv, k, number=number)
        _frame_times(instance, frame, bed=int((slices - 1 - k) * patient.pet_suv.spacing_mm[2] // BED_MM))
        slope = _slope(values[k]) if per_slice_slope else common_slope
        instance.RescaleIntercept, instance.RescaleSlope = "0", slope
        instance.BitsStored, instance.HighBit, instance.PixelRepresentation = 16, 15, 1
        stored = np.rint(values[k] / np.float64(slope)).astype("<i2")
        instance.add_new("PixelData", "OW", stored.tobytes())
        yield instance


def _slope(values: npt.NDArray[np.float32]) -> DSfloat:
    """The slope that lets the largest value fill 15 bits, rounded up to what a DS can hold."""
    return DSfloat(f"{max(float(values.max()), 1.0) / (_FULL - 1):.9e}")


def _frame_times(instance: Dataset, frame: StudyFrame, *, bed: int) -> None:
    """Acquisition time of the slice's bed position, and its reference time and decay factor (PS3.3 C.8.9.4).

    The reference time is when the mean count rate of the frame occurs: its start plus
    (1/lambda) ln(lambda T / (1 - exp(-lambda T))).
    """
    begun_s = bed * (BED_S + MOVE_S)
    decay = np.log(2.0) / HALF_LIFE_S
    mean_s = np.log(decay * BED_S / -np.expm1(-decay * BED_S)) / decay
    acquired = frame.scan_start + timedelta(seconds=begun_s)
    instance.AcquisitionDate, instance.AcquisitionTime = acquired.strftime("%Y%m%d"), acquired.strftime("%H%M%S")
    instance.ContentDate, instance.ContentTime = instance.AcquisitionDate, instance.AcquisitionTime
    instance.ActualFrameDuration = round(BED_S * 1000)
    instance.FrameReferenceTime = DSfloat(f"{(begun_s + mean_s) * 1000:.3f}")
    instance.DecayFactor = DSfloat(f"{np.exp(decay * (begun_s + mean_s)):.8g}")


def _series_header(patient: VirtualPatient, frame: StudyFrame) -> Dataset:
    """PET Series, PET Isotope and what is the same in every PET Image (PS3.3 C.8.9.1, C.8.9.2, C.8.9.4)."""
    header = common_header(patient, frame)
    header.SOPClassUID = PositronEmissionTomographyImageStorage
    header.Modality = "PT"
    header.SeriesInstanceUID = virtual_uid(frame.identity, "PT")
    header.SeriesNumber = 3
    header.SeriesDate = frame.scan_start.strftime("%Y%m%d")
    header.SeriesTime = frame.scan_start.strftime("%H%M%S")
    header.SeriesDescription = "Virtual PET AC whole body"
    header.ImageType = ["ORIGINAL", "PRIMARY"]
    header.SeriesType = ["WHOLE BODY", "IMAGE"]
    header.Units = "BQML"
    header.CountsSource = "EMISSION"
    header.NumberOfSlices = patient.pet_suv.array.shape[0]
    header.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    header.DecayCorrection = "START"
    header.RandomsCorrectionMethod = "DLYD"
    header.AttenuationCorrectionMethod = "measured, CT (simulated)"
    header.ScatterCorrectionMethod = "model-based (simulated)"
    header.ReconstructionMethod = f"simulated, PSF {patient.plan.scan.psf_fwhm_mm:g} mm"
    header.CollimatorType = "NONE"
    header.AcquisitionNumber = 1
    orientation = code("102538003", "SCT", "recumbent")
    orientation.PatientOrientationModifierCodeSequence = Sequence([code("40199007", "SCT", "supine")])
    header.PatientOrientationCodeSequence = Sequence([orientation])
    header.PatientGantryRelationshipCodeSequence = Sequence([code("102540008", "SCT", "headfirst")])
    header.RadiopharmaceuticalInformationSequence = Sequence([_tracer(patient, frame.injection)])
    return header


def _tracer(patient: VirtualPatient, injection: datetime) -> Dataset:
    item = Dataset()
    item.Radiopharmaceutical = "Fluorodeoxyglucose"
    item.RadiopharmaceuticalRoute = "Intravenous route"
    item.RadiopharmaceuticalVolume = "5"
    item.RadiopharmaceuticalStartTime = injection.strftime("%H%M%S")
    item.RadiopharmaceuticalStartDateTime = injection.strftime("%Y%m%d%H%M%S")
    item.RadionuclideTotalDose = DSfloat(str(round(patient.plan.scan.injected_mbq * 1e6)))
    item.RadionuclideHalfLife = DSfloat(str(HALF_LIFE_S))
    item.RadionuclidePositronFraction = DSfloat("0.967")
    item.RadionuclideCodeSequence = Sequence([code("77004003", "SCT", "^18^Fluorine")])
    item.RadiopharmaceuticalCodeSequence = Sequence([code("35321007", "SCT", "Fluorodeoxyglucose F^18^")])
    return item
