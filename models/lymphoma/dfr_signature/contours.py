"""Contours as another reader might have drawn them: what the repeatability of a feature is measured with.

The paper compares the contours of two readers, which a cohort seldom has. Here they are the contour as drawn and the
same made smaller, larger, or moved by one voxel [A].
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.imaging.volume import Volume

__all__ = ["PERTURBATIONS", "Perturbation", "perturbed"]

Perturbation = Literal["eroded", "dilated", "shifted"]
PERTURBATIONS: tuple[Perturbation, ...] = get_args(Perturbation)
SHIFT_KJI = (1, 1, 1)
"""By so many voxels along each axis of the array: a diagonal, so that section, row and column all change [A]."""
FACES = ndimage.generate_binary_structure(3, 1)


def perturbed(lesions: Volume, how: Perturbation) -> Volume:
    """The voxels of all lesions after each was changed by one voxel; bool, on the same grid.

    "eroded" and "dilated" take away and add the voxels that touch the lesion's surface by a face; beyond the grid a
    lesion is taken to go on, so that erosion leaves its rim there. "shifted" moves it by one voxel along all three
    axes. A lesion that would vanish keeps its voxels.

    Args:
        lesions: whole numbers 1..n, 0 for background; lesions of one number move as one.
    """
    labels = lesions.array
    if how == "dilated":
        return lesions.with_array(np.asarray(ndimage.binary_dilation(labels > 0, FACES)))
    found = np.zeros(labels.shape, dtype=np.bool_)
    for number, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1):
        if box is None:
            continue
        lesion = labels[box] == number
        if how == "eroded":
            found[box] |= _or_drawn(_eroded(labels, number, box), lesion)
            continue
        at = np.argwhere(lesion) + [one.start for one in box]
        moved = at + np.asarray(SHIFT_KJI)
        moved = moved[(moved < labels.shape).all(axis=1)]
        found[tuple((moved if len(moved) else at).T)] = True
    return lesions.with_array(found)


Box = tuple[slice, ...]
Bools = npt.NDArray[np.bool_]


def _eroded(labels: npt.NDArray[np.integer], number: int, box: Box) -> Bools:
    """Within the box; a voxel of margin shows what touches it, and beyond the grid the lesion goes on."""
    wide = tuple(slice(max(0, one.start - 1), one.stop + 1) for one in box)
    inner = ndimage.binary_erosion(labels[wide] == number, FACES, border_value=1)
    back = tuple(slice(one.start - w.start, one.stop - w.start) for one, w in zip(box, wide, strict=True))
    return np.asarray(inner[back])


def _or_drawn(changed: Bools, lesion: Bools) -> Bools:
    return changed if changed.any() else lesion
