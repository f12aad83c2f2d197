"""Grids of every orientation and simple solids on them, for the tests of the science."""

from __future__ import annotations

import numpy as np
from lymphoma.imaging import Volume


def affine(spacing=(4.0, 4.0, 4.0), origin=(0.0, 0.0, 0.0), rotation=None) -> np.ndarray:
    """Steps (x, y, z) along columns, rows, slices; ``rotation`` (3, 3) turns (or flips) the axes."""
    result = np.eye(4)
    result[:3, :3] = (np.eye(3) if rotation is None else np.asarray(rotation, float)) * np.asarray(spacing)
    result[:3, 3] = origin
    return result


def turn(degrees: float, about: int) -> np.ndarray:
    """Rotation about a patient axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    result = np.eye(3)
    a, b = [n for n in range(3) if n != about]
    result[a, a], result[b, b], result[a, b], result[b, a] = c, c, -s, s
    return result


OBLIQUE = turn(20, 0) @ turn(-35, 1) @ turn(50, 2)
FLIPPED = np.diag([-1.0, 1.0, -1.0])
PERMUTED = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
ORIENTATIONS = {"axial": np.eye(3), "flipped": FLIPPED, "permuted": PERMUTED, "oblique": OBLIQUE}


def zeros(shape, **geometry) -> Volume:
    """An empty float32 volume; ``geometry`` as in :func:`affine`."""
    return Volume(np.zeros(shape, np.float32), affine(**geometry))


def centres_mm(grid: Volume) -> np.ndarray:
    """Patient coordinates of all voxel centres, shape (*grid, 3)."""
    return grid.points_mm(np.moveaxis(np.indices(grid.array.shape), 0, -1))


def middle_mm(grid: Volume) -> np.ndarray:
    """The middle of the grid in the patient."""
    return grid.points_mm((np.asarray(grid.array.shape) - 1) / 2)


def ball(grid: Volume, centre_mm, radius_mm) -> np.ndarray:
    """Voxels whose centre lies in a ball."""
    return np.linalg.norm(centres_mm(grid) - centre_mm, axis=-1) <= radius_mm
