"""What every instance of a virtual study says: patient, study, equipment, geometry and the marks of a simulation."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import GENERATOR, VirtualPatient
from lymphoma.simulation.cohort import virtual_id
from pydicom import Dataset
from pydicom.charset import convert_encodings
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import format_number_as_ds

from nodal import __version__
from nodal.dicom.write_habits import Habit

__all__ = [
    "SeriesTemplate",
    "StudyFrame",
    "code",
    "common_header",
    "date_time",
    "file_meta",
    "place_slice",
    "study_frame",
    "virtual_uid",
]

IMPLEMENTATION_UID = "2.25.219830514766011230561206403427051174801"
"""Implementation Class UID (PS3.7 D.3.3.2): a random UUID, fixed once for this program."""
PRIVATE_GROUP, PRIVATE_CREATOR, PRIVATE_MARK = 0x0099, "NODAL VIRTUAL", 0x01
_FIRST_DAY = datetime(2024, 1, 8)


@dataclass(frozen=True)
class StudyFrame:
    """The identity and the hours of one virtual study.

    Attributes:
        identity: SHA-256 over the plan, the protocol and the pixels; every UID comes from it.
        scan_start: start of the PET series, to which its decay correction refers. injection: of the tracer.
    """

    identity: str
    patient_id: str
    patient_name: str
    study_instance_uid: str
    frame_of_reference_uid: str
    scan_start: datetime
    injection: datetime


def virtual_uid(identity: str, *parts: str) -> str:
    """A stable UID 2.25.<UUID> (PS3.5 B.2) over the study's identity and the parts."""
    digest = hashlib.sha256("\x1f".join((identity, *parts)).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def study_frame(patient: VirtualPatient, *, variant: str = "") -> StudyFrame:
    """Identity and hours of a patient's study: on a working day from 8:00 on, both given by the seed.

    Args:
        variant: how it is written, where that alters the instances.
    """
    plan = patient.plan
    digest = hashlib.sha256(f"{GENERATOR}|{plan!r}|{patient.protocol!r}|{variant}".encode())
    digest.update(np.ascontiguousarray(patient.pet_suv.array).data)
    digest.update(np.ascontiguousarray(patient.ct_hu.array).data)
    identity = digest.hexdigest()
    weeks, days = divmod(plan.seed % 500, 5)
    scan_start = _FIRST_DAY + timedelta(weeks=weeks, days=days, hours=8, minutes=(plan.seed * 37) % 480)
    return StudyFrame(
        identity=identity,
        patient_id=virtual_id(plan.seed),
        patient_name=f"Virtual^Patient {plan.seed:04d}",
        study_instance_uid=virtual_uid(identity, "study"),
        frame_of_reference_uid=virtual_uid(identity, "frame"),
        scan_start=scan_start,
        injection=scan_start - timedelta(seconds=round(plan.scan.uptake_minutes * 60)),
    )


def common_header(patient: VirtualPatient, frame: StudyFrame, habit: Habit) -> Dataset:
    """Patient, General Study, Patient Study, Frame of Reference and General Equipment (PS3.3 C.7), and the marks.

    Quality Control Subject is YES and a private block names the generator, so that no one takes the study for a
    patient's.
    """
    plan = patient.plan
    started = frame.scan_start - timedelta(minutes=3)
    born = frame.scan_start - timedelta(days=round(365.25 * plan.person.age_years) + 100)
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientName = frame.patient_name
    header.PatientID = frame.patient_id
    header.IssuerOfPatientID = "NODAL-VIRTUAL"
    header.PatientBirthDate = born.strftime("%Y%m%d")
    header.PatientSex = plan.person.sex
    header.QualityControlSubject = "YES"
    header.PatientAge = f"{plan.person.age_years:03d}Y"
    header.PatientSize = f"{plan.person.height_m:.2f}"
    header.PatientWeight = f"{plan.person.weight_kg:.1f}"
    header.StudyInstanceUID = frame.study_instance_uid
    header.StudyDate, header.StudyTime = date_time(started)
    header.StudyID = f"V{plan.seed}"
    header.StudyDescription = "Virtual FDG PET/CT whole body"
    header.AccessionNumber = f"V{plan.seed:08d}"
    header.ReferringPhysicianName = ""
    header.FrameOfReferenceUID = frame.frame_of_reference_uid
    header.PositionReferenceIndicator = ""
    header.BodyPartExamined = "WHOLEBODY"
    header.Manufacturer = habit.manufacturer
    header.ManufacturerModelName = habit.model
    header.DeviceSerialNumber = f"VIRTUAL-{GENERATOR}"
    header.SoftwareVersions = __version__
    header.InstitutionName = "Virtual hospital"
    header.BurnedInAnnotation = "NO"
    header.LossyImageCompression = "00"
    mark = json.dumps({"generator": GENERATOR, "seed": plan.seed, "version": __version__}, sort_keys=True)
    header.private_block(PRIVATE_GROUP, PRIVATE_CREATOR, create=True).add_new(PRIVATE_MARK, "UT", mark)
    return header


@dataclass(frozen=True, eq=False)
class SeriesTemplate:
    """A series' common attributes, encoded once, so that hundreds of instances need not encode them again."""

    encoded: Dataset

    @classmethod
    def of(cls, header: Dataset) -> SeriesTemplate:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_dataset(buffer, header)
        buffer.seek(0)
        return cls(read_dataset(buffer, is_implicit_VR=False, is_little_endian=True))

    def instance(self) -> Dataset:
        """A new data set with the common attributes; what is set in it must have one VR only."""
        made = Dataset(dict(self.encoded.items()))
        made.set_original_encoding(False, True, convert_encodings("ISO_IR 192"))
        return made


def place_slice(header: Dataset, volume: Volume, k: int, *, number: int) -> None:
    """Image Plane and the geometry of Image Pixel (PS3.3 C.7.6.2, C.7.6.3) of axial slice ``k``."""
    spacing = volume.spacing_mm
    rows, columns = volume.array.shape[1:]
    corner = volume.points_mm((k, 0, 0))
    header.InstanceNumber = number
    header.ImagePositionPatient = [_decimal(value) for value in corner]
    header.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    header.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
    header.SliceThickness = _decimal(spacing[2])
    header.SliceLocation = _decimal(corner[2])
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.Rows, header.Columns = int(rows), int(columns)
    header.BitsAllocated = 16


def _decimal(value: float) -> str:
    """A DS of at most 16 characters, in steps of 0.1 nm so that sums of floats read as what they mean."""
    return str(format_number_as_ds(round(float(value), 7)))


def file_meta(header: Dataset) -> FileMetaDataset:
    """File Meta Information (PS3.10 section 7.1), explicit VR little endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "NODAL"
    return meta


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A code sequence item (PS3.3 section 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def date_time(instant: datetime) -> tuple[str, str]:
    """As DA and TM, in whole seconds."""
    return instant.strftime("%Y%m%d"), instant.strftime("%H%M%S")
