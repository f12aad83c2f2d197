"""Paints avid spots that are no organ onto the activity. They never enter the lesion map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.benign import Confuser, ConfuserKind
from lymphoma.simulation.build import Build, build_of
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.shapes import Point
from lymphoma.simulation.tissues import labels_of

__all__ = ["ConfuserTruth", "paint_confusers"]

Array = npt.NDArray[np.float32]
_EDGE_MM = 3.0


@dataclass(frozen=True)
class ConfuserTruth:
    """Where a spot was painted.

    Attributes:
        centre_mm: LPS (x, y, z) of what lies in the field of view. volume_ml: of its voxels. suv: before blur.
    """

    kind: ConfuserKind
    centre_mm: Point
    volume_ml: float
    suv: float


def paint_confusers(
    activity: Array, tissues: npt.NDArray[np.uint8], plan: PatientPlan, grid: Grid
) -> tuple[ConfuserTruth, ...]:
    """Raises ``activity``, in place, where the plan's confusers lie.

    Args:
        activity: SUV before blur on ``grid``, (k, j, i). tissues: labels on the same grid.

    Returns:
        one for each spot that has voxels in the field of view.
    """
    if not plan.physiology.confusers:
        return ()
    build, stretch = build_of(plan), stretch_of(plan, breath_mm=0.0)
    truths = []
    for confuser in plan.physiology.confusers:
        centre = stretch.patient_point(_reference_point(confuser, build))
        truth = _paint(activity, tissues, confuser, centre, grid)
        if truth is not None:
            truths.append(truth)
    return tuple(truths)


def _reference_point(confuser: Confuser, build: Build) -> Point:
    """The spot's centre in the reference body; spots of an arm go where the arm lies."""
    if confuser.at == "body":
        return confuser.centre_mm
    arm = build.arms[0 if confuser.side < 0 else 1]
    middle = tuple(0.5 * (a + b) for a, b in zip(arm.elbow, arm.wrist, strict=True))
    from_ = {"elbow": arm.elbow, "shoulder": arm.shoulder, "forearm": middle}[confuser.at]
    x, y, z = (a + b for a, b in zip(from_, confuser.centre_mm, strict=True))
    return (x, y, z)


def _paint(
    activity: Array,
    tissues: npt.NDArray[np.uint8],
    confuser: Confuser,
    centre: npt.NDArray[np.float64],
    grid: Grid,
) -> ConfuserTruth | None:
    box, axes = [], []
    for axis in (2, 1, 0):
        place = grid.axis_mm(axis) - centre[axis]
        near = np.flatnonzero(np.abs(place) <= confuser.radii_mm[axis] + _EDGE_MM)
        if not len(near):
            return None
        box.append(slice(int(near[0]), int(near[-1]) + 1))
        axes.append(place[near] / confuser.radii_mm[axis])
    where = (box[0], box[1], box[2])
    w, v, u = axes
    level = np.sqrt(w[:, None, None] ** 2 + v[None, :, None] ** 2 + u[None, None, :] ** 2)
    # the share of a voxel at the surface that is inside
    share = np.clip(0.5 + (1 - level) * float(np.mean(confuser.radii_mm)) / _EDGE_MM, 0, 1)
    allowed = np.zeros(256, dtype=bool)
    allowed[labels_of(*confuser.into)] = True
    share = np.where(allowed[tissues[where]], share, 0).astype(np.float32)
    inside = np.argwhere(share >= 0.5)
    if not len(inside):
        return None
    below = activity[where]
    activity[where] = np.maximum(below, below + (np.float32(confuser.suv) - below) * share)
    k, j, i = (inside.mean(axis=0) + [part.start for part in where]).tolist()
    place_mm = [grid.first_mm[axis] + grid.spacing_mm[axis] * (i, j, k)[axis] for axis in range(3)]
    volume = len(inside) * float(np.prod(grid.spacing_mm)) / 1000.0
    return ConfuserTruth(confuser.kind, (place_mm[0], place_mm[1], place_mm[2]), volume, confuser.suv)
