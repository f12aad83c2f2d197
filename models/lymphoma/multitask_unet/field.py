"""The field that the network sees: 815 mm from the skull base downward, centred on the body; the rest is cut off.

The paper crops 247 x 80 x 64 voxels of 3.3 x 5.5 x 5.5 mm out of scans that begin at the skull base "to remove empty
area" and says not where. Here the field begins at the skull base of any scan, so that a head in view changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.body import body_mask, head_axis
from lymphoma.imaging.volume import Volume
from lymphoma.multitask_unet.shape import Size

__all__ = ["FIELD_MM", "FieldPlace", "field_grid", "outside_share", "place_field"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

FIELD_MM = (247 * 3.3, 64 * 5.5, 80 * 5.5)
"""Length, depth and width: 815 x 352 x 440 mm (k, j, i)."""
ABOVE_MM = 40.0
"""The field begins so far above the lower edge of the brain: the cerebellum hangs below the base that a scan "from the
skull base" is planned on (the line from orbit to ear), and the nasopharynx lies before it [A]."""
HEAD_MM = 110.0
"""From the vertex to where the field begins, where the brain is not known [A]."""
BRAIN_CM2, BRAIN_ML = 5.0, 20.0
"""A slice with less brain, or a brain with less volume, is a mistake of the organ map [A]."""
HEAD_CM2 = 75.0
"""The least section of a head below its vertex; a raised forearm is smaller [A]."""
VERTEX_MM = 15.0
"""That section lies so far below the vertex [A]."""
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
    axis, way = head_axis(suv)
    heights = _heights_mm(suv, axis)[::way]
    top, found_by = _top_mm(_sections(body, axis, way), heights, suv, anatomy)
    return FieldPlace(top, _middle_mm(suv, body, top), found_by)


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


def _top_mm(sections: Bools, heights: Floats, grid: Volume, anatomy: Anatomy) -> tuple[float, str]:
    axis, way = head_axis(grid)
    step = float(grid.spacing_mm[::-1][axis])
    pixel_cm2 = grid.voxel_volume_ml * 10.0 / step
    seen = np.flatnonzero(sections.any(axis=(1, 2)))
    end = float(heights[seen[-1]]) + step / 2 if len(seen) else float(heights[-1]) + step / 2
    if anatomy.has("brain"):
        brain = _sections(anatomy.mask("brain"), axis, way).sum(axis=(1, 2)) * pixel_cm2
        if (low := _lowest_of_largest_run(brain, step)) is not None:
            return min(float(heights[low]) - step / 2 + ABOVE_MM, end), "brain"
        return end, "profile"  # the map knows a brain and finds none: the scan begins below it
    if anatomy.has("skull") and (skull := anatomy.mask("skull")).any():
        highest = int(np.flatnonzero(_sections(skull, axis, way).any(axis=(1, 2)))[-1])
        return float(heights[highest]) + step / 2 - HEAD_MM, "skull"
    return _by_profile(sections, heights, pixel_cm2, end), "profile"


def _by_profile(sections: Bools, heights: Floats, pixel_cm2: float, end: float) -> float:
    """Below the vertex, the highest large section; where the scan ends in one, it begins there."""
    large = np.array([_largest(section) * pixel_cm2 >= HEAD_CM2 for section in sections])
    found = np.flatnonzero(large)
    if not len(found) or found[-1] == len(large) - 1:
        return end
    return min(float(heights[found[-1]]) + VERTEX_MM - HEAD_MM, end)


def _lowest_of_largest_run(area_cm2: Floats, step_mm: float) -> int | None:
    """The lowest slice of the largest connected run of slices with an organ."""
    labels, count = ndimage.label(area_cm2 >= BRAIN_CM2)
    if not count:
        return None
    volumes = ndimage.sum(area_cm2, labels, np.arange(1, count + 1)) * step_mm / 10.0
    best = int(np.argmax(volumes))
    return int(np.flatnonzero(labels == best + 1)[0]) if volumes[best] >= BRAIN_ML else None


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


def _sections(mask: Bools, axis: int, way: int) -> Bools:
    """Sections across the patient, feet first."""
    return np.moveaxis(mask, axis, 0)[::way]


def _heights_mm(grid: Volume, axis: int) -> Floats:
    """Patient z of each section's middle, in the array's order."""
    index = np.tile((np.array(grid.array.shape) - 1) / 2, (grid.array.shape[axis], 1))
    index[:, axis] = np.arange(grid.array.shape[axis])
    return np.asarray(grid.points_mm(index)[:, 2])


def _largest(section: Bools) -> int:
    labels, count = ndimage.label(section)
    return int(np.bincount(labels.ravel())[1:].max()) if count else 0
