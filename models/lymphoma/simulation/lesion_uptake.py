"""The uptake of lesions, made so that SUV 4 after the scanner's blur encloses their true volume."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.lesion_shapes import Growth, Patch, dilate, radius_mm
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.scanner import pet_response

__all__ = ["REACH_MM", "SURFACE_SUV", "Profile", "calibrate", "profile_of"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
SURFACE_SUV = 4.0
"""The uptake that marks a lesion's surface (Boellaard, J Nucl Med 2024;65:1343)."""
FALL_MM = 4.0
MOST_SHIFT_MM = 6.0
REACH_MM = FALL_MM + MOST_SHIFT_MM
"""How far outside its surface a lesion may light tissue."""
NECROSIS_SUV = 1.6
NECROSIS_EDGE_MM = 2.0
ALONE_SUV = 2.5
"""Surroundings are seen no hotter than this when a lesion's volume is judged."""
_WAVES, _SHORTEST_MM, _LONGEST_MM = 20, 13.0, 55.0
_STEPS = 3


@dataclass(frozen=True, eq=False)
class Profile:
    """How uptake runs from the surroundings through the surface to the core.

    Attributes:
        distance: mm from the surface, negative inside. core: uptake deep inside. where: voxels that it may light.
        rise_mm: depth at which the core is reached. dead: share of necrosis, 0 to 1; None without.
    """

    distance: Array
    core: Array
    where: Mask
    rise_mm: float
    dead: Array | None

    def over(self, below: Array, shift_mm: float) -> Array:
        """Activity with the lesion lit over ``below``, its surface moved outwards by ``shift_mm``."""
        depth = np.float32(shift_mm) - self.distance
        rise = np.clip(depth / np.float32(self.rise_mm), 0, 1)
        fall = np.clip(1 + depth / np.float32(FALL_MM), 0, 1)
        outer = below + (np.float32(SURFACE_SUV) - below) * fall
        lit = np.where(depth > 0, np.float32(SURFACE_SUV) + (self.core - np.float32(SURFACE_SUV)) * rise, outer)
        if self.dead is not None:
            lit = np.where(self.dead > 0, lit + (np.float32(NECROSIS_SUV) - lit) * self.dead, np.maximum(lit, below))
        else:
            lit = np.maximum(lit, below)
        return np.asarray(np.where(self.where, lit, below), dtype=np.float32)


def profile_of(
    lesion: LesionPlan, distance: Array, growth: Growth, patch: Patch, grid: Grid, rng: np.random.Generator
) -> Profile:
    """The profile of a lesion that has grown in ``patch``; ``distance`` is of the shape before its level was cut."""
    steps = max(int(np.ceil(REACH_MM / min(grid.spacing_mm))), 1)
    whole = growth.inside
    dead = None
    if growth.depth_mm is not None:
        whole = growth.depth_mm > 0
        depth = (growth.depth_mm - np.float32(growth.hollow_mm)) / np.float32(2 * NECROSIS_EDGE_MM)
        dead = np.clip(depth + np.float32(0.5), 0, 1).astype(np.float32)
    where = patch.allowed & dilate(whole, steps)
    core = np.full(distance.shape, lesion.suv, dtype=np.float32)
    core[where] = SURFACE_SUV + (lesion.suv - SURFACE_SUV) * np.exp(
        np.float32(lesion.texture) * _texture(patch, where, rng) - np.float32(lesion.texture**2 / 2)
    )
    rise = min(6.0, 0.5 * radius_mm(lesion.volume_ml))
    return Profile(distance - np.float32(growth.level_mm), core, where, rise, dead)


def _texture(patch: Patch, where: Mask, rng: np.random.Generator) -> Array:
    """A smooth random field of mean 0 and SD 1 at the voxels of ``where``, the same on every grid."""
    k, j, i = np.nonzero(where)
    x, y, z = patch.points
    places = np.stack([x.ravel()[i], y.ravel()[j], z.ravel()[k]], axis=1)
    ways = rng.normal(size=(_WAVES, 3))
    lengths = np.exp(rng.uniform(np.log(_SHORTEST_MM), np.log(_LONGEST_MM), _WAVES))
    ways *= (2 * np.pi / lengths / np.linalg.norm(ways, axis=1))[:, None]
    phases = rng.uniform(0, 2 * np.pi, _WAVES).astype(np.float32)
    field = np.cos(places @ ways.T.astype(np.float32) + phases).sum(axis=1)
    return np.asarray(field * np.float32(np.sqrt(2 / _WAVES)), dtype=np.float32)


def calibrate(profile: Profile, tissue: Array, inside: Mask, plan: PatientPlan, grid: Grid) -> tuple[float, float]:
    """How far to move the profile outwards so that blur leaves the true volume at SUV 4.

    The lesion is judged alone in its own surroundings, without anything hotter than SUV 2.5. The volume goes about
    linearly with the shift, so a few secant steps within +-6 mm come to within a percent.

    Args:
        tissue: activity before the lesion. grid: of the patch.

    Returns:
        the shift in mm, and the largest SUV inside that the blur leaves.
    """
    alone = np.minimum(tissue, np.float32(ALONE_SUV))
    truth = int(inside.sum())
    surface = truth - int(ndimage.binary_erosion(inside).sum())
    per_mm = max(surface, 1) / float(np.cbrt(np.prod(grid.spacing_mm)))
    shift, before = 0.0, (0.0, 0.0)
    best, highest, least = 0.0, 0.0, np.inf
    for step in range(_STEPS + 1):
        seen = pet_response(profile.over(alone, shift), plan, grid)
        error = float((seen >= SURFACE_SUV).sum()) - truth
        if abs(error) < least:
            best, highest, least = shift, float(seen[inside].max()), abs(error)
        if abs(error) <= max(0.015 * truth, 0.5):
            break
        if step and abs(shift - before[0]) > 1e-3 and (error - before[1]) / (shift - before[0]) > 0.2 * per_mm:
            per_mm = (error - before[1]) / (shift - before[0])
        before = (shift, error)
        shift = float(np.clip(shift - error / per_mm, -MOST_SHIFT_MM, MOST_SHIFT_MM))
    return best, highest
