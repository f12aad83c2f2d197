"""Tissues that tell whether the scan can be believed: liver uptake, contrast in the blood."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume

__all__ = ["ct_contrast", "reference_liver"]

LIVER_RADIUS_MM = 15.0
"""A sphere of 3 cm (PERCIST 1.0; EANM guideline for quality control)."""

LIVER_LEAST_ML = 7.0
"""Half of that sphere (14.1 mL): with less of it in the liver, the liver counts as not seen."""

CONTRAST_HU = 90.0
"""Blood without contrast reads 30-50 HU, in the portal venous phase above 120 HU; an assumption between the two."""

BLOOD = ("aorta", "blood_pool")


def reference_liver(suv: Volume, anatomy: Anatomy) -> tuple[float, float]:
    """Mean and standard deviation (n - 1) of SUV in a sphere of 3 cm in the right lobe.

    The centre is the voxel of the right half of the liver (to the patient's right of the liver's centroid) that
    lies deepest, farthest from the liver's surface by Euclidean distance; ties: the first in array order. Voxels
    count when their centre is in the sphere and in the liver.

    Raises:
        NotComputable: NO_ANATOMY, the liver is not known, or less than 7 mL of the sphere lies in it.
    """
    liver = anatomy.mask("liver")
    found = ndimage.find_objects(liver.astype(np.uint8))
    if not found:
        raise NotComputable("NO_ANATOMY", "the liver does not lie in the field of view")
    box = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in found[0])
    inside = liver[box]
    corner = np.array([part.start for part in box])
    centre = _deepest_on_the_right(inside, corner, suv)
    voxels = np.argwhere(inside) + corner
    near = np.linalg.norm(suv.points_mm(voxels) - suv.points_mm(centre), axis=1) <= LIVER_RADIUS_MM
    values = suv.array[tuple(voxels[near].T)].astype(np.float64)
    if len(values) * suv.voxel_volume_ml < LIVER_LEAST_ML or len(values) < 2:
        raise NotComputable("NO_ANATOMY", "too little of the liver lies in the field of view")
    return float(values.mean()), float(values.std(ddof=1))


def _deepest_on_the_right(
    inside: npt.NDArray[np.bool_], corner: npt.NDArray[np.int64], grid: Volume
) -> npt.NDArray[np.int64]:
    """Array index in the grid; LPS x grows to the patient's left, so the right lobe has the smaller x."""
    padded = np.pad(inside, 1)
    depth_mm = np.asarray(ndimage.distance_transform_edt(padded, sampling=grid.spacing_mm[::-1]))[1:-1, 1:-1, 1:-1]
    voxels = np.argwhere(inside)
    x_mm = grid.points_mm(voxels + corner)[:, 0]
    right = voxels[x_mm <= x_mm.mean()]
    return np.asarray(right[int(np.argmax(depth_mm[tuple(right.T)]))] + corner)


def ct_contrast(ct_hu: Volume, anatomy: Anatomy) -> bool | None:
    """Whether the CT was taken with intravenous contrast: median of the aorta above 90 HU.

    The aorta's outermost voxels, half fat, are left out where enough remains.

    Returns:
        None where the aorta (or a blood pool) is not known or not in the field of view.
    """
    if not anatomy.has(*BLOOD):
        return None
    blood = anatomy.mask(*BLOOD)
    core = np.asarray(ndimage.binary_erosion(blood))
    values = ct_hu.array[core if core.any() else blood]
    return bool(np.median(values) > CONTRAST_HU) if values.size else None
