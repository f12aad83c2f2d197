"""Headers of PET, CT and other series, made by hand: enough of each for selection, and no pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nodal.study import SeriesFiles, StudyFiles
from pydicom import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, PositronEmissionTomographyImageStorage, generate_uid

STUDY, FRAME = generate_uid(entropy_srcs=["study"]), generate_uid(entropy_srcs=["frame"])
Edit = dict[str, Any] | Callable[[int, Dataset], None] | None


def code(value: str, scheme: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return Sequence([item])


def fdg() -> Sequence:
    """A Radiopharmaceutical Information Sequence of an FDG injection."""
    item = Dataset()
    item.Radiopharmaceutical = "Fluorodeoxyglucose"
    item.RadionuclideHalfLife = "6586.2"
    item.RadionuclideTotalDose = "350000000"
    item.RadionuclideCodeSequence = code("C-111A1", "SRT", "^18^Fluorine")
    item.RadiopharmaceuticalCodeSequence = code("C-B1031", "SRT", "Fluorodeoxyglucose F^18^")
    return Sequence([item])


def _slice(uid: str, number: int, modality: str, z_mm: float) -> Dataset:
    header = Dataset()
    header.StudyInstanceUID, header.SeriesInstanceUID = STUDY, uid
    header.SOPInstanceUID = f"{uid}.{number + 1}"
    header.Modality, header.PatientID, header.FrameOfReferenceUID = modality, "T1", FRAME
    header.ImagePositionPatient = [-200.0, -200.0, z_mm]
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    header.InstanceNumber = number + 1
    return header


def _finish(uid: str, modality: str, headers: list[Dataset], edit: Edit) -> SeriesFiles:
    for number, header in enumerate(headers):
        if callable(edit):
            edit(number, header)
        for keyword, value in (edit or {}).items() if isinstance(edit, dict) else ():
            if value is None:
                delattr(header, keyword)
            else:
                setattr(header, keyword, value)
    paths = tuple(Path(f"{h.SOPInstanceUID}.dcm") for h in headers)
    return SeriesFiles(uid, modality, paths, tuple(headers))


def pet(uid: str = "1.2.1", *, slices: int = 40, step_mm: float = 25.0, edit: Edit = None) -> SeriesFiles:
    """A whole-body PET (1 m) as a scanner writes it, in few thick slices to be quick."""
    headers = []
    for k in range(slices):
        header = _slice(uid, k, "PT", k * step_mm)
        header.SOPClassUID = PositronEmissionTomographyImageStorage
        header.ImageType, header.SeriesType = ["ORIGINAL", "PRIMARY"], ["WHOLE BODY", "IMAGE"]
        header.SeriesDescription, header.SeriesNumber = "PET WB AC", 4
        header.Units, header.DecayCorrection = "BQML", "START"
        header.CorrectedImage = ["DECY", "ATTN", "SCAT", "DTIM", "NORM"]
        header.NumberOfSlices = slices
        header.RadiopharmaceuticalInformationSequence = fdg()
        headers.append(header)
    return _finish(uid, "PT", headers, edit)


def ct(
    uid: str = "1.2.2", *, slices: int = 68, step_mm: float = 15.0, start_mm: float = -5.0, edit: Edit = None
) -> SeriesFiles:
    """The CT of the same examination."""
    headers = []
    for k in range(slices):
        header = _slice(uid, k, "CT", start_mm + k * step_mm)
        header.SOPClassUID = CTImageStorage
        header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        header.SeriesDescription, header.SeriesNumber, header.ConvolutionKernel = "CT WB 3.0", 2, "B31f"
        headers.append(header)
    return _finish(uid, "CT", headers, edit)


def other(uid: str, modality: str, sop_class_uid: str) -> SeriesFiles:
    """A series of one instance that is no image stack: a report, a contour, a capture."""
    header = Dataset()
    header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID = STUDY, uid, f"{uid}.1"
    header.SOPClassUID, header.Modality, header.PatientID = sop_class_uid, modality, "T1"
    return _finish(uid, modality, [header], None)


def study(*series: SeriesFiles) -> StudyFiles:
    return StudyFiles(STUDY, tuple(series))
