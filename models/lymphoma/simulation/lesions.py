"""Lesions: their place, shape and uptake, made so that SUV 4 after the scanner's blur is their true surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.frame import Stretch, stretch_of
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.scanner import pet_response
from lymphoma.simulation.stations import PLACES
from lymphoma.simulation.tissues import SOFT, TISSUES

__all__ = ["SURFACE_SUV", "LesionTruth", "Placed", "place_lesions"]

Array = npt.NDArray[np.float32]
SURFACE_SUV = 4.0
"""The uptake that marks a lesion's surface (Boellaard, J Nucl Med 2024;65:1343)."""
FALL_MM = 4.0
MOST_SHIFT_MM = 5.0
NECROSIS_SUV = 4.6
CONFINED = ("liver", "spleen")
_TRIES = 12


@dataclass(frozen=True)
class LesionTruth:
    """What is true of one lesion.

    Attributes:
        number: its label in the lesion map. volume_ml: of its voxels there. centre_mm: LPS (x, y, z).
        suv: uptake planned for its core, before blur.
    """

    number: int
    station: str
    volume_ml: float
    suv: float
    centre_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Placed:
    """The lesions of a patient on the PET grid.

    Attributes:
        activity: tissue activity with the lesions, before blur. labels: uint16, 0 and 1..n. truths: one each.
    """

    activity: Array
    labels: npt.NDArray[np.uint16]
    truths: tuple[LesionTruth, ...]


@dataclass(frozen=True, eq=False)
class _Patch:
    """A lesion's neighbourhood: index box, points in mm relative to its centre, and where it may grow."""

    box: tuple[slice, slice, slice]
    points: tuple[Array, Array, Array]
    allowed: npt.NDArray[np.bool_]


def place_lesions(plan: PatientPlan, tissues: npt.NDArray[np.uint8], activity: Array, grid: Grid) -> Placed:
    """Places the plan's lesions one after another, largest first.

    A lesion that finds no room at its station, because others are there or the field of view ends, is left out;
    ``truths`` says which exist. Two lesions keep at least two voxels between them.

    Args:
        tissues, activity: on ``grid``, shape (k, j, i); activity as SUV before blur.
    """
    stretch = stretch_of(plan, breath_mm=0.0)
    labels = np.zeros(grid.shape, dtype=np.uint16)
    result = activity.copy()
    truths: list[LesionTruth] = []
    for index, lesion in enumerate(plan.disease.lesions):
        rng = np.random.default_rng([plan.seed, 8, index])
        allowed = _allowed_table(PLACES[lesion.station].into)
        for attempt in range(_TRIES):
            point = _try_point(lesion, attempt, stretch, rng)
            patch = _patch_at(point, lesion, tissues, labels, allowed, grid)
            if patch is None:
                continue
            distance = _conglomerate(lesion, patch, rng)
            cut = _cut(distance, patch.allowed, lesion.volume_ml, grid)
            if cut is None:
                continue
            inside, level = cut
            profile = _profile(lesion, distance - np.float32(level), patch, inside, grid, rng)
            tissue = result[patch.box]
            result[patch.box] = profile.over(tissue, _shift_mm(profile, tissue, inside, patch, plan, grid))
            labels[patch.box][inside] = len(truths) + 1
            truths.append(_truth(len(truths) + 1, lesion, inside, patch, grid))
            break
    return Placed(result, labels, tuple(truths))


