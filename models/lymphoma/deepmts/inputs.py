"""What DeepMTS reads of a study: PET, CT and lesions in the field of the body, resampled and scaled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lymphoma.deepmts.field import BodyField, Placed, place
from lymphoma.errors import NotComputable
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.clinical import ClinicalFactors

__all__ = ["ARRAYS", "LESION_SHARE", "LOST_SHARE", "inputs_of", "placed_inputs", "stage_number"]

Arrays = Mapping[str, npt.NDArray[Any]]

ARRAYS = ("pet", "ct", "mask", "clinic")
"""pet, ct: float16, (k, j, i), scaled. mask: uint8, (k, j, i), 255 times the share of a voxel that is lesion. clinic:
float32, (1,), 1 for Ann Arbor III-IV, 0 for I-II, NaN where not known."""

SUV_MOST, SUV_UNIT = 25.0, 5.0
"""PET is cut at the first and divided by the second: liver about .4, lesions 1 to 5, of the CT's order [A]."""
HU_MOST = 1024.0
"""CT is cut at minus and plus this, and divided by it."""
LESION_SHARE = 0.2
"""A voxel is lesion from this share on: the threshold that the published code puts its masks to after resampling."""
LOST_SHARE = 0.05
"""Of the lesion volume that may lie outside the field [A]."""
MASK_ONE = 255.0


def inputs_of(study: StudyArrays, field: BodyField) -> dict[str, npt.NDArray[Any]]:
    """The arrays by the names of :data:`ARRAYS`.

    Raises:
        NotComputable: ``NO_AVID_LESION``; ``OUTSIDE_FIELD`` where over 5 % of the lesion volume lies outside the field,
            such as in the brain; as :func:`lymphoma.deepmts.field.place`.
    """
    return placed_inputs(study, place(study, field))


def placed_inputs(study: StudyArrays, placed: Placed) -> dict[str, npt.NDArray[Any]]:
    """As :func:`inputs_of`, in a field that is placed already."""
    lesions = study.lesion_map.with_array(study.counted.astype(np.float32))
    at = np.argwhere(lesions.array)
    if not len(at):
        raise NotComputable("NO_AVID_LESION", "no FDG-avid lesion to judge")
    lost = 1.0 - float(placed.shows(lesions.points_mm(at)).mean())
    if lost > LOST_SHARE:
        raise NotComputable(
            "OUTSIDE_FIELD", f"{lost:.0%} of the lesion volume lies outside the body from skull base to mid-thigh"
        )
    suv = _resampled(study.suv, placed, 0.0)
    ct = _resampled(study.ct_hu, placed, -HU_MOST)
    share = _resampled(lesions, placed, 0.0)
    return {
        "pet": (np.clip(suv, 0.0, SUV_MOST) / SUV_UNIT).astype(np.float16),
        "ct": (np.clip(ct, -HU_MOST, HU_MOST) / HU_MOST).astype(np.float16),
        "mask": np.rint(MASK_ONE * np.clip(share, 0.0, 1.0)).astype(np.uint8),
        "clinic": np.array([stage_number(study.clinical)], dtype=np.float32),
    }


def stage_number(clinical: ClinicalFactors) -> float:
    """1 for Ann Arbor III-IV, 0 for I-II, NaN where not known: what stands for the paper's TNM stage."""
    return float("nan") if clinical.stage is None else float(clinical.stage >= 3)


def _resampled(volume: Volume, placed: Placed, fill: float) -> npt.NDArray[np.float32]:
    moved = resample_like(volume, placed.grid, fill=fill, interpolation="linear").array
    moved[placed.below] = fill
    return np.asarray(moved, dtype=np.float32)
