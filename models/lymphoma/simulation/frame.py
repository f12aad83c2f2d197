"""The reference body's coordinates on a patient's grid.

The reference body is 1.72 m tall, in mm: x to the patient's left, y to the back, z to the head, the origin between the
hip joints, the vertex at z = 830, mid-thigh at z = -210. A patient is that body stretched and swayed slice by slice, so
x depends on (slice, column), y on (slice, row) and z on the slice alone: coordinates stay small and broadcast.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.shapes import Array, Bounds, Shape
from lymphoma.simulation.tissues import LABELS

__all__ = ["MID_THIGH_MM", "VERTEX_MM", "Canvas", "Frame", "Stretch", "stretch_of"]

VERTEX_MM, MID_THIGH_MM, DIAPHRAGM_MM = 830.0, -210.0, 320.0
REFERENCE_HEIGHT_M = 1.72
BUMPS_MM = (-120.0, 60.0, 220.0, 390.0, 550.0, 700.0)
BUMP_WIDTH_MM = 110.0


@dataclass(frozen=True, eq=False)
class Stretch:
    """How the reference body becomes this patient.

    Attributes:
        along: length relative to the reference. across: (x, y) girth relative to the reference.
        bumps: shape (5, 6): at six heights of the body (``BUMPS_MM``), the displacement along z (mm), x (mm), y (mm),
            and the change of girth in x and y (fractions); smooth between.
        breath_mm: the diaphragm's displacement, positive towards the feet.
    """

    along: float
    across: tuple[float, float]
    bumps: npt.NDArray[np.float64]
    breath_mm: float

    def reference_z(self, z_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Patient z to reference z; strictly increasing."""
        z = z_mm / self.along
        breath = self.breath_mm * np.exp(-(((z - DIAPHRAGM_MM) / 95.0) ** 2))
        return np.asarray(z + breath + self._bump(0, z))

    def patient_z(self, reference_z: float) -> float:
        """Reference z to patient z, by table (step 1 mm, linear between)."""
        table = np.arange(-500.0, 1200.0)
        return float(np.interp(reference_z, self.reference_z(table), table))

    def patient_point(self, point: Sequence[float]) -> npt.NDArray[np.float64]:
        """A reference point (x, y, z) in the patient, mm."""
        z = np.array([point[2]], dtype=np.float64)
        girth = self._girth(z)[0]
        x = point[0] * girth[0] + self._bump(1, z)[0]
        y = point[1] * girth[1] + self._bump(2, z)[0]
        return np.array([x, y, self.patient_z(point[2])])

    def coordinates(
        self, x_mm: npt.NDArray[np.float64], y_mm: npt.NDArray[np.float64], z_mm: npt.NDArray[np.float64]
    ) -> tuple[Array, Array, Array]:
        """Reference coordinates of a grid: x of shape (k, 1, i), y of (k, j, 1), z of (k, 1, 1)."""
        z = self.reference_z(z_mm)
        girth = self._girth(z)
        x = (x_mm[None, :] - self._bump(1, z)[:, None]) / girth[:, :1]
        y = (y_mm[None, :] - self._bump(2, z)[:, None]) / girth[:, 1:]
        return (
            x[:, None, :].astype(np.float32),
            y[:, :, None].astype(np.float32),
            z[:, None, None].astype(np.float32),
        )

    def _girth(self, z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Factors of x and y at reference heights, shape (n, 2); heads differ less than trunks do."""
        head = np.clip((z - 560.0) / 80.0, 0, 1)[:, None]
        across = np.asarray(self.across) ** (1 - 0.75 * head)
        own = np.stack([self._bump(3, z), self._bump(4, z)], axis=1)
        return np.asarray(across * (1 + own * (1 - 0.75 * head)))

    def _bump(self, row: int, z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        near = np.exp(-(((z[:, None] - np.asarray(BUMPS_MM)) / BUMP_WIDTH_MM) ** 2))
        return np.asarray((near * self.bumps[row]).sum(axis=1))


def stretch_of(plan: PatientPlan, *, breath_mm: float) -> Stretch:
    """The patient's stretch: length by height, lean girth by body mass index; posture and proportions by seed [A]."""
    rng = np.random.default_rng([plan.seed, 2])
    person = plan.person
    girth = (person.bmi / 24.0) ** 0.25 * (person.height_m / REFERENCE_HEIGHT_M) ** 0.5
    female = person.sex == "F"
    across = (girth * (0.955 if female else 1.0), girth * (0.97 if female else 1.0))
    spread = np.array(
        [
            (7.0, 8.0, 8.0, 8.0, 6.0, 0.0),
            (1.0, 4.0, 6.0, 6.0, 4.0, 3.0),
            (2.0, 3.0, 4.0, 4.0, 3.0, 4.0),
            (0.02, 0.03, 0.03, 0.03, 0.02, 0.02),
            (0.02, 0.03, 0.04, 0.05, 0.03, 0.02),
        ]
    )
    bumps = np.clip(rng.normal(0, 1, spread.shape), -1.6, 1.6) * spread
    # the back of the chest rounds with age and the head comes forward; the lumbar spine bends the other way
    round_back = float(np.clip(rng.normal(0.12 * (person.age_years - 60), 4.0), -6.0, 12.0))
    bumps[2] += np.array([0.0, -0.1, -0.3, 0.8, 0.1, -0.9]) * round_back
    bumps[3] += np.array([0.03, 0.05, -0.02, -0.02, -0.03, 0.0]) * (1.0 if female else -0.4)
    bumps[4, 1:3] += 0.010 * (person.bmi - 25.0) * np.array([0.5, 1.0])
    return Stretch(person.height_m / REFERENCE_HEIGHT_M, across, bumps, breath_mm)


@dataclass(frozen=True, eq=False)
class Frame:
    """Reference coordinates of every voxel of a grid, in broadcastable form (see :class:`Stretch`)."""

    x: Array
    y: Array
    z: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.z.shape[0], self.y.shape[1], self.x.shape[2])

    def box(self, bounds: Bounds) -> tuple[slice, slice, slice] | None:
        """The smallest index box that holds ``bounds``; None when it lies outside the grid."""
        low, high = bounds
        first, last = bisect_left(self._levels, low[2]), bisect_right(self._levels, high[2])
        if first >= last:
            return None
        k = slice(first, last)
        j = _span(self.y[k, :, 0], low[1], high[1])
        i = _span(self.x[k, 0, :], low[0], high[0])
        return None if i is None or j is None else (k, j, i)

    @cached_property
    def _levels(self) -> list[float]:
        """z of the slices, ascending, for the frame never folds."""
        return [float(z) for z in self.z[:, 0, 0]]


