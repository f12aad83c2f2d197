"""The body in the field of view, without couch and air."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.imaging.volume import Volume

__all__ = ["body_mask", "filled_sections", "head_axis"]

BODY_HU = -300.0
"""Skin and fat lie above (fat -100 HU), lung, foam and air below."""

COUCH_SUV = 0.1
"""A part without any tracer is a couch or a pillow: subcutaneous fat, the faintest tissue, reads about 0.3."""

SMALLEST_PART = 0.02
"""Share of the largest part that a further part (the other leg, a raised arm) must have to count as body."""


def head_axis(volume: Volume) -> tuple[int, int]:
    """The array axis that runs along the patient, and which way.

    Returns:
        (axis 0..2 of the array, +1 if its index grows towards the head, -1 if towards the feet).
    """
    along_z = volume.affine[2, :3][::-1] / volume.spacing_mm[::-1]
    axis = int(np.argmax(np.abs(along_z)))
    return axis, 1 if along_z[axis] > 0 else -1


def body_mask(suv: Volume, ct_hu_on_pet: Volume) -> npt.NDArray[np.bool_]:
    """Voxels that belong to the patient.

    CT above -300 HU, opened once so that sheets of up to two voxels (couch shells, blankets) go; the largest
    connected part and every further part of at least 2 % of its size that holds tracer (mean SUV of 0.1; a couch
    holds none); gas and lungs enclosed in an axial section are filled. A cropped scan gives the body as far as seen.

    Args:
        suv: SUV on the PET grid. ct_hu_on_pet: Hounsfield units on the same grid.

    Returns:
        bool, the shape of the grid; all False where there is only air.
    """
    solid = ct_hu_on_pet.array > BODY_HU
    labels, count = ndimage.label(_opened(solid))
    if count == 0:
        return np.zeros(suv.array.shape, dtype=np.bool_)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    means = np.asarray(ndimage.mean(suv.array, labels, np.arange(1, count + 1)))
    holds_tracer = means >= COUCH_SUV
    largest = int(np.argmax(np.where(holds_tracer, sizes, 0) if holds_tracer.any() else sizes))
    kept = holds_tracer & (sizes >= SMALLEST_PART * sizes[largest])
    kept[largest] = True
    body = np.concatenate(([False], kept))[labels]
    return filled_sections(body, head_axis(suv)[0])


def _opened(solid: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Opening by one voxel; beyond the grid the tissue is taken to go on, so that a cropped body keeps its rim."""
    inner = (slice(1, -1),) * 3
    return np.asarray(ndimage.binary_opening(np.pad(solid, 1, mode="edge")))[inner]


def filled_sections(body: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.bool_]:
    """Holes of each section across ``axis`` filled: background that does not reach the section's border."""
    in_plane = np.zeros((3, 3, 3), dtype=np.bool_)
    plane = ndimage.generate_binary_structure(2, 1)
    in_plane[tuple(1 if a == axis else slice(None) for a in range(3))] = plane
    background, count = ndimage.label(~body, structure=in_plane)
    reaches_border = np.zeros(count + 1, dtype=np.bool_)
    for other in {0, 1, 2} - {axis}:
        for end in (0, -1):
            reaches_border[np.take(background, end, axis=other)] = True
    return np.asarray(body | ~reaches_border[background])
