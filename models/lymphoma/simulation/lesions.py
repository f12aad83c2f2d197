"""Lesions: their place, shape and uptake, made so that SUV 4 after the scanner's blur is their true surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.plan import LesionPlan, PatientPlan
from lymphoma.simulation.scanner import blur
from lymphoma.simulation.stations import PLACES
from lymphoma.simulation.tissues import LABELS, TISSUES

__all__ = ["SURFACE_SUV", "LesionTruth", "Placed", "place_lesions"]

Array = npt.NDArray[np.float32]
SURFACE_SUV = 4.0
"""The uptake that marks a lesion's surface (Boellaard, J Nucl Med 2024;65:1343)."""
FALL_MM = 4.0
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
    ``truths`` says which exist. Two lesions keep at least one voxel between them.

    Args:
        tissues, activity: on ``grid``, shape (k, j, i); activity as SUV before blur.
    """
    stretch = stretch_of(plan, breath_mm=0.0)
    labels = np.zeros(grid.shape, dtype=np.uint16)
    result = activity.copy()
    truths: list[LesionTruth] = []
    for index, lesion in enumerate(plan.lesions):
        rng = np.random.default_rng([plan.seed, 8, index])
        station = PLACES[lesion.station]
        allowed = _allowed_table(station.into)
        for attempt in range(_TRIES):
            anchor = station.anchors[(lesion.anchor + attempt) % len(station.anchors)]
            side = lesion.side * (-1 if attempt % 4 == 3 else 1) if station.paired else 1
            jitter = rng.normal(0, 3.0 + 1.5 * attempt, 3)
            point = stretch.patient_point((side * anchor[0], anchor[1], anchor[2])) + jitter
            patch = _patch_at(point, lesion.volume_ml, tissues, labels, allowed, grid)
            if patch is None:
                continue
            inside, distance = _shape(lesion, patch, grid, rng)
            if inside is None:
                continue
            number = len(truths) + 1
            lit = _lit(lesion, distance, patch, result[patch.box], inside, plan, grid, rng)
            result[patch.box] = lit
            labels[patch.box][inside] = number
            truths.append(_truth(number, lesion, inside, patch, grid))
            break
    return Placed(result, labels, tuple(truths))


def _allowed_table(into: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Tissue labels a lesion may replace."""
    soft = ("fat", "muscle", "visceral_fat", "blood", "vena_cava", "gland", "oesophagus", "pancreas", "cartilage")
    table = np.zeros(256, dtype=bool)
    for label, tissue in enumerate(TISSUES):
        table[label] = tissue.name in soft or (tissue.organ is not None and tissue.organ in into)
    for bone in ("vertebrae", "hip_left", "hip_right"):
        if bone in into:
            table[[LABELS["disc"], LABELS["muscle"]]] = bone == "vertebrae", False
    if any(organ.startswith(("liver", "spleen", "lung")) for organ in into) and len(into) == 1:
        table[:] = False
        table[[n for n, tissue in enumerate(TISSUES) if tissue.organ in into]] = True
    return table


def _patch_at(
    point: npt.NDArray[np.float64],
    volume_ml: float,
    tissues: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint16],
    allowed: npt.NDArray[np.bool_],
    grid: Grid,
) -> _Patch | None:
    radius = (volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    reach = 2.1 * radius + 16.0
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


def _shape(
    lesion: LesionPlan, patch: _Patch, grid: Grid, rng: np.random.Generator
) -> tuple[npt.NDArray[np.bool_] | None, Array]:
    """A conglomerate of deformed nodes: the mask of the planned volume and the distance to its surface in mm."""
    x, y, z = patch.points
    radius = (lesion.volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    nodes = 1 + min(int(rng.poisson(0.6 + lesion.volume_ml / 25.0)), 6)
    node_radius = radius * nodes ** (-1 / 3)
    centre = np.zeros(3)
    union = np.zeros(patch.allowed.shape, dtype=np.float32)
    for _ in range(nodes):
        stretch = np.exp(rng.normal(0, 0.18, 3)) * np.array([0.9, 0.95, 1.18])
        size = node_radius * float(rng.uniform(0.75, 1.2)) * stretch
        offset = [(axis - np.float32(c)) / np.float32(s) for axis, c, s in zip((x, y, z), centre, size, strict=True)]
        distance = (np.sqrt(offset[0] ** 2 + offset[1] ** 2 + offset[2] ** 2) - 1) * np.float32(size.mean())
        union += np.exp(-distance / np.float32(0.22 * node_radius))
        way = rng.normal(0, 1, 3) * np.array([0.8, 0.6, 1.2])
        centre = 0.55 * centre + way / np.linalg.norm(way) * node_radius * rng.uniform(0.9, 1.5)
    distance = -np.float32(0.22 * node_radius) * np.log(np.maximum(union, np.float32(1e-30)))
    waves = rng.normal(0, 1, (4, 3)) * 2.2 / radius
    ripple = sum(np.sin(x * w[0] + y * w[1] + z * w[2] + rng.uniform(0, 6.28)) for w in waves)
    distance = np.asarray(distance + np.float32(0.07 * radius) * ripple, dtype=np.float32)
    return _cut(distance, patch.allowed, lesion.volume_ml, grid)


def _cut(
    distance: Array, allowed: npt.NDArray[np.bool_], volume_ml: float, grid: Grid
) -> tuple[npt.NDArray[np.bool_] | None, Array]:
    """The level set with the planned volume, its one connected piece, and the distance counted from that level."""
    wanted = max(round(volume_ml * 1000 / float(np.prod(grid.spacing_mm))), 1)
    within = np.sort(distance[allowed])
    if len(within) < 2 * wanted:
        return None, distance
    level = within[wanted - 1]
    mask = allowed & (distance <= level)
    pieces, count = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=bool))
    if count > 1:
        sizes = np.bincount(pieces.ravel())[1:]
        if sizes.max() < 0.6 * wanted:
            return None, distance
        mask = pieces == int(sizes.argmax()) + 1
    return mask, distance - level


