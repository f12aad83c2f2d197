"""Where the slices of a series lie: the regular grid they form, or why they form none (PS3.3 C.7.6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

from nodal.dicom.values import number, numbers
from nodal.errors import Code, Refused

__all__ = ["Grid", "Plane", "plane_of_frame", "plane_of_header", "stack"]

_GAP_TOLERANCE = 0.01  # science of the field: non-uniform by more than 1 % is not a volume
_GAP_ROUNDING_MM = 0.02  # positions written with two decimals differ by that much from slice to slice
_ORIENTATION_TOLERANCE = 1e-3  # cosines; 0.06 degrees, 0.6 mm at the edge of a 600 mm field
_SIDEWAYS_PIXELS = 0.1  # a slice may be shifted in its plane by a tenth of a pixel, no more


@dataclass(frozen=True)
class Plane:
    """One slice in the patient: PS3.3 C.7.6.2, mm, LPS.

    Attributes:
        position: centre of the first pixel (x, y, z). orientation: the six direction cosines, row then column.
        spacing: between rows, between columns. rows, columns: the matrix. thickness: of the slice, where known.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    rows: int
    columns: int
    thickness: float | None = None


@dataclass(frozen=True)
class Grid:
    """A regular grid of slices.

    Attributes:
        order: ``order[k]`` is the place in the given sequence of the slice that lies at index k.
        affine: shape (4, 4); (i column, j row, k slice, 1) to LPS mm. k rises along row x column, so that k = 0
            is the foot end of an axial head-first series.
    """

    order: tuple[int, ...]
    affine: npt.NDArray[np.float64]


def plane_of_header(header: Dataset) -> Plane:
    """The plane of a single-frame image. Raises Refused GEOMETRY_MISSING."""
    return _plane(header, position=header, orientation=header, measures=header)


def plane_of_frame(header: Dataset, frame: int) -> Plane:
    """The plane of one frame (from 0) of an enhanced image (PS3.3 C.7.6.16.2). Raises Refused GEOMETRY_MISSING."""
    return _plane(
        header,
        position=_group(header, frame, "PlanePositionSequence"),
        orientation=_group(header, frame, "PlaneOrientationSequence"),
        measures=_group(header, frame, "PixelMeasuresSequence"),
    )


def _group(header: Dataset, frame: int, keyword: str) -> Dataset:
    per_frame = header.get("PerFrameFunctionalGroupsSequence", None) or []
    shared = header.get("SharedFunctionalGroupsSequence", None) or []
    for groups in (*per_frame[frame : frame + 1], *shared[:1]):
        items = groups.get(keyword, None)
        if items:
            return items[0]
    return Dataset()


def _plane(header: Dataset, *, position: Dataset, orientation: Dataset, measures: Dataset) -> Plane:
    where = numbers(position, "ImagePositionPatient")
    cosines = numbers(orientation, "ImageOrientationPatient")
    step = numbers(measures, "PixelSpacing")
    rows, columns = number(header, "Rows"), number(header, "Columns")
    if where is None or cosines is None or step is None or not rows or not columns:
        raise Refused(Code.GEOMETRY_MISSING, "A slice lacks its position, orientation, pixel spacing or matrix.")
    if (len(where), len(cosines), len(step)) != (3, 6, 2) or min(step) <= 0 or not _perpendicular(cosines):
        raise Refused(Code.GEOMETRY_MISSING, "A slice's position, orientation or spacing is not a valid geometry.")
    thickness = number(measures, "SpacingBetweenSlices") or number(measures, "SliceThickness")
    return Plane(where, cosines, step, int(rows), int(columns), abs(thickness) if thickness else None)


def _perpendicular(cosines: tuple[float, ...]) -> bool:
    row, column = np.asarray(cosines[:3]), np.asarray(cosines[3:])
    return np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], atol=2 * _ORIENTATION_TOLERANCE)


def stack(planes: Sequence[Plane]) -> Grid:
    """The grid that slices form, whatever order they come in.

    Raises:
        Refused: MIXED_SERIES, differing matrix or pixel spacing; MIXED_ORIENTATION, slices not parallel or shifted
            sideways (a tilted gantry); DUPLICATE_SLICE; MISSING_SLICE, gaps that differ by more than 1 %;
            GEOMETRY_MISSING, a single slice without a thickness.
    """
    first = planes[0]
    if any((p.rows, p.columns) != (first.rows, first.columns) for p in planes) or any(
        not np.allclose(p.spacing, first.spacing, rtol=1e-4) for p in planes
    ):
        raise Refused(Code.MIXED_SERIES, "The slices differ in matrix or pixel spacing.")
    cosines = np.array([p.orientation for p in planes])
    if np.abs(cosines - cosines[0]).max() > _ORIENTATION_TOLERANCE:
        raise Refused(Code.MIXED_ORIENTATION, "The slices are not parallel.")
    row, column = _orthonormal(cosines[0])
    normal = np.cross(row, column)
    positions = np.array([p.position for p in planes])
    depth = positions @ normal
    order = np.argsort(depth, kind="stable")
    step = _slice_step(depth[order], first.thickness)
    sideways = positions[order] - positions[order[0]] - np.outer(depth[order] - depth[order[0]], normal)
    if np.abs(sideways).max() > _SIDEWAYS_PIXELS * min(first.spacing):
        raise Refused(Code.MIXED_ORIENTATION, "The slices are shifted sideways against each other (tilted gantry).")
    affine = np.eye(4)
    affine[:3, 0] = row * first.spacing[1]
    affine[:3, 1] = column * first.spacing[0]
    affine[:3, 2] = normal * step
    affine[:3, 3] = positions[order[0]]
    return Grid(tuple(int(index) for index in order), affine)


def _orthonormal(cosines: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Row and column directions, freed of the rounding of their text."""
    row = cosines[:3] / np.linalg.norm(cosines[:3])
    column = cosines[3:] - (cosines[3:] @ row) * row
    return row, column / np.linalg.norm(column)


def _slice_step(depth: npt.NDArray[np.float64], thickness: float | None) -> float:
    """Distance between slices in mm, of depths in ascending order."""
    if len(depth) == 1:
        if not thickness:
            raise Refused(Code.GEOMETRY_MISSING, "A single slice without Slice Thickness has no volume.")
        return thickness
    gaps = np.diff(depth)
    typical = float(np.median(gaps))
    tolerance = max(_GAP_TOLERANCE * typical, _GAP_ROUNDING_MM)
    if gaps.min() < tolerance:
        raise Refused(Code.DUPLICATE_SLICE, f"{int((gaps < tolerance).sum())} slice positions occur more than once.")
    off = np.abs(gaps - typical) > tolerance
    if off.any():
        raise Refused(
            Code.MISSING_SLICE,
            f"The gap between slices is {typical:.3f} mm but {int(off.sum())} gaps differ, up to {gaps.max():.3f} mm.",
        )
    return float((depth[-1] - depth[0]) / (len(depth) - 1))
