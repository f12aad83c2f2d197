"""Result objects' inputs from a real STS pair, read here with pydicom alone so that no product code is trusted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from lymphoma.imaging import Volume
from nodal.report.inputs import ReportInputs
from pydicom import Dataset, dcmread
from scipy import ndimage

from tests.unit.report.sample import map_sha256, measured, sample_findings


def _series(folder: Path) -> list[Dataset]:
    instances = [dcmread(path) for path in sorted(folder.rglob("*.dcm"))]
    images = [instance for instance in instances if "ImagePositionPatient" in instance]
    return sorted(images, key=lambda instance: float(instance.ImagePositionPatient[2]))


def _volume(images: list[Dataset]) -> Volume:
    array = np.stack([image.pixel_array * float(image.RescaleSlope) for image in images]).astype(np.float32)
    first, last = (np.asarray(images[n].ImagePositionPatient, dtype=float) for n in (0, -1))
    affine = np.eye(4)
    affine[:3, 0] = np.asarray(images[0].ImageOrientationPatient[:3], dtype=float) * float(images[0].PixelSpacing[1])
    affine[:3, 1] = np.asarray(images[0].ImageOrientationPatient[3:], dtype=float) * float(images[0].PixelSpacing[0])
    affine[:3, 2] = (last - first) / (len(images) - 1)
    affine[:3, 3] = first
    return Volume(array, affine)


def _headers(images: list[Dataset]) -> tuple[Dataset, ...]:
    for image in images:
        del image.PixelData
    return tuple(images)


def sts_inputs(pair: Path, threshold: float) -> ReportInputs:
    """A STS pair with its components at or above a threshold of SUV and 3 mL; partial field of view, as it is."""
    pet, ct = _series(pair / "PET"), _series(pair / "CT")
    suv = _volume(pet)
    labels, count = ndimage.label(suv.array >= threshold, structure=np.ones((3, 3, 3)))
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, np.arange(1, count + 1)) * suv.voxel_volume_ml
    lesion_map = suv.with_array(np.zeros(suv.array.shape, dtype=np.uint16))
    kept = [label for label, size in enumerate(sizes, start=1) if size >= 3.0]
    for number, label in enumerate(kept, start=1):
        lesion_map.array[labels == label] = number
    findings = sample_findings(measured(suv, lesion_map, len(kept)), lesion_map, partial=True)
    findings = replace(
        findings,
        study_instance_uid=str(pet[0].StudyInstanceUID),
        patient_id=str(pet[0].PatientID),
        pet_series_instance_uid=str(pet[0].SeriesInstanceUID),
        ct_series_instance_uid=str(ct[0].SeriesInstanceUID),
        lesion_map_sha256=map_sha256(lesion_map),
    )
    return ReportInputs(findings, suv, lesion_map, _headers(pet), _headers(ct))
