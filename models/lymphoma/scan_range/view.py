"""A scan on one coarse grid, as the range check measures it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.body import body_mask, filled_sections, head_axis
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.imaging.working import body_box, crop, working_grid

__all__ = ["AIR_HU", "Mask", "ScanView", "oriented", "view_of"]

WORKING_MM = 6.0
AIR_HU = -1000.0
PET_BODY_SUV = 0.2
"""Subcutaneous fat, the faintest tissue, reads about 0.3; the noise of air falls below after one opening [A]."""

SMALLEST_PART = 0.02
"""Share of the largest part of the body that a further one, a leg or a raised arm, must have."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ScanView:
    """PET, CT and organs in voxels of about 6 mm, cut to the body, the first axis from foot to head.

    Attributes:
        suv, ct_hu: float32. organs: labels. names: label -> organ, of the anatomy network's classes.
    """

    suv: Volume
    ct_hu: Volume
    organs: npt.NDArray[np.integer[Any]]
    names: Mapping[int, str]

    @cached_property
    def ct_body(self) -> Mask:
        """The body as CT shows it, lungs included."""
        return body_mask(self.suv, self.ct_hu)

    @cached_property
    def pet_body(self) -> Mask:
        """The body as PET shows it."""
        found = filled_sections(ndimage.binary_opening(self.suv.array > PET_BODY_SUV), 0)
        labels, count = ndimage.label(found)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        kept = np.concatenate(([False], sizes >= SMALLEST_PART * sizes.max(initial=0)))
        return np.asarray(kept[labels])

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return self.suv.voxel_volume_ml

    def organ(self, *names: str) -> Mask:
        """Voxels of organs together; all False where they are not seen."""
        wanted = [label for label, name in self.names.items() if name in names]
        return np.asarray(np.isin(self.organs, wanted))

    def centre_mm(self, mask: Mask) -> npt.NDArray[np.float64]:
        """Centroid (x to the left, y to the back, z to the head) in mm; NaN of nothing."""
        found = np.argwhere(mask)
        return self.suv.points_mm(found.mean(axis=0)) if len(found) else np.full(3, np.nan)


def view_of(suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> ScanView:
    """The view of a scan; CT and organs lie on the grid of ``suv``, which may be oblique but not sagittal."""
    suv, ct_hu = oriented(suv), oriented(ct_hu)
    grid = working_grid(suv, WORKING_MM)
    coarse_suv = resample_like(suv, grid, fill=0.0, interpolation="linear")
    coarse_ct = resample_like(ct_hu, grid, fill=AIR_HU, interpolation="linear")
    box = body_box(coarse_suv, coarse_ct, margin=1)
    if anatomy.organs is None:
        organs: npt.NDArray[np.integer[Any]] = np.zeros(grid.array.shape, dtype=np.uint8)
    else:
        organs = resample_like(oriented(anatomy.organs), grid, fill=0, interpolation="nearest").array
    return ScanView(crop(coarse_suv, box), crop(coarse_ct, box), organs[box], anatomy.names)


def oriented(volume: Volume) -> Volume:
    """The same values where they lie, with the array's first axis running towards the head."""
    axis, towards_head = head_axis(volume)
    if axis == 0 and towards_head > 0:
        return volume
    order = (axis, *(one for one in range(3) if one != axis))
    array = np.transpose(volume.array, order)
    affine = volume.affine.copy()
    affine[:3, :3] = volume.affine[:3, [2 - order[2], 2 - order[1], 2 - order[0]]]
    if towards_head < 0:
        array = array[::-1]
        affine[:3, 3] = affine[:3, 3] + affine[:3, 2] * (array.shape[0] - 1)
        affine[:3, 2] = -affine[:3, 2]
    return Volume(np.ascontiguousarray(array), affine)