@cache
def _allowed(names: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Which labels are tissues of these names, shape (256,)."""
    table = np.zeros(256, dtype=bool)
    table[[LABELS[name] for name in names]] = True
    return table


def _grown(bounds: Bounds, by_mm: float) -> Bounds:
    low, high = bounds
    return (low[0] - by_mm, low[1] - by_mm, low[2] - by_mm), (high[0] + by_mm, high[1] + by_mm, high[2] + by_mm)


def _span(places: Array, low: float, high: float) -> slice | None:
    """Columns of ``places`` (slices, columns; ascending along the columns) that hold something in low..high."""
    first = int(np.searchsorted(places.max(axis=0), low, side="left"))
    last = int(np.searchsorted(places.min(axis=0), high, side="right"))
    return slice(first, last) if first < last else None


@dataclass(frozen=True, eq=False)
class Canvas:
    """A label volume of tissues being painted; what is painted later covers what was before."""

    frame: Frame
    labels: npt.NDArray[np.uint8]

    @classmethod
    def empty(cls, frame: Frame) -> Canvas:
        return cls(frame, np.zeros(frame.shape, dtype=np.uint8))

    def paint(self, tissue: str, *shapes: Shape, only: Sequence[str] = (), grow_mm: float = 0.0) -> None:
        """Paints the inside of the shapes, grown by ``grow_mm``; ``only``: over these tissues and no others."""
        for shape in shapes:
            box = self.frame.box(_grown(shape.bounds, grow_mm))
            if box is not None:
                self._stamp(box, self._distance(shape, box) < np.float32(grow_mm), tissue, only)

    def paint_bone(self, bone: str, *shapes: Shape, rim_mm: float = 3.0, only: Sequence[str] = ()) -> None:
        """Paints a cortex of ``rim_mm`` and marrow inside; all cortices first, so that joined shapes share marrow."""
        found = [(box, self._distance(s, box)) for s in shapes if (box := self.frame.box(s.bounds)) is not None]
        for box, distance in found:
            self._stamp(box, distance < 0, f"{bone}:cortex", only)
        inner = (*only, f"{bone}:cortex") if only else ()
        for box, distance in found:
            self._stamp(box, distance < -rim_mm, f"{bone}:marrow", inner)

    def _distance(self, shape: Shape, box: tuple[slice, slice, slice]) -> Array:
        k, j, i = box
        return shape.distance(self.frame.x[k, :, i], self.frame.y[k, j, :], self.frame.z[k])

    def _stamp(
        self, box: tuple[slice, slice, slice], mask: npt.NDArray[np.bool_], tissue: str, only: Sequence[str]
    ) -> None:
        view = self.labels[box]
        if only:
            mask = mask & _allowed(tuple(only))[view]
        np.copyto(view, np.uint8(LABELS[tissue]), where=mask)
