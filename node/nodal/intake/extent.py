"""Where the slices of a series lie along the body."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom import Dataset

__all__ = ["Extent", "axial_extent"]

SAME_POSITION_MM = 0.05  # positions closer than this are one; scanners write them to 0.01 mm or better
PARALLEL = 0.999  # cosine; slices tilted more than 2.5 degrees against the rest do not belong to the stack
AXIAL = 0.8  # cosine between the slice normal and the body's long axis (LPS z)


@dataclass(frozen=True, eq=False)
class Extent:
    """A stack of slices.

    Attributes:
        positions_mm: distinct slice positions along the normal that points to the head, ascending, in mm.
        step_mm: median distance of neighbours; the slice thickness where there is one slice only.
        low_mm, high_mm: outer edges of the stack along the patient's long axis (LPS z), in mm.
        images: number of images (frames) in the stack.
        tilted: images whose orientation differs from the stack's (a localizer in the series, for instance).
        axial: whether the slices cut across the body.
    """

    positions_mm: npt.NDArray[np.float64]
    step_mm: float
    low_mm: float
    high_mm: float
    images: int
    tilted: int
    axial: bool

    @property
    def length_mm(self) -> float:
        """Coverage along the body, in mm."""
        return self.high_mm - self.low_mm

    @property
    def gaps(self) -> int:
        """Number of places where at least one slice is missing between two neighbours."""
        return int(np.count_nonzero(np.diff(self.positions_mm) > 1.5 * self.step_mm))

    def overlap_mm(self, other: Extent) -> float:
        """Length along the body that both cover, in mm; 0 where they do not meet."""
        return max(0.0, min(self.high_mm, other.high_mm) - max(self.low_mm, other.low_mm))


def _planes(header: Dataset) -> Iterator[tuple[Sequence[float], Sequence[float]]]:
    """Orientation (6) and position (3) of each image of an instance (PS3.3 C.7.6.2, C.7.6.16.2.3, C.7.6.16.2.4)."""
    frames = header.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        if header.get("ImageOrientationPatient") and header.get("ImagePositionPatient"):
            yield header.ImageOrientationPatient, header.ImagePositionPatient
        return
    shared = (header.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    for frame in frames:
        orientation = frame.get("PlaneOrientationSequence") or shared.get("PlaneOrientationSequence")
        position = frame.get("PlanePositionSequence") or shared.get("PlanePositionSequence")
        if orientation and position:
            yield orientation[0].ImageOrientationPatient, position[0].ImagePositionPatient


def axial_extent(headers: Sequence[Dataset]) -> Extent | None:
    """Where the slices lie.

    The orientation that most images share is the stack's; images of another orientation are counted as ``tilted``
    and otherwise left out.

    Returns:
        None where no image says where it lies.
    """
    planes = [plane for header in headers for plane in _planes(header)]
    planes = [(o, p) for o, p in planes if len(o) == 6 and len(p) == 3]
    if not planes:
        return None
    orientations = np.array([plane[0] for plane in planes], dtype=np.float64)
    places = np.array([plane[1] for plane in planes], dtype=np.float64)
    if not (np.isfinite(orientations).all() and np.isfinite(places).all()):
        return None
    normals = np.cross(orientations[:, :3], orientations[:, 3:])
    rounded, index = np.unique(np.round(normals, 2), axis=0, return_inverse=True)
    common = normals[np.flatnonzero(index.ravel() == np.bincount(index.ravel(), minlength=len(rounded)).argmax())[0]]
    size = float(np.linalg.norm(common))
    if not 0.9 < size < 1.1:
        return None
    normal = common / size * (1.0 if common[2] >= 0 else -1.0)
    in_stack = np.abs(normals @ normal) > PARALLEL
    along = np.sort(places[in_stack] @ normal)
    positions = along[np.concatenate(([True], np.diff(along) > SAME_POSITION_MM))]
    thickness = float(headers[0].get("SliceThickness") or 0.0)
    step = float(np.median(np.diff(positions))) if len(positions) > 1 else thickness
    z = places[in_stack, 2]
    return Extent(
        positions_mm=positions,
        step_mm=step,
        low_mm=float(z.min()) - step / 2,
        high_mm=float(z.max()) + step / 2,
        images=int(in_stack.sum()),
        tilted=int((~in_stack).sum()),
        axial=bool(abs(normal[2]) > AXIAL),
    )
