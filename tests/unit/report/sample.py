"""A made-up whole body with findings, for the tests of result objects: shapes and numbers, no medicine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
from lymphoma.imaging import Volume
from nodal.clinical.record import ClinicalRecord
from nodal.findings import (
    Findings,
    Flag,
    Lesion,
    NotComputed,
    Provenance,
    Quality,
    RejectedCandidate,
    Segmentation,
    SuvUsed,
    Totals,
)
from nodal.report.inputs import ReportInputs
from nodal.report.uids import stable_uid, tracking_uid
from nodal.study import SeriesDecision
from pydicom import Dataset
from pydicom.uid import CTImageStorage, EnhancedPETImageStorage, PositronEmissionTomographyImageStorage

STUDY_UID = stable_uid("sample", "study")
PET_UID = stable_uid("sample", "pet")
CT_UID = stable_uid("sample", "ct")
FRAME_UID = stable_uid("sample", "frame of reference")
STATIONS = (None, "mediastinal", "left axillary", "mesenteric", None, "right inguinal")
ORGANS = (None, None, None, None, "spleen", None)


def sample_headers(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], modality: str, **attributes: object
) -> tuple[Dataset, ...]:
    """Headers of a head-first supine series, foot to head; shape (slices, rows, columns), spacing (x, y, z)."""
    slices, rows, columns = shape
    common = _common_header(modality)
    common.Rows, common.Columns = rows, columns
    common.PixelSpacing = [spacing_mm[1], spacing_mm[0]]
    common.SliceThickness = spacing_mm[2]
    for name, value in attributes.items():
        setattr(common, name, value)
    headers = []
    for k in range(slices):
        header = Dataset()
        header.update(common)
        header.SOPInstanceUID = stable_uid("sample", modality, str(k))
        header.InstanceNumber = slices - k
        x, y = -columns * spacing_mm[0] / 2, -rows * spacing_mm[1] / 2
        header.ImagePositionPatient = [x, y, -900.0 + k * spacing_mm[2]]
        headers.append(header)
    return tuple(headers)


def _common_header(modality: str) -> Dataset:
    """What all slices of a series share."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.SOPClassUID = PositronEmissionTomographyImageStorage if modality == "PT" else CTImageStorage
    header.StudyInstanceUID = STUDY_UID
    header.SeriesInstanceUID = PET_UID if modality == "PT" else CT_UID
    header.FrameOfReferenceUID = FRAME_UID
    header.PositionReferenceIndicator = ""
    header.Modality = modality
    header.PatientName = "Specimen^Ada"
    header.PatientID = "NODAL-0001"
    header.IssuerOfPatientID = "HOSPITAL"
    header.PatientBirthDate = "19580314"
    header.PatientSex = "F"
    header.PatientAge = "066Y"
    header.PatientSize = "1.68"
    header.PatientWeight = "64.5"
    header.AdditionalPatientHistory = "text that must not travel"
    header.StudyDate, header.StudyTime = "20240611", "091500"
    header.SeriesDate, header.SeriesTime = "20240611", "101500"
    header.AcquisitionDate, header.AcquisitionTime = "20240611", "101530"
    header.StudyID = "4711"
    header.StudyDescription = "PET/CT whole body FDG"
    header.SeriesDescription = "PET WB AC" if modality == "PT" else "CT WB 5.0"
    header.SeriesNumber = 4 if modality == "PT" else 3
    header.AccessionNumber = "ACC0815"
    header.ReferringPhysicianName = "Referrer^Rosa"
    header.Manufacturer = "Scanner Works"
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    return header


def enhanced(headers: tuple[Dataset, ...]) -> tuple[Dataset, ...]:
    """The same series as one enhanced PET instance, its frames from head to foot."""
    combined = Dataset()
    combined.update(headers[0])
    combined.SOPClassUID = EnhancedPETImageStorage
    combined.NumberOfFrames = len(headers)
    combined.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = headers[0].PixelSpacing, headers[0].SliceThickness
    orientation.ImageOrientationPatient = headers[0].ImageOrientationPatient
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    combined.SharedFunctionalGroupsSequence = [shared]
    combined.PerFrameFunctionalGroupsSequence = []
    for header in reversed(headers):
        groups, position = Dataset(), Dataset()
        position.ImagePositionPatient = header.ImagePositionPatient
        groups.PlanePositionSequence = [position]
        combined.PerFrameFunctionalGroupsSequence.append(groups)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(combined, keyword)
    return (combined,)


