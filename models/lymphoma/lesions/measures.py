"""The measures of each lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from lymphoma.imaging.volume import Volume
from lymphoma.lesions.peak import PeakSphere

__all__ = ["LesionMeasures", "longest_diameter_mm", "measure_lesions"]

Point = tuple[float, float, float]


@dataclass(frozen=True)
class LesionMeasures:
    """One lesion, measured on the PET grid.

    Attributes:
        number: its label in the lesion map.
        suv_peak: largest mean in a 1 mL sphere centred anywhere in the lesion (global SUVpeak).
        suv_peak_at_max: mean in the 1 mL sphere centred on the hottest voxel.
        suv_mean: mean over the lesion's voxels. tlg_g: ``suv_mean`` times ``volume_ml`` (1 mL weighs 1 g).
        longest_diameter_mm: see :func:`longest_diameter_mm`.
        centroid_mm: mean of the voxel centres, LPS, not weighted by uptake.
        hottest_mm, hottest_kji: centre and array index of the hottest voxel; ties: the first in array order.
    """

    number: int
    voxels: int
    volume_ml: float
    suv_max: float
    suv_peak: float
    suv_peak_at_max: float
    suv_mean: float
    tlg_g: float
    longest_diameter_mm: float
    centroid_mm: Point
    hottest_mm: Point
    hottest_kji: tuple[int, int, int]


def measure_lesions(suv: Volume, lesion_map: Volume) -> tuple[LesionMeasures, ...]:
    """Measures of every lesion of the map, by ascending number; an empty map gives an empty tuple.

    Args:
        suv: SUV (body weight, g/mL). lesion_map: labels on the same grid, 0 background.

    Raises:
        ValueError: the two grids differ.
    """
    if not suv.same_grid(lesion_map):
        raise ValueError("the lesion map is not on the grid of the PET")
    labels = lesion_map.array.astype(np.int32, copy=False)
    sphere = PeakSphere(suv.affine[:3, :3])
    return tuple(
        _measure(suv, labels, number, box, sphere)
        for number, box in enumerate(ndimage.find_objects(labels), start=1)
        if box is not None
    )


def _measure(
    suv: Volume, labels: npt.NDArray[np.int32], number: int, box: tuple[slice, ...], sphere: PeakSphere
) -> LesionMeasures:
    corner = np.array([part.start for part in box])
    inside = np.argwhere(labels[box] == number)
    values = suv.array[box][tuple(inside.T)].astype(np.float64)
    hottest = inside[int(np.argmax(values))]
    padded = _padded(suv.array, box, sphere.reach)
    reach = np.asarray(sphere.reach)
    volume_ml, suv_mean = len(values) * suv.voxel_volume_ml, float(values.mean())
    return LesionMeasures(
        number=number,
        voxels=len(values),
        volume_ml=volume_ml,
        suv_max=float(values.max()),
        suv_peak=sphere.peak(padded, inside + reach),
        suv_peak_at_max=sphere.mean_at(padded, hottest + reach),
        suv_mean=suv_mean,
        tlg_g=suv_mean * volume_ml,
        longest_diameter_mm=longest_diameter_mm(inside, suv.affine[:3, :3]),
        centroid_mm=_point(suv.points_mm(inside.mean(axis=0) + corner)),
        hottest_mm=_point(suv.points_mm(hottest + corner)),
        hottest_kji=(int(hottest[0] + corner[0]), int(hottest[1] + corner[1]), int(hottest[2] + corner[2])),
    )


def _point(xyz_mm: npt.NDArray[np.float64]) -> Point:
    return float(xyz_mm[0]), float(xyz_mm[1]), float(xyz_mm[2])


def _padded(array: npt.NDArray[np.generic], box: tuple[slice, ...], reach: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """``array[box]`` grown by ``reach`` on every side, NaN where the image ends."""
    wanted = [(part.start - r, part.stop + r) for part, r in zip(box, reach, strict=True)]
    inside = tuple(slice(max(0, a), min(n, b)) for (a, b), n in zip(wanted, array.shape, strict=True))
    missing = [(max(0, -a), max(0, b - n)) for (a, b), n in zip(wanted, array.shape, strict=True)]
    return np.pad(array[inside].astype(np.float64), missing, constant_values=np.nan)


def longest_diameter_mm(voxels_kji: npt.NDArray[np.int64], lattice: npt.NDArray[np.float64]) -> float:
    """Largest distance between two points of a lesion's surface (3-D Feret diameter).

    The surface is the IBSI triangle mesh of the mask at level 0.5: its vertices lie on the faces of the voxels,
    half a step from voxel centres along the axes (IBSI reference manual, "Maximum 3D diameter"). The two ends of
    the diameter are vertices of its convex hull.

    Args:
        voxels_kji: shape (n, 3), n >= 1. lattice: shape (3, 3), columns are the steps (i, j, k) in mm.
    """
    halves = np.concatenate((np.eye(3), -np.eye(3))) / 2
    ends = _row_ends(voxels_kji)
    surface = np.unique((ends[:, np.newaxis] + halves).reshape(-1, 3), axis=0)
    hull = surface[ConvexHull(surface).vertices]
    return float(pdist(hull[:, ::-1] @ lattice.T).max())


def _row_ends(voxels_kji: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """First and last voxel of every row: no other voxel can be a corner of the convex hull."""
    order = np.lexsort(voxels_kji.T[::-1])
    rows = voxels_kji[order]
    changes = np.any(np.diff(rows[:, :2], axis=0) != 0, axis=1)
    first, last = np.concatenate(([True], changes)), np.concatenate((changes, [True]))
    return rows[first | last]
