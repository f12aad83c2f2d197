"""Lesions of a virtual patient: their places, one after another, and what is true of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.infiltration import infiltrate
from lymphoma.simulation.lesion_places import Atlas, places, under_skin
from lymphoma.simulation.lesion_shapes import (
    Growth,
    Patch,
    cut_out,
    dilate,
    draw_conglomerate,
    grow,
    patch_at,
    radius_mm,
)
from lymphoma.simulation.lesion_uptake import REACH_MM, SURFACE_SUV, calibrate, profile_of
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.stations import Region, Station
from lymphoma.simulation.tissues import LABELS, SOFT, TISSUES

__all__ = ["SURFACE_SUV", "LesionTruth", "Placed", "place_lesions"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Point = npt.NDArray[np.float64]
GAP_MM = 7.0
"""Lesions keep about this far from each other, so that blur does not join them."""
SNAP_MM = np.full(3, 36.0)
BLUR_MM = 9.0
FARTHEST = 3.5
"""Hardly any lesion reaches further from its point than this many radii of the ball of its volume."""


@dataclass(frozen=True)
class LesionTruth:
    """What is true of one lesion.

    Attributes:
        number: its label in the lesion map. station: where it is, which for want of room may not be where it was
            planned. volume_ml: of its voxels in the map. suv: uptake planned for its core, before blur.
        centre_mm: LPS (x, y, z). organ: the extranodal organ, None for lymphatic tissue. region: part of the body.
        suv_max: the largest SUV in it after blur, without noise and without its neighbours.
    """

    number: int
    station: str
    volume_ml: float
    suv: float
    centre_mm: tuple[float, float, float]
    organ: str | None
    region: Region
    suv_max: float


@dataclass(frozen=True, eq=False)
class Placed:
    """The lesions of a patient on the PET grid.

    Attributes:
        activity: tissue activity with the lesions, before blur. labels: uint16, 0 and 1..n. truths: one each.
    """

    activity: Array
    labels: npt.NDArray[np.uint16]
    truths: tuple[LesionTruth, ...]


@dataclass(eq=False)
class _Scene:
    """What is being built: it changes as lesions are placed."""

    plan: PatientPlan
    grid: Grid
    tissues: npt.NDArray[np.uint8]
    activity: Array
    labels: npt.NDArray[np.uint16]
    blocked: Mask
    truths: list[LesionTruth]
    atlas: Atlas


def place_lesions(plan: PatientPlan, tissues: npt.NDArray[np.uint8], activity: Array, grid: Grid) -> Placed:
    """Places diffuse infiltration, then the plan's lesions one after another, largest first.

    A lesion that finds no room at its station goes to a neighbouring one. A lesion outside the grid is left out, one
    across its edge is cut off there, where its shape goes by the tissue at the edge. So a lesion within a short grid is
    the same as in the whole body, unless it competed for room with one that lies outside.

    Args:
        tissues, activity: on ``grid``, shape (k, j, i); activity as SUV before blur.
    """
    scene = _Scene(
        plan=plan,
        grid=grid,
        tissues=tissues,
        activity=activity.copy(),
        labels=np.zeros(grid.shape, dtype=np.uint16),
        blocked=np.zeros(grid.shape, dtype=bool),
        truths=[],
        atlas=Atlas.of(stretch_of(plan, breath_mm=0.0)),
    )
    _place_diffuse(scene)
    for index, lesion in enumerate(plan.disease.lesions):
        _place(scene, lesion, index)
    return Placed(scene.activity, scene.labels, tuple(scene.truths))


def _place(scene: _Scene, lesion: LesionPlan, index: int) -> None:
    voxel_ml = float(np.prod(scene.grid.spacing_mm)) / 1000
    farthest = FARTHEST * radius_mm(lesion.volume_ml)
    for attempt, (station, point) in enumerate(places(scene.plan, index, scene.atlas)):
        if _beyond(scene.grid, point[2] - farthest, point[2] + farthest):
            return
        # the same stream for each attempt: a lesion keeps its shape where it moves on along its station
        rng = np.random.default_rng([scene.plan.seed, 8, index, 1])
        shape = draw_conglomerate(lesion, station, rng)
        low, high = shape.extent_mm(0.15 * shape.radius_mm)
        if _beyond(scene.grid, point[2] + low[2], point[2] + high[2]):
            return
        table = _allowed_table(station.into, station.confined)
        point = _settle(scene, station, point)
        reach = shape.extent_mm(0.25 * shape.radius_mm + REACH_MM + BLUR_MM)
        patch = patch_at(point, reach, scene.grid, table, scene.tissues, scene.blocked)
        # what a ball could not fill is too narrow for most shapes
        x, y, z = patch.points
        ball = (x**2 + y**2) + z**2 < np.float32((1.35 * shape.radius_mm + 2.0) ** 2)
        if np.count_nonzero(ball & patch.allowed) * voxel_ml < lesion.volume_ml:
            continue
        distance = shape.distance(patch)
        growth = grow(lesion, distance, patch, scene.grid, (0.35 + 0.03 * attempt) * shape.radius_mm + 3.0, rng)
        if growth is not None:
            _light(scene, lesion, station, patch, distance, growth, rng)
            return


def _beyond(grid: Grid, low_mm: float, high_mm: float) -> bool:
    """Whether nothing between two heights lies on the grid's slices."""
    bottom = grid.first_mm[2]
    return bool(high_mm < bottom or low_mm > bottom + grid.spacing_mm[2] * (grid.shape[0] - 1))


