"""Where the skull base lies, from which the fields of several systems hang.

By the brain of an organ map; without one by the top of the skull; else by the profile of the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.body import head_axis
from lymphoma.imaging.volume import Volume

__all__ = ["ABOVE_MM", "SkullBase", "skull_base"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

ABOVE_MM = 40.0
"""A field begins so far above the lower edge of the brain: the cerebellum hangs below the base that a scan "from the
skull base" is planned on (the line from orbit to ear), and the nasopharynx lies before it [A]."""
HEAD_MM = 110.0
"""From the vertex to where a field begins, where the brain is not known [A]."""
BRAIN_CM2, BRAIN_ML = 5.0, 20.0
"""A slice with less brain, or a brain with less volume, is a mistake of the organ map [A]."""
HEAD_CM2 = 75.0
"""The least section of a head below its vertex; a raised forearm is smaller [A]."""
VERTEX_MM = 15.0
"""That section lies so far below the vertex [A]."""


@dataclass(frozen=True)
class SkullBase:
    """Attributes: top_mm: patient z of the upper edge of a field that begins here. found_by: what told it."""

    top_mm: float
    found_by: Literal["brain", "skull", "profile"]


def skull_base(grid: Volume, body: Bools, anatomy: Anatomy) -> SkullBase:
    """Where a field that hangs from the skull base begins; a scan that does not reach it begins where the body does.

    Args:
        grid: of the PET. body: of the patient, the grid's shape.
    """
    axis, way = head_axis(grid)
    heights, sections = _heights_mm(grid, axis)[::way], _sections(body, axis, way)
    step = float(grid.spacing_mm[::-1][axis])
    pixel_cm2 = grid.voxel_volume_ml * 10.0 / step
    seen = np.flatnonzero(sections.any(axis=(1, 2)))
    end = float(heights[seen[-1]]) + step / 2 if len(seen) else float(heights[-1]) + step / 2
    if anatomy.has("brain"):
        brain = _sections(anatomy.mask("brain"), axis, way).sum(axis=(1, 2)) * pixel_cm2
        if (low := _lowest_of_largest_run(brain, step)) is not None:
            return SkullBase(min(float(heights[low]) - step / 2 + ABOVE_MM, end), "brain")
        return SkullBase(end, "profile")  # the map knows a brain and finds none: the scan begins below it
    if anatomy.has("skull") and (skull := anatomy.mask("skull")).any():
        highest = int(np.flatnonzero(_sections(skull, axis, way).any(axis=(1, 2)))[-1])
        return SkullBase(float(heights[highest]) + step / 2 - HEAD_MM, "skull")
    return SkullBase(_by_profile(sections, heights, pixel_cm2, end), "profile")


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
