"""Maximum intensity projections of the PET from all around the body, and which lesion is seen in front.

The rays run at right angles to the body's long axis. A maximum along a ray is the same from both its ends, so that half
a turn of projections makes the whole; which lesion lies in front is looked up for every view.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from lymphoma.imaging import Volume
from PIL import Image
from scipy import ndimage, sparse

from nodal.report.mip import SUV_WINDOW, patient_aligned

__all__ = ["View", "turning_views"]

_BODY_SUV = 0.15
_BODY_SHARE = 0.02
"""Share of the slices in which a column must rise above ``_BODY_SUV`` to be body: a streak of noise does not."""
_MARGIN_MM = 10.0
_ROWS_AT_ONCE = 8
_Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class View:
    """The body seen at right angles to its long axis, head up.

    Attributes:
        angle_deg: of the viewer about that axis: 0 in front of the patient, 90 at the patient's left, 180 behind.
        grey: shape (rows, columns), uint8; 255 is the lower end of ``SUV_WINDOW``, 0 the upper and beyond.
        labels: on the same pixels; the number of the lesion that is nearest to the viewer, 0 for none.
    """

    angle_deg: float
    grey: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint16]

    @property
    def right_xy(self) -> tuple[float, float]:
        """Where the picture's right side points: (to the patient's left, to the back)."""
        angle = np.deg2rad(self.angle_deg)
        return float(np.cos(angle)), float(np.sin(angle))


@dataclass(frozen=True, eq=False)
class _Columns:
    """The columns of voxels, from head to foot, that hold body or lesion.

    Attributes:
        cells: shape (rows, columns) of the axial plane; the place of a column in the lists, or -1 for air.
        origin_mm: (x, y) of the plane's first cell from the axis of rotation. step_mm: (x, y) between cells.
        radius_mm: around the axis, holds all columns. slice_mm: between two voxels of a column.
        values: shape (columns, slices), 0..1 within the window. labels: the same shape.
    """

    cells: npt.NDArray[np.int64]
    origin_mm: tuple[float, float]
    step_mm: tuple[float, float]
    radius_mm: float
    values: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint16]
    slice_mm: float


def turning_views(suv: Volume, lesion_map: Volume, count: int, pixel_mm: float) -> list[View]:
    """Views from all around, at even steps; all have the same size.

    Args:
        suv: SUV in g/mL, any orientation. lesion_map: labels on the same grid, 0 background.
        count: of views, an even number. pixel_mm: edge of the square pixels.
    """
    if count % 2:
        raise ValueError("half a turn of views needs an even count")
    if not suv.same_grid(lesion_map):
        raise ValueError("the lesion map is not on the grid of the PET")
    columns = _columns(suv, lesion_map)
    angles = [360.0 * n / count for n in range(count)]
    half = [_grey(_projected(columns, angle), columns, pixel_mm) for angle in angles[: count // 2]]
    greys = [*half, *(np.ascontiguousarray(grey[:, ::-1]) for grey in half)]
    return [
        View(angle, grey, _smooth(_in_front(columns, angle), grey.shape))
        for angle, grey in zip(angles, greys, strict=True)
    ]


def _columns(suv: Volume, lesion_map: Volume) -> _Columns:
    values, spacing = patient_aligned(suv, sitk.sitkLinear)
    labels, _ = patient_aligned(lesion_map, sitk.sitkNearestNeighbor)
    low, high = SUV_WINDOW
    held = np.count_nonzero(values > _BODY_SUV, axis=0) > _BODY_SHARE * len(values)
    held |= labels.any(axis=0)
    if not held.any():
        held[:] = True
    places = np.argwhere(held)
    step = np.array([spacing[1], spacing[0]])  # (y, x), as the axes of the plane
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    radius = float(np.linalg.norm((places - middle) * step, axis=1).max()) + _MARGIN_MM
    cells = np.full(held.shape, -1, dtype=np.int64)
    cells[held] = np.arange(len(places))
    window = np.clip((np.nan_to_num(values[:, held].T) - low) / (high - low), 0.0, 1.0)
    return _Columns(
        cells,
        (float(-middle[1] * step[1]), float(-middle[0] * step[0])),
        (float(step[1]), float(step[0])),
        radius,
        np.ascontiguousarray(window, dtype=np.float32),
        np.ascontiguousarray(labels[:, held].T, dtype=np.uint16),
        spacing[2],
    )


def _samples(columns: _Columns, angle_deg: float) -> tuple[_Array, _Array]:
    """Points of a square turned with the viewer, as (row, column) of the plane, shape (depth, across); front first."""
    step = min(columns.step_mm)
    half = int(np.ceil(columns.radius_mm / step))
    along = np.arange(-half, half + 1) * step
    depth, across = np.meshgrid(along, along, indexing="ij")
    angle = np.deg2rad(angle_deg)
    x = across * np.cos(angle) - depth * np.sin(angle)
    y = across * np.sin(angle) + depth * np.cos(angle)
    (x0, y0), (dx, dy) = columns.origin_mm, columns.step_mm
    return (y - y0) / dy, (x - x0) / dx


def _projected(columns: _Columns, angle_deg: float) -> npt.NDArray[np.float32]:
    """Maxima along the rays, shape (slices, across): bilinear in the plane, each slice on its own."""
    row, column = _samples(columns, angle_deg)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = row - top, column - left
    padded = np.pad(columns.cells, 1, constant_values=-1)
    points = np.arange(row.size).reshape(row.shape)
    at, of, weights = [], [], []
    for below, beside in ((0, 0), (0, 1), (1, 0), (1, 1)):
        r = np.clip(top + below + 1, 0, padded.shape[0] - 1)
        c = np.clip(left + beside + 1, 0, padded.shape[1] - 1)
        cell = padded[r, c]
        share = np.abs(1 - below - down) * np.abs(1 - beside - right)
        kept = cell >= 0
        at.append(points[kept])
        of.append(cell[kept])
        weights.append(share[kept].astype(np.float32))
    shape = (row.size, len(columns.values))
    matrix = sparse.csr_array((np.concatenate(weights), (np.concatenate(at), np.concatenate(of))), shape=shape)
    width, slices = row.shape[1], columns.values.shape[1]
    found = np.zeros((width, slices), dtype=np.float32)
    # Some rows of the square at a time: all at once would take some hundred MB.
    for first in range(0, row.size, _ROWS_AT_ONCE * width):
        block = matrix[first : first + _ROWS_AT_ONCE * width]
        if block.nnz:
            np.maximum(found, (block @ columns.values).reshape(-1, width, slices).max(axis=0), out=found)
    return found.T


def _in_front(columns: _Columns, angle_deg: float) -> npt.NDArray[np.uint16]:
    """The nearest lesion along each ray, shape (slices, across)."""
    row, column = (np.rint(one).astype(int) + 1 for one in _samples(columns, angle_deg))
    padded = np.pad(columns.cells, 1, constant_values=-1)
    cells = padded[np.clip(row, 0, padded.shape[0] - 1), np.clip(column, 0, padded.shape[1] - 1)]
    lesioned = np.asarray(columns.labels.any(axis=1))
    found = np.zeros((cells.shape[1], columns.labels.shape[1]), dtype=np.uint16)
    for level in cells[::-1]:
        hit = np.flatnonzero((level >= 0) & lesioned[level])
        if hit.size:
            seen = columns.labels[level[hit]]
            found[hit] = np.where(seen > 0, seen, found[hit])
    return found.T


def _grey(flat: npt.NDArray[np.float32], columns: _Columns, pixel_mm: float) -> npt.NDArray[np.uint8]:
    rows = max(1, round(flat.shape[0] * columns.slice_mm / pixel_mm))
    across = max(1, round(flat.shape[1] * min(columns.step_mm) / pixel_mm))
    # Pillow's resampling is quick, and its version is part of every UID (nodal.report.drawing).
    fine = Image.fromarray(np.ascontiguousarray(flat)).resize((across, rows), Image.Resampling.BICUBIC)
    return np.asarray(255 - np.round(255 * np.clip(np.asarray(fine), 0, 1)), dtype=np.uint8)


def _smooth(labels: npt.NDArray[np.uint16], shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """The labels on finer pixels, each silhouette with its stairs rounded off."""
    zoom = shape[0] / labels.shape[0], shape[1] / labels.shape[1]
    fine = np.zeros(shape, dtype=np.uint16)
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        # Two pixels more on each side, and as many as the coarse grid still has.
        rows, across = (slice(max(0, s.start - 2), min(n, s.stop + 2)) for s, n in zip(box, labels.shape, strict=True))
        at = [_fine_centres(side, factor, n) for side, factor, n in zip((rows, across), zoom, shape, strict=True)]
        mask = (labels[rows, across] == number).astype(np.float32)
        places = np.meshgrid(at[0][1] - rows.start, at[1][1] - across.start, indexing="ij")
        cover = ndimage.map_coordinates(mask, places, order=1, mode="nearest")
        window = fine[at[0][0], at[1][0]]
        window[cover >= 0.5] = number
    return fine


def _fine_centres(side: slice, factor: float, count: int) -> tuple[slice, npt.NDArray[np.float64]]:
    """The fine pixels within a stretch of coarse ones, and where their centres lie among these."""
    first, last = int(np.ceil(side.start * factor)), min(count, int(np.floor(side.stop * factor)))
    centres = (np.arange(first, last, dtype=np.float64) + 0.5) / factor - 0.5
    return slice(first, last), np.asarray(centres, dtype=np.float64)
