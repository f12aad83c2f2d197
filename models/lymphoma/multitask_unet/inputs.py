"""What the system reads of a study: the PET and the lesions in its field, on the network's grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.multitask_unet.field import field_grid, outside_share, place_field
from lymphoma.multitask_unet.shape import SMALL_SIZE, Size
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays
from lymphoma.training.case import Case

__all__ = ["LESIONS", "LOST_MOST", "PET", "SUV_MOST", "WAY", "image_of", "inputs_of", "inputs_of_case"]

PET, LESIONS = "pet", "lesions"
"""Names of the arrays."""
SUV_MOST = 25.0
"""SUV is cut off here and divided by it: hotter is bladder, or a lesion that is as bad at 25 [A]."""
LOST_MOST = 0.05
"""Share of the accepted lesions' volume that may lie outside the field."""
HALF = 0.5
"""A voxel of the network is lesion where lesions fill half of it or more [A]."""
WAY = "field of 815 x 352 x 440 mm from 40 mm above the lower edge of the brain, linear, 1"
"""Names how inputs are prepared; raise the number with every change that alters them."""


def inputs_of(study: StudyArrays, size: Size = SMALL_SIZE) -> Arrays:
    """``pet``, SUV as float16, and ``lesions``, 0 or 1 as uint8, both of shape ``size`` (k, j, i).

    k runs from feet to head, j from front to back, i from right to left. The resampling to 3.3 x 5.5 x 5.5 mm and on to
    the network's size is one step. What the scan does not show has SUV 0.

    Raises:
        NotComputable: ``NO_AVID_LESION``: no accepted lesion; ``OUTSIDE_FIELD``: more than 5 % of their volume lies
            outside the field.
    """
    return _inputs(study.suv, study.ct_hu, study.lesion_map.with_array(study.counted), study.anatomy, size)


def inputs_of_case(case: Case, size: Size = SMALL_SIZE) -> Arrays:
    """The same of a case with its reference lesions.

    Raises:
        NotComputable: ``REFERENCE_MISSING``, and as :func:`inputs_of`.
    """
    if case.lesions is None:
        raise NotComputable("REFERENCE_MISSING", "a case without a lesion map cannot teach the network")
    return _inputs(case.suv, case.ct_hu, case.lesions.with_array(case.lesions.array > 0), case.anatomy, size)


def image_of(pet: npt.NDArray[Any]) -> torch.Tensor:
    """What the network is given: float32, 0 to 1, of the shape of ``pet``, SUV."""
    return torch.from_numpy(np.clip(pet.astype(np.float32), 0.0, SUV_MOST) / np.float32(SUV_MOST))


def _inputs(suv: Volume, ct_hu: Volume, lesions: Volume, anatomy: Anatomy, size: Size) -> Arrays:
    if not lesions.array.any():
        raise NotComputable("NO_AVID_LESION", "judges patients with an avid lesion alone")
    place = place_field(suv, ct_hu, anatomy)
    lost = outside_share(lesions, place)
    if lost > LOST_MOST:
        raise NotComputable(
            "OUTSIDE_FIELD", f"{lost:.0%} of the lesions' volume lies outside the field that the network sees"
        )
    grid = field_grid(place, size)
    pet = resample_like(suv, grid, fill=0.0, interpolation="linear").array
    filled = resample_like(lesions, grid, fill=0.0, interpolation="linear").array
    most = np.finfo(np.float16).max
    return {PET: np.clip(pet, 0.0, most).astype(np.float16), LESIONS: (filled >= HALF).astype(np.uint8)}
