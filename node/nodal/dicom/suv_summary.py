"""What ``nodal suv`` prints of one PET series: how it became SUV, and the values inside a mask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nodal.dicom.contour import read_contour
from nodal.dicom.series import load_pet, read_study
from nodal.errors import Code, Refused

__all__ = ["SuvSummary", "suv_summary"]


@dataclass(frozen=True)
class SuvSummary:
    """The fields of ``nodal suv``; SUVbw in g/mL over ``voxels`` voxels."""

    method: str
    factor: float | None
    scan_reference_time: str | None
    decay_s: float | None
    warnings: tuple[str, ...]
    suv_min: float
    suv_mean: float
    suv_median: float
    suv_max: float
    voxels: int
    voxel_volume_ml: float


def suv_summary(series_dir: Path, mask: Path | None, assume_bw: bool) -> SuvSummary:
    """Converts the one PET series below a folder and measures it inside a mask, or as a whole.

    Args:
        series_dir: folder with one PET series; other modalities beside it are passed over.
        mask: RTSTRUCT, SEG, NIfTI or NRRD; None takes every voxel.
        assume_bw: read Units GML without SUV Type as SUVbw.

    Raises:
        Refused: NO_PET, MIXED_SERIES (several PET series), TRUNCATED_FILE (a file of the folder is cut short), and
            the codes of reading, conversion and contour.
    """
    study = read_study(series_dir)
    cut = [passed for passed in study.unreadable if passed.code is Code.TRUNCATED_FILE]
    if cut:
        raise Refused(Code.TRUNCATED_FILE, f"{len(cut)} files of the folder are cut short: {cut[0].reason}")
    pets = [series for series in study.series if series.modality == "PT"]
    if len(pets) != 1:
        code = Code.MIXED_SERIES if pets else Code.NO_PET
        raise Refused(code, f"The folder holds {len(pets)} PET series; one is expected.")
    pet = load_pet(pets[0], assume_bw=assume_bw)
    values = pet.volume.array
    if mask is not None:
        values = values[read_contour(mask, pet, study_instance_uid=study.study_instance_uid).array]
    conversion = pet.conversion
    return SuvSummary(
        method=conversion.method,
        factor=conversion.factor,
        scan_reference_time=conversion.scan_reference_time,
        decay_s=conversion.decay_s,
        warnings=conversion.warnings,
        suv_min=float(values.min()),
        suv_mean=float(values.mean(dtype=np.float64)),
        suv_median=float(np.median(values)),
        suv_max=float(values.max()),
        voxels=int(values.size),
        voxel_volume_ml=pet.volume.voxel_volume_ml,
    )
