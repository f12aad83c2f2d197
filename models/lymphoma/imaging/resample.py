"""One volume on the grid of another."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk

from lymphoma.imaging.volume import Volume

__all__ = ["resample_like", "resample_moved"]


def resample_like(moving: Volume, grid: Volume, *, fill: float, interpolation: Literal["linear", "nearest"]) -> Volume:
    """Values of ``moving`` at the voxel centres of ``grid``, both in the same patient space.

    Linear: where ``moving`` is at least twice as fine as the grid along one of its axes, its voxels are first
    averaged in whole blocks of floor(grid step / voxel edge), so that a grid voxel holds the mean of what lies in it
    and not one sample of it (a 1 mm CT on a 4 mm PET would alias, and its noise would stay). Then linear interpolation.
    Nearest: labels are kept as they are, never mixed.

    Args:
        fill: the value where ``moving`` has no data (-1024 HU for CT, 0 for masks).

    Returns:
        Array of ``grid``'s shape: float32 for "linear", the dtype of ``moving`` for "nearest".
    """
    if interpolation == "linear":
        kept = np.dtype(np.float32)
        image = moving.with_array(moving.array.astype(kept, copy=False)).to_sitk()
        image = _block_mean(image, _blocks(moving, grid))
        method = sitk.sitkLinear
    else:
        kept = moving.array.dtype
        image = moving.to_sitk()
        method = sitk.sitkNearestNeighbor
    moved = sitk.Resample(image, _empty_like(grid), sitk.Transform(), method, float(fill), image.GetPixelID())
    return grid.with_array(sitk.GetArrayFromImage(moved).astype(kept, copy=False))


def resample_moved(moving: Volume, grid: Volume, motion: sitk.Transform, *, fill: float) -> Volume:
    """As :func:`resample_like` with linear interpolation, of a volume that is also to be moved.

    Args:
        motion: takes a point of the grid (LPS, mm) to its place in ``moving``; small turns only, the blocks are those
            of the axes as they are.
    """
    image = moving.with_array(moving.array.astype(np.float32, copy=False)).to_sitk()
    image = _block_mean(image, _blocks(moving, grid))
    moved = sitk.Resample(image, _empty_like(grid), motion, sitk.sitkLinear, float(fill), image.GetPixelID())
    return grid.with_array(sitk.GetArrayFromImage(moved).astype(np.float32, copy=False))


def _empty_like(grid: Volume) -> sitk.Image:
    """The grid as a reference image; its values are never read."""
    return Volume(np.broadcast_to(np.uint8(0), grid.array.shape), grid.affine).to_sitk()


def _blocks(moving: Volume, grid: Volume) -> npt.NDArray[np.int64]:
    """How many voxels of ``moving`` fit into one step of the grid, along each (x, y, z) axis of ``moving``."""
    cosines = np.abs((moving.affine[:3, :3] / moving.spacing_mm).T @ (grid.affine[:3, :3] / grid.spacing_mm))
    step_mm = grid.spacing_mm[np.argmax(cosines, axis=1)]
    return np.asarray(np.maximum(1, np.floor(step_mm / moving.spacing_mm + 1e-3)), dtype=np.int64)


def _block_mean(image: sitk.Image, blocks: npt.NDArray[np.int64]) -> sitk.Image:
    """Means of whole blocks; the last, incomplete block of an axis is completed by repeating the edge."""
    blocks = np.minimum(blocks, image.GetSize())
    if np.all(blocks == 1):
        return image
    missing = (-np.asarray(image.GetSize())) % blocks
    if missing.any():
        image = sitk.ZeroFluxNeumannPad(image, [0, 0, 0], missing.tolist())
    return sitk.BinShrink(image, blocks.tolist())
