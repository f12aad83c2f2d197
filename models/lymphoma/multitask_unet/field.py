"""The field that the network sees: 815 mm from the skull base downward, centred on the body; the rest is cut off.

The paper crops 247 x 80 x 64 voxels of 3.3 x 5.5 x 5.5 mm out of scans that begin at the skull base "to remove empty
area" and says not where. Here the field begins at the skull base of any scan, so that a head in view changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.skull_base import skull_base
from lymphoma.imaging.body import body_mask
from lymphoma.imaging.volume import Volume
from lymphoma.multitask_unet.shape import Size

__all__ = ["FIELD_MM", "FieldPlace", "field_grid", "outside_share", "place_field"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

FIELD_MM = (247 * 3.3, 64 * 5.5, 80 * 5.5)
"""Length, depth and width: 815 x 352 x 440 mm (k, j, i)."""
EDGE_SHARE = 0.005
"""Share of the body's voxels that may lie beyond each side when its middle is found: a hand, a tube [A]."""
STRIDE = 2
"""Every second voxel along each axis is enough to find the middle of a body."""


@dataclass(frozen=True)
class FieldPlace:
    """Where the field lies in the patient.

    Attributes:
        top_mm: patient z of its upper edge. centre_mm: patient (x, y) of its middle.
        found_by: "brain", "skull" or "profile".
    """

    top_mm: float
    centre_mm: tuple[float, float]
    found_by: str


def place_field(suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> FieldPlace:
    """The field of a patient: by the brain; without one by the top of the skull; else by the body's profile.

    A scan that does not reach the skull base has its field begin where the body does.

    Args:
        suv, ct_hu: on one grid.
    """
    body = body_mask(suv, ct_hu)
    base = skull_base(suv, body, anatomy)
    return FieldPlace(base.top_mm, _middle_mm(suv, body, base.top_mm), base.found_by)


def field_grid(place: FieldPlace, size: Size) -> Volume:
    """The field in ``size`` voxels (k, j, i), feet to head, front to back, right to left; no values."""
    step = np.array(FIELD_MM) / size
    affine = np.diag([step[2], step[1], step[0], 1.0])
    affine[0, 3] = place.centre_mm[0] - FIELD_MM[2] / 2 + step[2] / 2
    affine[1, 3] = place.centre_mm[1] - FIELD_MM[1] / 2 + step[1] / 2
    affine[2, 3] = place.top_mm - FIELD_MM[0] + step[0] / 2
    return Volume(np.broadcast_to(np.uint8(0), size), affine)


def outside_share(mask: Volume, place: FieldPlace) -> float:
    """Share of a mask's voxels whose centres lie outside the field; 0 of an empty one."""
    points = mask.points_mm(np.argwhere(mask.array))
    if not len(points):
        return 0.0
    x, y = place.centre_mm
    middle = np.array([x, y, place.top_mm - FIELD_MM[0] / 2])
    return float((np.abs(points - middle) > np.array(FIELD_MM[::-1]) / 2).any(axis=1).mean())


def _middle_mm(grid: Volume, body: Bools, top_mm: float) -> tuple[float, float]:
    """Middle of the body within the field's length; of the grid where there is no body."""
    thin = body[::STRIDE, ::STRIDE, ::STRIDE]
    points = grid.points_mm(np.argwhere(thin) * STRIDE)
    points = points[(points[:, 2] <= top_mm) & (points[:, 2] >= top_mm - FIELD_MM[0])]
    if not len(points):
        points = grid.points_mm([[0, 0, 0], [n - 1 for n in grid.array.shape]])
    low, high = np.quantile(points[:, :2], [EDGE_SHARE, 1 - EDGE_SHARE], axis=0)
    x, y = ((low + high) / 2).tolist()
    return x, y