def _try_point(lesion: LesionPlan, attempt: int, stretch: Stretch, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The next place to try: anchors in turn, further and further off, at last on the other side of the body."""
    station = PLACES[lesion.station]
    x, y, z = station.anchors[(lesion.anchor + attempt) % len(station.anchors)]
    side = lesion.side * (-1 if attempt % 4 == 3 else 1) if station.paired else 1
    return stretch.patient_point((side * x, y, z)) + rng.normal(0, 3.0 + 1.5 * attempt, 3)


def _allowed_table(into: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Tissue labels a lesion may replace: soft tissue and the station's organs; inside a single organ only that one."""
    confined = len(into) == 1 and into[0] in CONFINED
    table = np.zeros(256, dtype=bool)
    for label, tissue in enumerate(TISSUES):
        table[label] = tissue.belongs_to(into) or (tissue.name in SOFT and not confined)
    return table


def _patch_at(
    point: npt.NDArray[np.float64],
    lesion: LesionPlan,
    tissues: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint16],
    allowed: npt.NDArray[np.bool_],
    grid: Grid,
) -> _Patch | None:
    reach = 2.1 * _radius_mm(lesion) + 16.0
    slices = []
    for axis in (2, 1, 0):
        centre = (point[axis] - grid.first_mm[axis]) / grid.spacing_mm[axis]
        half = reach / grid.spacing_mm[axis]
        size = grid.shape[2 - axis]
        low, high = max(int(np.floor(centre - half)), 0), min(int(np.ceil(centre + half)) + 1, size)
        if high - low < 4 or not 2 <= centre <= size - 3:
            return None
        slices.append(slice(low, high))
    box = (slices[0], slices[1], slices[2])
    near = ndimage.binary_dilation(labels[box] > 0, structure=np.ones((3, 3, 3), dtype=bool), iterations=2)
    free = allowed[tissues[box]] & ~near
    x, y, z = (
        (grid.axis_mm(axis)[box[2 - axis]] - point[axis])
        .astype(np.float32)
        .reshape([-1 if n == 2 - axis else 1 for n in range(3)])
        for axis in range(3)
    )
    return _Patch(box, (x, y, z), free)


def _conglomerate(lesion: LesionPlan, patch: _Patch, rng: np.random.Generator) -> Array:
    """One or several deformed nodes grown together: a distance in mm whose level sets are the lesion's shape."""
    x, y, z = patch.points
    radius = _radius_mm(lesion)
    nodes = 1 + min(int(rng.poisson(0.6 + lesion.volume_ml / 25.0)), 6)
    node_radius = radius * nodes ** (-1 / 3)
    blend = np.float32(0.22 * node_radius)
    centre = np.zeros(3)
    union = np.zeros(patch.allowed.shape, dtype=np.float32)
    for _ in range(nodes):
        size = node_radius * rng.uniform(0.75, 1.2) * np.exp(rng.normal(0, 0.18, 3)) * np.array([0.9, 0.95, 1.18])
        offset = [(axis - np.float32(c)) / np.float32(s) for axis, c, s in zip((x, y, z), centre, size, strict=True)]
        away = (np.sqrt(offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2) - 1) * np.float32(size.mean())
        union += np.exp(-np.maximum(away, -8 * blend) / blend)
        way = rng.normal(0, 1, 3) * np.array([0.8, 0.6, 1.2])
        centre = 0.55 * centre + way / np.linalg.norm(way) * node_radius * rng.uniform(0.9, 1.5)
    waves = rng.normal(0, 1, (4, 3)) * 2.2 / radius
    ripple = sum(np.sin(x * w[0] + y * w[1] + z * w[2] + rng.uniform(0, 2 * np.pi)) for w in waves)
    return np.asarray(0.07 * radius * ripple - blend * np.log(np.maximum(union, 1e-30)), dtype=np.float32)


def _cut(
    distance: Array, allowed: npt.NDArray[np.bool_], volume_ml: float, grid: Grid
) -> tuple[npt.NDArray[np.bool_], float] | None:
    """The level set of the planned volume where a lesion may be, its largest 26-connected piece, and the level.

    None where there is no room, or where less than six tenths of the volume hangs together.
    """
    wanted = max(round(volume_ml * 1000 / float(np.prod(grid.spacing_mm))), 1)
    within = np.sort(distance[allowed])
    if len(within) < 2 * wanted:
        return None
    level = float(within[wanted - 1])
    pieces, count = ndimage.label(allowed & (distance <= level), structure=np.ones((3, 3, 3), dtype=bool))
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    if sizes.max() < 0.6 * wanted:
        return None
    return pieces == int(sizes.argmax()) + 1, level


