"""Where a lesion is tried: the anchors of its station in the patient, then what lies near them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.disease import BULK, LesionPlan
from lymphoma.simulation.frame import Stretch, stretch_of
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.stations import PLACES, STATIONS, Point, Station

__all__ = ["Atlas", "first_place", "places", "under_skin"]

Vector = npt.NDArray[np.float64]
_OWN, _NEAR, _FAR = 12, 8, 6
_STEP_MM = 4.0


@dataclass(frozen=True, eq=False)
class Atlas:
    """From the reference body to the patient, by tables over patient z, for many points.

    Attributes:
        z_mm: patient z, ascending. reference_mm: reference z there.
        origin: (n, 2), patient (x, y) of the reference body's axis. girth: (n, 2), patient mm per reference mm.
    """

    z_mm: Vector
    reference_mm: Vector
    origin: Vector
    girth: Vector

    @classmethod
    def of(cls, stretch: Stretch) -> Atlas:
        z = np.arange(-600.0, 1300.0, _STEP_MM)
        ends = np.array([0.0, 100.0])
        x, y, reference = stretch.coordinates(ends, ends, z)
        at = np.stack([x[:, 0, :], y[:, :, 0]], axis=1).astype(np.float64)
        girth = 100.0 / (at[:, :, 1] - at[:, :, 0])
        return cls(z, reference[:, 0, 0].astype(np.float64), -at[:, :, 0] * girth, girth)

    def point(self, reference: Point) -> Vector:
        """A reference point (x, y, z) in the patient, LPS mm."""
        z = float(np.interp(reference[2], self.reference_mm, self.z_mm))
        row = int(np.clip(np.rint((z - self.z_mm[0]) / _STEP_MM), 0, len(self.z_mm) - 1))
        x, y = self.origin[row] + np.asarray(reference[:2]) * self.girth[row]
        return np.array([x, y, z])


def places(plan: PatientPlan, index: int, atlas: Atlas) -> Iterator[tuple[Station, Vector]]:
    """Places to try for lesion ``index``: anchors of its station in turn and further and further off, now and then on
    the other side; then neighbouring stations, at last those that hold bulk."""
    lesion = plan.disease.lesions[index]
    rng = np.random.default_rng([plan.seed, 8, index])
    for attempt, station in enumerate(_stations(lesion, rng)):
        x, y, z = station.anchors[(lesion.anchor + attempt // 2) % len(station.anchors)]
        side = lesion.side * (-1 if attempt % 4 == 3 else 1) if station.paired else 1
        spread = np.asarray(station.spread_mm) * (1.0 + 0.15 * attempt)
        yield station, atlas.point((side * x, y, z)) + rng.normal(0, 1, 3).clip(-2, 2) * spread


def _stations(lesion: LesionPlan, rng: np.random.Generator) -> Iterator[Station]:
    own = PLACES[lesion.station]
    for _ in range(_OWN):
        yield own
    near = [s for s in STATIONS if s.region == own.region and s.name != own.name and not s.confined]
    order = rng.permutation(len(near))
    for n in range(_NEAR):
        yield near[int(order[n % len(near)])]
    for n in range(_FAR):
        yield PLACES[BULK[n % len(BULK)]]


def first_place(plan: PatientPlan, index: int) -> tuple[float, float, float]:
    """Where lesion ``index`` is tried first, LPS mm; it mostly ends within 2 cm of it."""
    _, point = next(places(plan, index, Atlas.of(stretch_of(plan, breath_mm=0.0))))
    return (float(point[0]), float(point[1]), float(point[2]))


def under_skin(point: Vector, depth_mm: float, body: npt.NDArray[np.bool_], grid: Grid) -> Vector:
    """From the point outwards in its slice to the skin, then back by the depth.

    Args:
        body: bool on ``grid``, false outside the patient.
    """
    way = point[:2] / max(float(np.linalg.norm(point[:2])), 1e-6)
    steps_mm = np.arange(-60.0, 160.0, 2.0)
    index = [np.rint((point[a] + steps_mm * way[a] - grid.first_mm[a]) / grid.spacing_mm[a]) for a in (0, 1)]
    i, j = (np.clip(steps, 0, grid.shape[2 - a] - 1).astype(np.intp) for a, steps in enumerate(index))
    k = int(np.clip(np.rint((point[2] - grid.first_mm[2]) / grid.spacing_mm[2]), 0, grid.shape[0] - 1))
    there = body[k, j, i]
    if not there.any():
        return point
    # the first gap outwards of the first tissue: an arm beside the trunk is not its skin
    start = int(np.argmax(there))
    gap = np.flatnonzero(~there[start:])
    skin_mm = steps_mm[start + int(gap[0])] if len(gap) else steps_mm[-1]
    return np.array([*(point[:2] + way * (skin_mm - depth_mm)), point[2]])
