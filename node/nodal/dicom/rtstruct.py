"""Closed planar contours of an RT Structure Set, filled on a volume's grid (PS3.3 C.8.8.5, C.8.8.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import structlog
from lymphoma.imaging.volume import Volume
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from skimage.measure import grid_points_in_poly

from nodal.errors import Code, Refused

__all__ = ["Structure", "rasterise_rtstruct", "structures_on"]

_LOG = structlog.get_logger()
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_NEVER_LESION = frozenset(
    {"EXTERNAL", "BOLUS", "SUPPORT", "FIXATION", "MARKER", "REGISTRATION", "ISOCENTER", "CONTROL", "DOSE_REGION",
     "BRACHY_CHANNEL", "BRACHY_ACCESSORY", "BRACHY_SRC_APP", "BRACHY_CHNL_SHLD", "TREATED_VOLUME", "IRRAD_VOLUME"}
)  # fmt: skip
_ANATOMY = frozenset({"ORGAN", "AVOIDANCE"})
_TILT_SLICES = 0.25  # a contour may leave its plane by a quarter of a slice
_SAME_PLANE_MM = 0.1
_SNAP_DECIMALS = 3  # of a pixel; contour text is rounded to about that, and edges through centres stay edges

_Points = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Structure:
    """One structure of a set, filled: bool of the grid's shape, index order (k, j, i).

    Attributes:
        name: ROI Name. tracking_uid: where its writer gave it one.
    """

    name: str
    tracking_uid: str | None
    mask: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Plane:
    """Contours of one structure that lie in one plane: its depth in slices, and points as (row, column)."""

    depth: float
    contours: tuple[_Points, ...]


def rasterise_rtstruct(structures: Dataset, grid: Volume, frame_of_reference: str) -> npt.NDArray[np.bool_]:
    """Fills the structures of a set on a grid; the union of all.

    A voxel belongs when its centre lies inside an odd number of the structure's contours on a plane (so an inner
    contour is a hole), or on a contour itself. Contours drawn on other planes than the grid's slices, such as those
    of the CT, stand for the slab half-way to their neighbours: each slice takes the nearest plane of the structure,
    if that is no farther than half the slab. The slab is the Contour Slab Thickness (3006,0044), else the smallest
    distance between two planes of the structure, else one slice.

    Structures typed as body outline, bolus, support, marker or dose region are left out; those typed as organ or
    avoidance too, when others remain.

    Args:
        structures: the RT Structure Set.
        grid: gives shape and affine; its slices must be parallel to the contours.
        frame_of_reference: UID every structure must be drawn in.

    Returns:
        shape (slices, rows, columns), index order (k, j, i).

    Raises:
        Refused: CONTOUR_OTHER_IMAGE, CONTOUR_EMPTY, CONTOUR_UNREADABLE (no closed contour parallel to the slices).
    """
    mask = np.zeros(grid.array.shape, dtype=np.bool_)
    filled = 0
    for structure in structures_on(structures, grid, frame_of_reference):
        mask |= structure.mask
        filled += 1
    if not filled:
        raise Refused(Code.CONTOUR_EMPTY, "The structure set holds no closed contour of a lesion.")
    return mask


def structures_on(structures: Dataset, grid: Volume, frame_of_reference: str) -> Iterator[Structure]:
    """The structures of a set that may be lesions and hold a closed contour, one by one; as :func:`rasterise_rtstruct`.

    Raises:
        Refused: CONTOUR_OTHER_IMAGE, CONTOUR_UNREADABLE.
    """
    chosen = _chosen(structures)
    _check_frame(structures, chosen, frame_of_reference)
    named = {int(item.ROINumber): item for item in structures.get("StructureSetROISequence", None) or []}
    observed = {int(item.ReferencedROINumber): item for item in structures.get("RTROIObservationsSequence", None) or []}
    for item in structures.get("ROIContourSequence", None) or []:
        number = int(item.ReferencedROINumber)
        contours = [c for c in item.get("ContourSequence", None) or [] if c.get("ContourGeometricType", "") in _CLOSED]
        if number not in chosen or not contours:
            continue
        mask = np.zeros(grid.array.shape, dtype=np.bool_)
        if not _fill(mask, _planes(contours, grid), _slab_slices(contours, grid)):
            _LOG.warning("a structure covers no voxel", roi_number=number)
        told = [one.get("TrackingUID") for one in (named[number], observed.get(number, Dataset())) if one]
        tracking_uid = next((str(uid) for uid in told if uid), None)
        yield Structure(str(named[number].get("ROIName") or ""), tracking_uid, mask)


def _chosen(structures: Dataset) -> frozenset[int]:
    """Numbers of the structures that may be lesions, by RT ROI Interpreted Type (3006,00A4)."""
    kinds = {
        int(item.ReferencedROINumber): str(item.get("RTROIInterpretedType", "") or "").upper()
        for item in structures.get("RTROIObservationsSequence", None) or []
    }
    numbers = [int(item.ROINumber) for item in structures.get("StructureSetROISequence", None) or []]
    possible = {number for number in numbers if kinds.get(number, "") not in _NEVER_LESION}
    lesions = {number for number in possible if kinds.get(number, "") not in _ANATOMY}
    return frozenset(lesions or possible)


def _check_frame(structures: Dataset, chosen: frozenset[int], frame_of_reference: str) -> None:
    for item in structures.get("StructureSetROISequence", None) or []:
        named = item.get("ReferencedFrameOfReferenceUID", None) or structures.get("FrameOfReferenceUID", None)
        if int(item.ROINumber) in chosen and str(named or "") != frame_of_reference:
            raise Refused(Code.CONTOUR_OTHER_IMAGE, "A structure lies in another frame of reference than the PET.")


def _planes(contours: Sequence[Dataset], grid: Volume) -> list[_Plane]:
    """Contours grouped by plane, in ascending depth."""
    found: list[tuple[float, _Points]] = []
    for contour in contours:
        points = _points(contour)
        if len(points) < 3:
            continue
        index = grid.index_kji(points)
        if np.ptp(index[:, 0]) > _TILT_SLICES:
            raise Refused(Code.CONTOUR_UNREADABLE, "A contour is not parallel to the PET's slices.")
        found.append((float(index[:, 0].mean()), np.round(index[:, 1:], _SNAP_DECIMALS)))
    found.sort(key=lambda one: one[0])
    same = _SAME_PLANE_MM / grid.spacing_mm[2]
    planes: list[_Plane] = []
    for depth, points in found:
        if planes and depth - planes[-1].depth <= same:
            planes[-1] = _Plane(planes[-1].depth, (*planes[-1].contours, points))
        else:
            planes.append(_Plane(depth, (points,)))
    return planes


def _points(contour: Dataset) -> _Points:
    """Contour Data (3006,0050) as (n, 3) mm; read as text at once, as tens of thousands of DS objects are slow."""
    raw = contour.get_item("ContourData")
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
        values = np.array(raw.value.decode("ascii").strip(" \x00").split("\\"), dtype=np.float64)
    else:
        values = np.array([float(value) for value in contour.ContourData])
    if not np.isfinite(values).all():
        raise Refused(Code.CONTOUR_UNREADABLE, "A contour holds a point that is not a number.")
    return values.reshape(-1, 3)


def _slab_slices(contours: Sequence[Dataset], grid: Volume) -> float:
    """Thickness that each plane stands for, in slices of the grid."""
    declared = [float(c.ContourSlabThickness) for c in contours if c.get("ContourSlabThickness", None)]
    if declared and min(declared) > 0:
        return float(min(declared) / grid.spacing_mm[2])
    depths = [plane.depth for plane in _planes(contours, grid)]
    return float(np.diff(depths).min()) if len(depths) > 1 else 1.0


def _fill(mask: npt.NDArray[np.bool_], planes: Sequence[_Plane], slab: float) -> bool:
    """Adds one structure to ``mask``; whether it covered any voxel."""
    if not planes:
        return False
    depths = np.array([plane.depth for plane in planes])
    drawn: dict[int, npt.NDArray[np.bool_]] = {}
    covered = False
    for k in range(mask.shape[0]):
        nearest = int(np.abs(depths - k).argmin())
        if abs(depths[nearest] - k) > slab / 2 + 1e-3:
            continue
        if nearest not in drawn:
            drawn[nearest] = _filled(planes[nearest].contours, mask.shape[1:])
        mask[k] |= drawn[nearest]
        covered = covered or bool(drawn[nearest].any())
    return covered


def _filled(contours: Sequence[_Points], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Pixels (row, column) inside an odd number of contours, or on one."""
    inside = np.zeros(shape, dtype=np.bool_)
    edge = np.zeros(shape, dtype=np.bool_)
    for points in contours:
        low = np.maximum(np.floor(points.min(axis=0)).astype(int), 0)
        high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + 1, shape)
        if (high <= low).any():
            continue
        label = grid_points_in_poly(tuple(high - low), points - low, binarize=False)  # 1 inside, 2 vertex, 3 edge
        window = (slice(low[0], high[0]), slice(low[1], high[1]))
        inside[window] ^= label == 1
        edge[window] |= label > 1
    return inside | edge
