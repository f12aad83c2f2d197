"""Tiny cohorts made in the tests: NIfTI pairs of 16 x 16 x 16 voxels with a body and a hot spot."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from lymphoma.imaging.volume import Volume
from nodal.cohort.table import COLUMNS

SIDE, VOXEL_MM = 16, 5.0
AFFINE = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
HOT = (slice(6, 9), slice(6, 9), slice(6, 9))  # 27 voxels of 0.125 mL
HOT_ML = 3.375
ALIVE = {"pfs_months": "24", "pfs_event": "0", "os_months": "30", "os_event": "0"}


def suv(seed: int = 1) -> Volume:
    """A body of SUV 0.6 to 0.8 in air, with a lesion of SUV 9; another one for each seed."""
    array = np.zeros((SIDE,) * 3, np.float32)
    body = (slice(2, -2),) * 3
    array[body] = 0.7 + np.random.default_rng(seed).uniform(-0.1, 0.1, array[body].shape)
    array[HOT] = 9.0
    return Volume(array, AFFINE)


def ct() -> Volume:
    """Soft tissue in air."""
    array = np.full((SIDE,) * 3, -1000, np.int16)
    array[2:-2, 2:-2, 2:-2] = 40
    return Volume(array, AFFINE)


def mask(*parts: tuple[slice, slice, slice]) -> Volume:
    """1 in each box."""
    array = np.zeros((SIDE,) * 3, np.uint8)
    for part in parts:
        array[part] = 1
    return Volume(array, AFFINE)


def study(
    folder: Path,
    *,
    pet: Volume | None = None,
    ct_hu: Volume | None = None,
    lesions: Volume | None = None,
    seed: int = 1,
) -> Path:
    """A NIfTI study with its reference beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (pet or suv(seed)).save(folder / "pet_suv.nii.gz")
    (ct_hu or ct()).save(folder / "ct_hu.nii.gz")
    (lesions or mask(HOT)).save(folder / "lesions.nii.gz")
    return folder


def organs(folder: Path) -> npt.NDArray[np.bool_]:
    """An organ map beside a study; returns the voxels of its liver."""
    array = np.zeros((SIDE,) * 3, np.uint8)
    array[3:5, 3:8, 3:8] = 5
    Volume(array, AFFINE).save(folder / "organs.nii.gz")
    (folder / "organs.json").write_text(json.dumps({"5": "liver"}))
    return array == 5


def row(patient_id: str, **values: str) -> dict[str, str]:
    """A patient whose study lies where :func:`cohort` puts it, followed for two years."""
    place = f"studies/{patient_id}"
    return {"patient_id": patient_id, "study": place, "reference": f"{place}/lesions.nii.gz", **ALIVE, **values}


def table(folder: Path, *rows: dict[str, str]) -> Path:
    """Writes ``cohort.csv`` with the columns of the interface and any other that a row has."""
    columns = list(dict.fromkeys([*COLUMNS, *(name for one in rows for name in one)]))
    with (folder / "cohort.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def cohort(folder: Path, *patients: str) -> Path:
    """A cohort of good patients."""
    for seed, patient in enumerate(patients, start=1):
        study(folder / "studies" / patient, seed=seed)
    return table(folder, *(row(patient) for patient in patients))
