"""Maximum intensity projections of the PET in the patient's own orientation, with the outlines of the lesions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from lymphoma.imaging import Volume
from scipy import ndimage
from skimage.measure import find_contours

__all__ = ["PIXEL_MM", "SUV_WINDOW", "Outline", "Projection", "coronal_mip", "patient_aligned", "sagittal_mip"]

SUV_WINDOW = (0.0, 7.0)
"""SUV shown as white and as black (PET's inverted greys)."""

PIXEL_MM = 1.5
"""Edge of a projection's square pixels in mm."""

_BODY_SUV = 0.15
_MARGIN_MM = 12.0
_HALF_VOXEL = 0.5

Plane = Literal["coronal", "sagittal"]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outline:
    """The silhouette of one lesion.

    Attributes:
        number: of the lesion. rings: polygons to be closed, each of shape (n, 2): (right, down) in mm from the top left
            corner of the picture. centre_mm: (right, down) of the middle of the silhouette.
        left_mm, right_mm: its outermost edges on the height of ``centre_mm``.
    """

    number: int
    rings: tuple[Points, ...]
    centre_mm: tuple[float, float]
    left_mm: float
    right_mm: float


@dataclass(frozen=True, eq=False)
class Projection:
    """A projection as a picture.

    Coronal: seen from the front, the patient's right on the left. Sagittal: seen from the patient's left, the front
    on the left. Head up in both. The sides are cropped to the body, the height never.

    Attributes:
        grey: shape (rows, columns), uint8; 255 is the lower end of ``SUV_WINDOW``, 0 the upper and beyond.
        width_mm, height_mm: outer size of the picture.
    """

    plane: Plane
    grey: npt.NDArray[np.uint8]
    width_mm: float
    height_mm: float
    outlines: tuple[Outline, ...]


def coronal_mip(suv: Volume, lesion_map: Volume) -> Projection:
    """Projection along the patient's front-to-back axis.

    Args:
        suv: SUV in g/mL, any orientation. lesion_map: labels on the same grid, 0 background.
    """
    return _project(suv, lesion_map, "coronal")


def sagittal_mip(suv: Volume, lesion_map: Volume) -> Projection:
    """Projection along the patient's right-to-left axis; arguments as for :func:`coronal_mip`."""
    return _project(suv, lesion_map, "sagittal")


def _project(suv: Volume, lesion_map: Volume, plane: Plane) -> Projection:
    if not suv.same_grid(lesion_map):
        raise ValueError("the lesion map is not on the grid of the PET")
    values, spacing = patient_aligned(suv, sitk.sitkLinear)
    labels, _ = patient_aligned(lesion_map, sitk.sitkNearestNeighbor)
    # Aligned arrays run (z from the head down, y to the back, x to the patient's left).
    along, across = (1, 2) if plane == "coronal" else (2, 1)
    step_down, step_across = spacing[2], spacing[2 - across]
    flat = np.nan_to_num(values.max(axis=along)).astype(np.float32)
    silhouettes = _silhouettes(labels, along)
    first, last = _body_columns(flat, silhouettes, step_across)
    flat = flat[:, first:last]
    outlines = tuple(
        _outline(number, mask, (top, left - first), (step_down, step_across))
        for number, mask, (top, left) in silhouettes
    )
    height, width = flat.shape[0] * step_down, flat.shape[1] * step_across
    return Projection(plane, _grey(flat, height, width), width, height, outlines)


def patient_aligned(volume: Volume, interpolator: int) -> tuple[npt.NDArray[Any], tuple[float, float, float]]:
    """The array with axes (head to foot, front to back, right to left) and its spacing (x, y, z) in mm.

    A grid whose axes stray from the patient's by less than half a voxel over its whole length is only turned round;
    any other is resampled.
    """
    spacing = volume.spacing_mm
    directions = volume.affine[:3, :3] / spacing
    nearest = np.abs(directions).argmax(axis=0)  # patient axis of each grid axis (i, j, k)
    exact = np.zeros((3, 3))
    exact[nearest, range(3)] = np.sign(directions[nearest, range(3)])
    stray_mm = np.abs((directions - exact) * volume.extent_mm).max()
    if len(set(nearest.tolist())) < 3 or stray_mm > _HALF_VOXEL * spacing.min():
        return _resampled(volume, interpolator)
    order = [2 - int(np.flatnonzero(nearest == axis)[0]) for axis in (2, 1, 0)]
    array = volume.array.transpose(order)
    # LPS: x grows to the left, y to the back, z to the head; the picture wants z from the head down.
    steps = [int(exact[axis, 2 - order[2 - axis]]) for axis in (2, 1, 0)]
    array = array[:: -steps[0], :: steps[1], :: steps[2]]
    x, y, z = (float(spacing[2 - order[2 - axis]]) for axis in range(3))
    return array, (x, y, z)


def _resampled(volume: Volume, interpolator: int) -> tuple[npt.NDArray[Any], tuple[float, float, float]]:
    step = float(volume.spacing_mm.min())
    edges = np.array([[-0.5, n - 0.5] for n in volume.array.shape])
    corners = volume.points_mm(np.stack(np.meshgrid(*edges, indexing="ij"), axis=-1).reshape(-1, 3))
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = np.ceil((high - low) / step).astype(int)
    grid = sitk.Image([int(n) for n in size], sitk.sitkUInt8)
    grid.SetSpacing([step] * 3)
    grid.SetOrigin((low + step / 2).tolist())
    resampled = sitk.Resample(volume.to_sitk(), grid, sitk.Transform(), interpolator, 0.0)
    return sitk.GetArrayFromImage(resampled)[::-1], (step, step, step)


def _silhouettes(labels: npt.NDArray[Any], along: int) -> list[tuple[int, npt.NDArray[np.bool_], tuple[int, int]]]:
    """Each lesion's projected mask with the (row, column) of its corner."""
    places = np.nonzero(labels)
    numbers = labels[places]
    order = np.argsort(numbers, kind="stable")
    rows, columns = (side[order] for axis, side in enumerate(places) if axis != along)
    kinds, starts = np.unique(numbers[order], return_index=True)
    found = []
    for number, start, end in zip(kinds.tolist(), starts, np.append(starts, len(order))[1:], strict=True):
        down, across = rows[start:end], columns[start:end]
        top, left = int(down.min()), int(across.min())
        mask = np.zeros((int(down.max()) - top + 1, int(across.max()) - left + 1), dtype=np.bool_)
        mask[down - top, across - left] = True
        found.append((number, mask, (top, left)))
    return found


def _body_columns(flat: npt.NDArray[np.float32], silhouettes: list[Any], step_mm: float) -> tuple[int, int]:
    """First and one past the last column that hold the body or a lesion, with a margin."""
    seen = np.count_nonzero(flat > _BODY_SUV, axis=0) > 0.02 * flat.shape[0]
    for _, mask, (_, left) in silhouettes:
        seen[left : left + mask.shape[1]] = True
    columns = np.flatnonzero(seen)
    if columns.size == 0:
        return 0, flat.shape[1]
    margin = round(_MARGIN_MM / step_mm)
    return max(0, int(columns[0]) - margin), min(flat.shape[1], int(columns[-1]) + 1 + margin)


def _outline(
    number: int, mask: npt.NDArray[np.bool_], corner: tuple[int, int], step_mm: tuple[float, float]
) -> Outline:
    rings = tuple(
        # Contours count from the centre of the padding pixel at (-1, -1).
        np.stack([(ring[:, 1] - 0.5 + corner[1]) * step_mm[1], (ring[:, 0] - 0.5 + corner[0]) * step_mm[0]], axis=1)
        for ring in (_corners(one) for one in find_contours(np.pad(mask, 1).astype(np.float32), 0.5))
    )
    row = round((mask.shape[0] - 1) / 2)
    columns = np.flatnonzero(mask[row] if mask[row].any() else mask.any(axis=0))
    left = float(corner[1] + columns[0]) * step_mm[1]
    right = float(corner[1] + columns[-1] + 1) * step_mm[1]
    return Outline(number, rings, ((left + right) / 2, (corner[0] + row + 0.5) * step_mm[0]), left, right)


def _corners(ring: Points) -> Points:
    """A closed polygon (last point = first) without the points in the middle of straight edges."""
    points = ring[:-1]
    back, ahead = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = np.abs(back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]) > 1e-9
    return np.asarray(points[turns])


def _grey(flat: npt.NDArray[np.float32], height_mm: float, width_mm: float) -> npt.NDArray[np.uint8]:
    low, high = SUV_WINDOW
    target = max(1, round(height_mm / PIXEL_MM)), max(1, round(width_mm / PIXEL_MM))
    zoom = (target[0] / flat.shape[0], target[1] / flat.shape[1])
    # Clipped before as well as after: splines would ring around a bladder of SUV 60.
    smooth = ndimage.zoom(np.clip(flat, low, high), zoom, order=3, mode="nearest", grid_mode=True)
    return np.asarray(255 - np.round(255 * np.clip((smooth - low) / (high - low), 0, 1)), dtype=np.uint8)
