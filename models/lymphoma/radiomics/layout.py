"""The voxels of a region, laid out again in a small box.

All features but those of the shape see nothing of a region but its values and which of its voxels touch. A whole-body
region is a few parts with much air between; laid out close to each other, with one empty voxel between them, they give
the same matrices, and the library need not walk through millions of voxels that are not in the region.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Layout", "lay_out"]

Ints = npt.NDArray[np.int32]
GAP = 1


@dataclass(frozen=True, eq=False)
class Layout:
    """Attributes: at: (3, N) place of each voxel of the region, in array order of the region. shape: of the box."""

    at: Ints
    shape: tuple[int, int, int]

    def image(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(slices, rows, columns) with values (N,) in their places and 0 elsewhere."""
        made = np.zeros(self.shape)
        made[tuple(self.at)] = values
        return made

    def mask(self) -> npt.NDArray[np.uint8]:
        """1 in the region."""
        made = np.zeros(self.shape, dtype=np.uint8)
        made[tuple(self.at)] = 1
        return made


def lay_out(region: npt.NDArray[np.bool_]) -> Layout:
    """The smaller one of the region's own box and its parts (26-connected) one above the other.

    The library leaves out of the run lengths each direction in which no line meets two voxels of the region, however
    far apart they are. A region without neighbours in one of the 13 directions, as a flat one, keeps its own box
    therefore, where lines meet what they met before.

    Args:
        region: (slices, rows, columns), at least one voxel True.
    """
    coordinates = np.array(np.nonzero(region), dtype=np.int32)
    least = coordinates.min(axis=1)
    own = Layout(coordinates - least[:, None], _shape(coordinates.max(axis=1) - least + 1))
    if not _has_all_directions(own.mask()):
        return own
    box = tuple(slice(int(first), int(first) + size) for first, size in zip(least, own.shape, strict=True))
    labels, _ = ndimage.label(region[box], structure=np.ones((3, 3, 3)))
    found = ndimage.find_objects(labels)
    first = np.array([[part.start for part in one] for one in found], dtype=np.int32)
    size = np.array([[part.stop - part.start for part in one] for one in found], dtype=np.int32)
    heights = size[:, 0] + GAP
    starts = np.concatenate([[0], np.cumsum(heights)[:-1]]).astype(np.int32)
    shape = _shape([int(heights.sum()) - GAP, *size[:, 1:].max(axis=0)])
    if np.prod(shape) >= np.prod(own.shape):
        return own
    part = labels[tuple(own.at)] - 1
    moved = own.at - first[part].T
    moved[0] += starts[part]
    return Layout(moved, shape)


def _has_all_directions(mask: npt.NDArray[np.uint8]) -> bool:
    """Whether two voxels touch in each of the 13 directions."""
    for step in itertools.product((-1, 0, 1), repeat=3):
        if step <= (0, 0, 0):
            continue  # the opposite one, or none
        here = mask[tuple(slice(max(-one, 0), size - max(one, 0)) for one, size in zip(step, mask.shape, strict=True))]
        there = mask[tuple(slice(max(one, 0), size - max(-one, 0)) for one, size in zip(step, mask.shape, strict=True))]
        if not (here & there).any():
            return False
    return True


def _shape(sizes: npt.ArrayLike) -> tuple[int, int, int]:
    slices, rows, columns = (int(size) for size in np.asarray(sizes))
    return slices, rows, columns