@cache
def _allowed_table(into: tuple[str, ...], confined: bool) -> Mask:
    """Tissue labels a lesion may replace."""
    table = np.zeros(256, dtype=bool)
    for label, tissue in enumerate(TISSUES):
        own = any(_begins(name, stem) for name in (tissue.name, tissue.organ) for stem in into)
        table[label] = own or (not confined and tissue.name in SOFT)
    return table


def _begins(name: str | None, stem: str) -> bool:
    """Whether ``name`` is the stem, or the stem and further words: "lung_upper_lobe_left" begins with "lung"."""
    return name is not None and (name == stem or name.startswith((f"{stem}_", f"{stem}:")))


def _settle(scene: _Scene, station: Station, point: Point) -> Point:
    """Moves a place to the nearest tissue of its organ, or to its depth under the skin."""
    if station.depth_mm is not None:
        return under_skin(point, station.depth_mm, scene.tissues != LABELS["outside"], scene.grid)
    if not station.snap:
        return point
    table = _allowed_table(station.into, True)
    near = patch_at(point, (-SNAP_MM, SNAP_MM), scene.grid, table, scene.tissues, scene.blocked)
    if not near.allowed.any():
        return point
    x, y, z = near.points
    squares = np.where(near.allowed, x**2 + y**2 + z**2, np.float32(np.inf))
    k, j, i = np.unravel_index(int(squares.argmin()), squares.shape)
    return point + np.array([x[0, 0, i], y[0, j, 0], z[k, 0, 0]], dtype=np.float64)


def _light(
    scene: _Scene,
    lesion: LesionPlan,
    station: Station,
    patch: Patch,
    distance: Array,
    growth: Growth,
    rng: np.random.Generator,
) -> None:
    """Paints a lesion that has grown, after its uptake is calibrated, and records it."""
    grid = scene.grid
    k, j, i = (int(np.ceil((REACH_MM + BLUR_MM) / grid.spacing_mm[axis])) for axis in (2, 1, 0))
    box = patch.around(growth.inside, (k, j, i))
    patch = patch.crop(box)
    depth = None if growth.depth_mm is None else growth.depth_mm[box]
    growth = Growth(growth.inside[box], growth.level_mm, depth, growth.hollow_mm)
    profile = profile_of(lesion, distance[box], growth, patch, grid, rng)
    tissue = cut_out(scene.activity, *patch.index)
    shift, suv_max = calibrate(profile, tissue, growth.inside, scene.plan, patch.grid(grid))
    there, seen = patch.visible(grid.shape)
    inside = growth.inside[seen]
    if not inside.any():
        return
    scene.activity[there] = profile.over(tissue, shift)[seen]
    scene.labels[there][inside] = len(scene.truths) + 1
    _block(scene, there, growth.inside[seen] if depth is None else (depth > 0)[seen])
    scene.truths.append(_truth(scene, inside, there, station.name, lesion.suv, suv_max, station.organ, station.region))


def _block(scene: _Scene, box: tuple[slice, slice, slice], mask: Mask) -> None:
    """Keeps further lesions away from ``mask``."""
    steps = max(round(GAP_MM / float(np.cbrt(np.prod(scene.grid.spacing_mm)))), 1)
    wide = tuple(slice(max(part.start - steps, 0), part.stop + steps) for part in box)
    view = scene.blocked[wide]
    padded = np.zeros(view.shape, dtype=bool)
    padded[tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(box, wide, strict=True))] = mask
    view |= dilate(padded, steps)


def _truth(
    scene: _Scene, inside: Mask, box: tuple[slice, slice, slice], station: str, suv: float, suv_max: float,
    organ: str | None, region: Region,
) -> LesionTruth:  # fmt: skip
    grid = scene.grid
    k, j, i = (float(np.mean(index)) + part.start for index, part in zip(np.nonzero(inside), box, strict=True))
    x, y, z = (grid.first_mm[axis] + grid.spacing_mm[axis] * (i, j, k)[axis] for axis in range(3))
    volume = float(inside.sum()) * float(np.prod(grid.spacing_mm)) / 1000.0
    number = len(scene.truths) + 1
    return LesionTruth(number, station, volume, suv, (x, y, z), organ, region, round(suv_max, 3))


def _place_diffuse(scene: _Scene) -> None:
    """Infiltrated marrow and spleen: every connected piece above the surface SUV is a lesion."""
    for tissue in infiltrate(scene.plan, scene.tissues, scene.activity, scene.grid):
        scene.activity = tissue.activity
        for label, box in enumerate(ndimage.find_objects(tissue.pieces), start=1):
            mask = tissue.pieces[box] == label
            scene.labels[box][mask] = len(scene.truths) + 1
            suv_max = float(tissue.seen[box][mask].max())
            scene.truths.append(_truth(scene, mask, box, tissue.station, tissue.suv, suv_max, tissue.organ, "abdomen"))
        if tissue.pieces.any():
            k, j, i = (slice(0, size) for size in scene.grid.shape)
            _block(scene, (k, j, i), tissue.pieces > 0)