@dataclass(frozen=True, eq=False)
class _Profile:
    """How uptake runs from the surroundings through the surface to the core, by the distance to the surface.

    Attributes:
        distance: mm, negative inside. core: uptake deep inside. where: voxels that the lesion may light.
        rise_mm: depth at which the core is reached. hollow_mm: depth of a necrotic core, None without.
    """

    distance: Array
    core: Array
    where: npt.NDArray[np.bool_]
    rise_mm: float
    hollow_mm: float | None

    def over(self, below: Array, shift_mm: float) -> Array:
        """Activity with the lesion lit over ``below``, its surface moved outwards by ``shift_mm``."""
        depth = np.float32(shift_mm) - self.distance
        rise = np.clip(depth / np.float32(self.rise_mm), 0, 1)
        fall = np.clip(1 + depth / np.float32(FALL_MM), 0, 1)
        outer = below + (np.float32(SURFACE_SUV) - below) * fall
        lit = np.where(depth > 0, SURFACE_SUV + (self.core - SURFACE_SUV) * rise, outer)
        if self.hollow_mm is not None:
            hollow = np.clip((depth - np.float32(self.hollow_mm)) / np.float32(6.0), 0, 1)
            lit = lit + (np.float32(NECROSIS_SUV) - lit) * hollow
        return np.asarray(np.where(self.where, np.maximum(lit, below), below), dtype=np.float32)


def _profile(
    lesion: LesionPlan,
    distance: Array,
    patch: _Patch,
    inside: npt.NDArray[np.bool_],
    grid: Grid,
    rng: np.random.Generator,
) -> _Profile:
    radius = _radius_mm(lesion)
    x, y, z = patch.points
    waves = rng.normal(0, 1, (5, 3)) / rng.uniform(5.0, 12.0, (5, 1))
    field = sum(np.sin(x * w[0] + y * w[1] + z * w[2] + rng.uniform(0, 2 * np.pi)) for w in waves) / np.sqrt(2.5)
    core = SURFACE_SUV + (lesion.suv - SURFACE_SUV) * np.exp(lesion.texture * np.asarray(field, dtype=np.float32))
    return _Profile(
        distance=distance,
        core=np.asarray(core, dtype=np.float32),
        where=patch.allowed & _reach(inside, grid),
        rise_mm=min(9.0, 0.6 * radius),
        hollow_mm=0.55 * radius if lesion.necrotic else None,
    )


def _shift_mm(
    profile: _Profile, tissue: Array, inside: npt.NDArray[np.bool_], patch: _Patch, plan: PatientPlan, grid: Grid
) -> float:
    """How far to move the profile outwards so that blur leaves the true volume at SUV 4, by bisection to 0.05 mm.

    The lesion is judged alone in its own surroundings, without anything hotter than SUV 2.5.
    """
    alone = np.minimum(tissue, np.float32(2.5))
    truth = int(inside.sum())
    low, high = -MOST_SHIFT_MM, MOST_SHIFT_MM
    while high - low > 0.05:
        shift = 0.5 * (low + high)
        seen = pet_response(profile.over(alone, shift), plan, grid, slices=patch.box[0])
        found = int((seen >= SURFACE_SUV).sum())
        low, high = (shift, high) if found < truth else (low, shift)
    return 0.5 * (low + high)


def _radius_mm(lesion: LesionPlan) -> float:
    """Radius of the sphere of the planned volume."""
    return float((lesion.volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3))


def _reach(inside: npt.NDArray[np.bool_], grid: Grid) -> npt.NDArray[np.bool_]:
    """Voxels within the profile's reach of the lesion itself, so that a cut-off piece of the level set stays dark."""
    steps = max(int(np.ceil((FALL_MM + MOST_SHIFT_MM) / min(grid.spacing_mm))), 1)
    return np.asarray(ndimage.binary_dilation(inside, structure=np.ones((3, 3, 3), dtype=bool), iterations=steps))


def _truth(number: int, lesion: LesionPlan, inside: npt.NDArray[np.bool_], patch: _Patch, grid: Grid) -> LesionTruth:
    k, j, i = (float(np.mean(index)) + part.start for index, part in zip(np.nonzero(inside), patch.box, strict=True))
    centre = tuple(grid.first_mm[axis] + grid.spacing_mm[axis] * (i, j, k)[axis] for axis in range(3))
    volume = float(inside.sum()) * float(np.prod(grid.spacing_mm)) / 1000.0
    return LesionTruth(number, lesion.station, volume, lesion.suv, (centre[0], centre[1], centre[2]))