def _lit(
    lesion: LesionPlan,
    distance: Array,
    patch: _Patch,
    tissue: Array,
    inside: npt.NDArray[np.bool_],
    plan: PatientPlan,
    grid: Grid,
    rng: np.random.Generator,
) -> Array:
    """Activity of the patch with the lesion in it.

    Uptake rises from the surrounding tissue through SUV 4 at the surface to its core. How far the profile is moved
    inwards or outwards is found so that the blurred lesion, alone in tissue of SUV 1, has its true volume at SUV 4.
    """
    radius = (lesion.volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    rise_mm = min(9.0, 0.6 * radius)
    x, y, z = patch.points
    waves = rng.normal(0, 1, (5, 3)) / rng.uniform(5.0, 12.0, (5, 1))
    field = sum(np.sin(x * w[0] + y * w[1] + z * w[2] + rng.uniform(0, 6.28)) for w in waves) / np.sqrt(2.5)
    core = SURFACE_SUV + (lesion.suv - SURFACE_SUV) * np.exp(lesion.texture * np.asarray(field, dtype=np.float32))
    where = patch.allowed & _reach(inside, grid)

    def light(shift: float, below: Array) -> Array:
        depth = np.float32(shift) - distance
        rise = np.clip(depth / np.float32(rise_mm), 0, 1)
        fall = np.clip(1 + depth / np.float32(FALL_MM), 0, 1)
        outer = below + (np.float32(SURFACE_SUV) - below) * fall
        lesion_suv = np.where(depth > 0, SURFACE_SUV + (core - SURFACE_SUV) * rise, outer)
        if lesion.necrotic:
            hollow = np.clip((depth - 0.55 * radius) / np.float32(6.0), 0, 1)
            lesion_suv = lesion_suv + (np.float32(4.6) - lesion_suv) * hollow
        return np.asarray(np.where(where, np.maximum(lesion_suv, below), below), dtype=np.float32)

    truth = float(inside.sum())
    alone = np.ones_like(distance)
    low, high = -3.5, 3.5
    for _ in range(7):
        shift = 0.5 * (low + high)
        found = float((blur(light(shift, alone), plan.psf_fwhm_mm, grid.spacing_mm) >= SURFACE_SUV).sum())
        low, high = (shift, high) if found < truth else (low, shift)
    return light(0.5 * (low + high), tissue)


def _reach(inside: npt.NDArray[np.bool_], grid: Grid) -> npt.NDArray[np.bool_]:
    """Voxels within the profile's reach of the lesion itself, so that a cut-off piece of the level set stays dark."""
    steps = max(int(np.ceil((FALL_MM + 3.5) / min(grid.spacing_mm))), 1)
    return np.asarray(ndimage.binary_dilation(inside, structure=np.ones((3, 3, 3), dtype=bool), iterations=steps))


def _truth(number: int, lesion: LesionPlan, inside: npt.NDArray[np.bool_], patch: _Patch, grid: Grid) -> LesionTruth:
    k, j, i = (float(np.mean(index)) + part.start for index, part in zip(np.nonzero(inside), patch.box, strict=True))
    centre = tuple(grid.first_mm[axis] + grid.spacing_mm[axis] * (i, j, k)[axis] for axis in range(3))
    volume = float(inside.sum()) * float(np.prod(grid.spacing_mm)) / 1000.0
    return LesionTruth(number, lesion.station, volume, lesion.suv, (centre[0], centre[1], centre[2]))
