"""Metal in the CT: hip prostheses and dental fillings, with the streaks that they throw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.plan import PatientPlan

__all__ = ["METAL_HU", "add_metal"]

Array = npt.NDArray[np.float32]
Point = tuple[float, float, float]
METAL_HU = 3000.0
_RAYS = 14
_REACH_MM = {"hip_left": 80.0, "hip_right": 80.0, "teeth": 45.0}

# Rods of reference-body points (from, to, radius in mm): head, neck and stem of a prosthesis on the left; fillings.
_HIP: tuple[tuple[Point, Point, float], ...] = (
    ((88.0, 0.0, 4.0), (88.0, 0.0, 2.0), 16.0),
    ((88.0, 0.0, 2.0), (122.0, 5.0, -28.0), 7.0),
    ((122.0, 5.0, -28.0), (120.0, 4.0, -130.0), 7.5),
)
_TEETH: tuple[Point, ...] = (
    (-21.0, -56.0, 622.0),
    (-18.0, -64.0, 614.0),
    (20.0, -58.0, 622.0),
    (22.0, -50.0, 614.0),
    (10.0, -68.0, 617.0),
)


def add_metal(hu: Array, plan: PatientPlan, grid: Grid, *, offset_mm: Point) -> None:
    """Lays metal and streaks into CT numbers, in place.

    Args:
        hu: on ``grid``, (k, j, i). offset_mm: where the CT shows what the PET shows at 0.
    """
    stretch = stretch_of(plan, breath_mm=0.0)
    rng = np.random.default_rng([plan.seed, 15])
    fillings = rng.permutation(len(_TEETH))[: int(rng.integers(2, len(_TEETH) + 1))]
    for site in plan.scan.ct.metal:
        side = -1 if site == "hip_right" else 1
        rods = _HIP if site != "teeth" else tuple((_TEETH[n], _TEETH[n], 3.2) for n in fillings)
        ends = [
            [stretch.patient_point((side * x, y, z)) + np.asarray(offset_mm) for x, y, z in (start, end)]
            for start, end, _ in rods
        ]
        placed = [(start, end, rod[2]) for (start, end), rod in zip(ends, rods, strict=True)]
        _throw(hu, grid, _mask(placed, grid), rng, _REACH_MM[site])


def _mask(
    rods: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]], grid: Grid
) -> list[tuple[int, npt.NDArray[np.bool_]]]:
    """(slice, where metal lies in it) of each slice with metal; a voxel at least is metal in each."""
    x, y = grid.axis_mm(0)[None, :], grid.axis_mm(1)[:, None]
    least = 0.55 * max(grid.spacing_mm[:2])
    found = []
    for k, z in enumerate(grid.axis_mm(2)):
        inside = np.zeros(grid.shape[1:], dtype=bool)
        for start, end, radius in rods:
            low, high = sorted((start[2], end[2]))
            if not low - max(radius, grid.spacing_mm[2] / 2) <= z <= high + max(radius, grid.spacing_mm[2] / 2):
                continue
            t = 0.0 if high - low < 1e-6 else float(np.clip((z - start[2]) / (end[2] - start[2]), 0, 1))
            at = start + t * (end - start)
            across = np.sqrt(max(radius**2 - (z - at[2]) ** 2, 0.0))
            inside |= (x - at[0]) ** 2 + (y - at[1]) ** 2 <= max(across, least) ** 2
        if inside.any():
            found.append((k, inside))
    return found


def _throw(
    hu: Array, grid: Grid, slices: list[tuple[int, npt.NDArray[np.bool_]]], rng: np.random.Generator, reach_mm: float
) -> None:
    """Metal at :data:`METAL_HU` and, in the body, rays that fade with distance and a dark band to both sides."""
    x, y = grid.axis_mm(0)[None, :], grid.axis_mm(1)[:, None]
    turns, drift = rng.integers(3, 40, _RAYS), rng.normal(0, 0.5, _RAYS)
    phases = rng.uniform(0, 2 * np.pi, _RAYS)
    weights = rng.uniform(0.1, 1.0, _RAYS)
    weights /= np.sqrt((weights**2).sum() / 2)
    for k, inside in slices:
        phases = phases + drift * rng.uniform(0.5, 1.5)
        centre = np.argwhere(inside).mean(axis=0)
        away_x, away_y = x - np.interp(centre[1], np.arange(grid.shape[2]), x[0]), y - grid.axis_mm(1)[round(centre[0])]
        distance = np.hypot(away_x, away_y)
        angle = np.arctan2(away_y, away_x)
        size = float(np.sqrt(inside.sum() * grid.spacing_mm[0] * grid.spacing_mm[1] / np.pi))
        waves = [w * np.cos(t * angle + phase) for w, t, phase in zip(weights, turns, phases, strict=True)]
        rays = np.asarray(sum(waves))
        sharp = np.sign(rays) * np.abs(rays) ** 1.7 * (0.35 + 0.65 * np.cos(angle) ** 2)
        height = 26.0 * size * np.exp(-distance / reach_mm) / (1 + distance / (3 * size))
        band = -16.0 * size * np.exp(-((away_y / (size + 4.0)) ** 2)) * np.exp(-distance / (1.6 * reach_mm))
        plane = hu[k]
        body = np.clip((plane + 900.0) / 700.0, 0.15, 1.0)
        plane += (np.clip(height * sharp + band, -900.0, 1200.0) * body).astype(np.float32)
        plane[inside] = METAL_HU