def mark_virtual(headers: tuple[Dataset, ...]) -> None:
    """Makes the headers those of a virtual patient, in place."""
    for header in headers:
        header.QualityControlSubject = "YES"
        block = header.private_block(0x0099, "NODAL VIRTUAL", create=True)
        block.add_new(0x01, "UT", json.dumps({"generator": "A", "seed": 1, "version": "1"}))


def _ball(points_mm: np.ndarray, centre_mm: np.ndarray, radii_mm: tuple[float, float, float]) -> np.ndarray:
    return (((points_mm - centre_mm) / np.asarray(radii_mm)) ** 2).sum(axis=-1) <= 1.0


@lru_cache(maxsize=4)
def _body(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """A body with brain, heart, liver, kidneys and bladder, as SUV; copied before use."""
    suv = Volume(np.zeros(shape, dtype=np.float32), np.diag([*spacing_mm, 1.0]))
    grid = np.moveaxis(np.indices(suv.array.shape), 0, -1)
    points = suv.points_mm(grid)
    centre = points.reshape(-1, 3).mean(axis=0)
    height = suv.extent_mm[2]
    for offset, radii, value in (
        ((0, 0, 0), (170, 110, 0.55 * height), 0.6),
        ((0, 0, 0.42), (70, 85, 75), 8.0),
        ((25, -20, 0.18), (45, 40, 45), 3.0),
        ((-70, 0, 0.05), (75, 70, 70), 2.1),
        ((-60, 50, -0.05), (25, 25, 50), 5.0),
        ((60, 50, -0.05), (25, 25, 50), 5.0),
        ((0, -30, -0.33), (40, 35, 35), 15.0),
    ):
        place = centre + np.array([offset[0], offset[1], offset[2] * height])
        suv.array[_ball(points, place, radii)] = value
    return suv.array


def _lesions(suv: Volume, lesion_map: Volume, count: int) -> None:
    """Puts ``count`` balls on a regular lattice inside the body, never touching; each its own hottest voxel."""
    radius = 2
    step = 2 * radius + 2
    slices, rows, columns = suv.array.shape
    j = np.arange(rows // 2 - 2 * step, rows // 2 + 2 * step, step)
    i = np.arange(columns // 2 - 2 * step, columns // 2 + 2 * step, step)
    levels = -(-count // (len(i) * len(j)))
    k = np.linspace(radius + 1, slices - radius - 2, max(levels, 2)).astype(int)
    places = [(a, b, c) for a in k for b in j for c in i]
    order = np.random.default_rng(7).permutation(len(places))[:count]
    ball = np.argwhere(((np.indices((2 * radius + 1,) * 3) - radius) ** 2).sum(axis=0) <= radius**2) - radius
    for number, place in enumerate(order, start=1):
        voxels = tuple((np.asarray(places[place]) + ball).T)
        suv.array[voxels] = 5.0 + 0.1 * number
        suv.array[places[place]] = 6.0 + 12.0 * number / (count + 1)
        lesion_map.array[voxels] = number


def measured(suv: Volume, lesion_map: Volume, count: int) -> tuple[Lesion, ...]:
    sha256 = map_sha256(lesion_map)
    lesions = []
    for number in range(1, count + 1):
        index = np.argwhere(lesion_map.array == number)
        values = suv.array[lesion_map.array == number].astype(float)
        points = suv.points_mm(index)
        volume = len(index) * suv.voxel_volume_ml
        hottest = points[int(np.argmax(values))]
        lesions.append(
            Lesion(
                number=number,
                tracking_uid=tracking_uid(PET_UID, sha256, number),
                segment_number=number,
                volume_ml=volume,
                suv_max=float(values.max()),
                suv_peak=float(values.mean()) + 0.5,
                suv_mean=float(values.mean()),
                tlg_g=float(values.mean()) * volume,
                longest_diameter_mm=float(np.linalg.norm(points.max(axis=0) - points.min(axis=0))),
                centroid_mm=tuple(points.mean(axis=0).tolist()),
                hottest_mm=tuple(hottest.tolist()),
                station=STATIONS[number % len(STATIONS)],
                organ=ORGANS[number % len(ORGANS)],
            )
        )
    return tuple(lesions)


def map_sha256(lesion_map: Volume) -> str:
    """Hex SHA-256 of the map's array bytes: uint16, little endian, C order."""
    return hashlib.sha256(np.ascontiguousarray(lesion_map.array, dtype="<u2").tobytes()).hexdigest()


def sample_totals(lesions: tuple[Lesion, ...], *, partial: bool = False) -> Totals:
    """Totals of the lesions; distances are plausible and made up."""
    tmtv = sum(lesion.volume_ml for lesion in lesions)
    tlg = sum(lesion.tlg_g for lesion in lesions)
    far = None if partial else (612.4 if len(lesions) > 1 else 0.0)
    return Totals(
        field_of_view="partial" if partial else "whole",
        tmtv_ml=tmtv,
        tmtv_range_ml=(tmtv, tmtv),
        tlg_g=tlg,
        suv_max=max((lesion.suv_max for lesion in lesions), default=None),
        suv_peak=max((lesion.suv_peak for lesion in lesions), default=None),
        suv_mean=tlg / tmtv if lesions else None,
        lesion_count=len(lesions),
        dmax_mm=far,
        dmax_bulk_mm=far,
        sdmax_per_m=None if far is None else far / 1000.0 / 1.75,
        bulky=False,
    )


def sample_findings(
    lesions: tuple[Lesion, ...], lesion_map: Volume, *, virtual: bool = False, partial: bool = False
) -> Findings:
    """Findings for measured lesions."""
    return Findings(
        study_instance_uid=STUDY_UID,
        patient_id="NODAL-0001",
        pet_series_instance_uid=PET_UID,
        ct_series_instance_uid=CT_UID,
        series=(
            SeriesDecision(CT_UID, "CT", "ct", "same frame of reference, covers the whole PET"),
            SeriesDecision(PET_UID, "PT", "pet", "FDG, attenuation and decay corrected, largest axial coverage"),
            SeriesDecision(stable_uid("sample", "dose"), "SR", None, "not an image series"),
        ),
        suv=SuvUsed("BQML, decay corrected to START", 2.7633668e-4, "20240611101500", 3600.0, ()),
        quality=Quality(
            uptake_minutes=60.0,
            injected_mbq_per_kg=3.9,
            liver_suv_mean=None,
            brain_covered=True,
            thighs_covered=True,
            ct_contrast=None,
            pet_ct_shift_mm=1.8,
            flags=(Flag("NO_ANATOMY", "Physiological uptake is not removed: no organ map was computed."),),
        ),
        virtual=virtual,
        baseline="assumed",
        lesions=lesions,
        rejected_candidates=(RejectedCandidate(412.5, 18.2, "brain", 0.02),),
        totals=sample_totals(lesions, partial=partial),
        clinical=ClinicalRecord(age_years=66, sex="F", sources={"age_years": "dicom", "sex": "dicom"}),
        segmentation=Segmentation("suv4", "SUV >= 4.0, components of at least 3 mL", 3.0, 26),
        not_computed=(
            NotComputed("liver_suv_mean", "NO_ANATOMY", "No organ map was computed."),
            NotComputed("ipi", "NO_CLINICAL_RECORD", "LDH, ECOG and stage are not known."),
        ),
        content_datetime="20240611101530.000000",
        lesion_map_sha256=map_sha256(lesion_map),
        settings_sha256=hashlib.sha256(b"settings").hexdigest(),
        provenance=Provenance("0.1.0", "cpu", "2024-06-11T11:00:00Z", {"load": 1.5}, ()),
    )


def sample_inputs(
    lesions: int = 3,
    *,
    shape: tuple[int, int, int] = (100, 48, 48),
    spacing_mm: tuple[float, float, float] = (8.0, 8.0, 9.0),
    virtual: bool = False,
    partial: bool = False,
    **attributes: object,
) -> ReportInputs:
    """A study with its findings.

    Args:
        lesions: how many; up to 60 and more fit into the default shape.
        shape: of the PET, (slices, rows, columns). attributes: by DICOM keyword, written into every header, such as
            ``PatientName="Yamada^Tarou=山田^太郎"``.
    """
    pet = sample_headers(shape, spacing_mm, "PT", **attributes)
    ct = sample_headers((8, 64, 64), (6.0, 6.0, shape[0] * spacing_mm[2] / 8), "CT", **attributes)
    if virtual:
        mark_virtual(pet)
        mark_virtual(ct)
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = [float(value) for value in pet[0].ImagePositionPatient]
    suv = Volume(_body(shape, spacing_mm).copy(), affine)
    lesion_map = Volume(np.zeros(shape, dtype=np.uint16), affine)
    _lesions(suv, lesion_map, lesions)
    found = measured(suv, lesion_map, lesions)
    return ReportInputs(sample_findings(found, lesion_map, virtual=virtual, partial=partial), suv, lesion_map, pet, ct)


def with_findings(inputs: ReportInputs, **changes: object) -> ReportInputs:
    """The same images with other findings, by field."""
    return replace(inputs, findings=replace(inputs.findings, **changes))
