"""The PET series of a virtual study (PET Image IOD, PS3.3 A.21)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import VirtualPatient
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import PositronEmissionTomographyImageStorage
from pydicom.valuerep import DSfloat

from nodal.dicom.write_common import (
    SeriesTemplate,
    StudyFrame,
    code,
    common_header,
    date_time,
    place_slice,
    virtual_uid,
)
from nodal.dicom.write_habits import Habit

__all__ = ["becquerel_per_suv", "pet_instances"]

COUNTS_BQ_ML = 1.73
"""Bq/mL of a count in series whose Units are counts [A]."""
RECONSTRUCTED_LATER = timedelta(minutes=41)
MOVE_S = 5.0
_FULL = 32767


def becquerel_per_suv(patient: VirtualPatient, frame: StudyFrame, habit: Habit) -> float:
    """Bq/mL for SUVbw 1 at the start of the scan: the dose left then, over the body weight in g."""
    waited = (frame.scan_start - frame.injection).total_seconds()
    left = round(patient.plan.scan.injected_mbq * 1e6) * 2.0 ** (-waited / habit.half_life_s)
    return float(left / (patient.plan.person.weight_kg * 1000.0))


def pet_instances(
    patient: VirtualPatient, frame: StudyFrame, habit: Habit, *, attenuated: Volume | None = None
) -> Iterator[Dataset]:
    """The instances, head first, decay corrected to the start of the scan, in the units of the maker's habit.

    Args:
        attenuated: the values of a series without attenuation correction, in its place; None is the PET.
    """
    series = "PT" if attenuated is None else "NAC"
    template = SeriesTemplate.of(_series_header(patient, frame, habit, series))
    volume = attenuated or patient.pet_suv
    values = volume.array * np.float32(_stored_per_suv(patient, frame, habit))
    common_slope = _slope(values)
    slices = values.shape[0]
    for number, k in enumerate(reversed(range(slices)), start=1):
        instance = template.instance()
        instance.SOPInstanceUID = virtual_uid(frame.identity, series, str(number))
        instance.ImageIndex = number
        place_slice(instance, volume, k, number=number)
        _frame_times(instance, patient, frame, habit, k)
        slope = _slope(values[k]) if habit.per_slice_slope else common_slope
        instance.RescaleIntercept, instance.RescaleSlope = "0", slope
        instance.BitsStored, instance.HighBit, instance.PixelRepresentation = 16, 15, 1
        stored = np.rint(values[k] / np.float64(slope)).astype("<i2")
        instance.add_new("PixelData", "OW", stored.tobytes())
        yield instance


def _stored_per_suv(patient: VirtualPatient, frame: StudyFrame, habit: Habit) -> float:
    """What SUVbw 1 is in the units of the series."""
    if habit.units == "GML":
        return 1.0
    activity = becquerel_per_suv(patient, frame, habit)
    return activity / COUNTS_BQ_ML if habit.units == "CNTS" else activity


def _slope(values: npt.NDArray[np.float32]) -> DSfloat:
    """The slope that lets the largest value fill 15 bits, rounded up to what a DS can hold."""
    return DSfloat(f"{max(float(values.max()), 1e-3) / (_FULL - 1):.9e}")


def _frame_times(instance: Dataset, patient: VirtualPatient, frame: StudyFrame, habit: Habit, k: int) -> None:
    """Acquisition time of the slice's bed position, and its reference time and decay factor (PS3.3 C.8.9.4).

    The reference time is when the mean count rate of the frame occurs: its start plus
    (1/lambda) ln(lambda T / (1 - exp(-lambda T))); with GE it is the start itself.
    """
    model = patient.plan.scan.model
    slices, height = patient.pet_suv.array.shape[0], patient.pet_suv.spacing_mm[2]
    bed = int((k if model.feet_first else slices - 1 - k) * height // model.bed_mm)
    begun_s = bed * (model.bed_s + MOVE_S)
    decay = np.log(2.0) / habit.half_life_s
    mean_s = float(np.log(decay * model.bed_s / -np.expm1(-decay * model.bed_s)) / decay)
    acquired = frame.scan_start + timedelta(seconds=begun_s)
    instance.AcquisitionDate, instance.AcquisitionTime = date_time(acquired)
    instance.ContentDate, instance.ContentTime = instance.AcquisitionDate, instance.AcquisitionTime
    instance.ActualFrameDuration = round(model.bed_s * 1000)
    referred_s = begun_s + (mean_s if habit.frame_reference == "mean" else 0.0)
    instance.FrameReferenceTime = DSfloat(f"{referred_s * 1000:.3f}")
    instance.DecayFactor = DSfloat(f"{np.exp(decay * (begun_s + mean_s)):.8g}")


def _series_header(patient: VirtualPatient, frame: StudyFrame, habit: Habit, series: str) -> Dataset:
    """PET Series, PET Isotope and what is the same in every PET Image (PS3.3 C.8.9.1, C.8.9.2, C.8.9.4)."""
    corrected = series == "PT"
    header = common_header(patient, frame, habit)
    header.SOPClassUID = PositronEmissionTomographyImageStorage
    header.Modality = "PT"
    header.SeriesInstanceUID = virtual_uid(frame.identity, series)
    header.SeriesNumber = 3 if corrected else 4
    begun = frame.scan_start + (RECONSTRUCTED_LATER if habit.restamped else timedelta(0))
    header.SeriesDate, header.SeriesTime = date_time(begun)
    header.SeriesDescription = habit.pet_description if corrected else "PET WB uncorrected (NAC)"
    header.ImageType = ["ORIGINAL", "PRIMARY"]
    header.SeriesType = ["WHOLE BODY", "IMAGE"]
    header.Units = habit.units
    if habit.units == "GML":
        header.SUVType = "BW"
    header.CountsSource = "EMISSION"
    header.NumberOfSlices = patient.pet_suv.array.shape[0]
    header.CorrectedImage = [what for what in habit.corrected if corrected or what not in ("ATTN", "SCAT")]
    header.DecayCorrection = "START"
    header.RandomsCorrectionMethod = habit.randoms
    header.AttenuationCorrectionMethod = habit.attenuation if corrected else "NONE"
    header.ScatterCorrectionMethod = habit.scatter if corrected else "NONE"
    header.ReconstructionMethod = f"{habit.reconstruction}, PSF {patient.plan.scan.psf_fwhm_mm:g} mm"
    header.CollimatorType = "NONE"
    header.AcquisitionNumber = 1
    orientation = code("102538003", "SCT", "recumbent")
    orientation.PatientOrientationModifierCodeSequence = Sequence([code("40199007", "SCT", "supine")])
    header.PatientOrientationCodeSequence = Sequence([orientation])
    header.PatientGantryRelationshipCodeSequence = Sequence([code("102540008", "SCT", "headfirst")])
    header.RadiopharmaceuticalInformationSequence = Sequence([_tracer(patient, frame.injection, habit)])
    _add_private(header, patient, frame, habit)
    return header


def _add_private(header: Dataset, patient: VirtualPatient, frame: StudyFrame, habit: Habit) -> None:
    """GE's scan time (0009,100D); Philips's SUV and activity factors (7053,1000) and (7053,1009)."""
    if habit.ge:
        block = header.private_block(0x0009, "GEMS_PETD_01", create=True)
        block.add_new(0x0D, "DT", frame.scan_start.strftime("%Y%m%d%H%M%S.00"))
    if habit.factors:
        block = header.private_block(0x7053, "Philips PET Private Group", create=True)
        if "suv" in habit.factors:
            block.add_new(0x00, "DS", f"{COUNTS_BQ_ML / becquerel_per_suv(patient, frame, habit):.9e}")
        if "activity" in habit.factors:
            block.add_new(0x09, "DS", f"{COUNTS_BQ_ML:.6f}")


def _tracer(patient: VirtualPatient, injection: datetime, habit: Habit) -> Dataset:
    item = Dataset()
    item.Radiopharmaceutical = "Fluorodeoxyglucose"
    item.RadiopharmaceuticalRoute = "Intravenous route"
    item.RadiopharmaceuticalVolume = "5"
    if habit.injection != "datetime":
        item.RadiopharmaceuticalStartTime = injection.strftime("%H%M%S")
    if habit.injection != "time":
        item.RadiopharmaceuticalStartDateTime = injection.strftime("%Y%m%d%H%M%S")
    item.RadionuclideTotalDose = DSfloat(str(round(patient.plan.scan.injected_mbq * 1e6)))
    item.RadionuclideHalfLife = DSfloat(str(habit.half_life_s))
    item.RadionuclidePositronFraction = DSfloat("0.967")
    item.RadionuclideCodeSequence = Sequence([code("77004003", "SCT", "^18^Fluorine")])
    item.RadiopharmaceuticalCodeSequence = Sequence([code("35321007", "SCT", "Fluorodeoxyglucose F^18^")])
    return item
