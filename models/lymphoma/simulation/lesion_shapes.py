"""The shapes of lesions: conglomerates of deformed nodes that grow where tissue gives way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.stations import Station

__all__ = ["NEIGHBOURS", "Box", "Growth", "Patch", "conglomerate", "grow", "patch_at", "radius_mm"]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Box = tuple[slice, slice, slice]
NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)
"""26-connected."""
CORE_SHARE = (0.12, 0.35)
"""Least and largest share of a necrotic lesion that is its dead core [A]."""
NODE_AXES = (0.9, 0.95, 1.18)
"""Nodes are longer along the vessels than across [A]."""
_ROUNDS = 5


def radius_mm(volume_ml: float) -> float:
    """Radius of the ball of that volume."""
    return float((volume_ml * 1000 * 3 / (4 * np.pi)) ** (1 / 3))


@dataclass(frozen=True, eq=False)
class Patch:
    """A lesion's neighbourhood, which may reach beyond the grid: tissue there goes on as at the grid's edge.

    Attributes:
        index: indices into the grid along (k, j, i), clipped to it, for :func:`numpy.ix_`.
        first: index of the patch's first voxel, not clipped. points: mm from the lesion's point, (x, y, z) broadcast.
        allowed: where the lesion may grow, shape of the patch.
    """

    index: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]
    first: tuple[int, int, int]
    points: tuple[Array, Array, Array]
    allowed: Mask

    def around(self, inside: Mask, steps: tuple[int, int, int]) -> Box:
        """The box of ``inside`` with a margin of ``steps`` voxels (k, j, i), within the patch."""
        parts = ndimage.find_objects(inside.astype(np.uint8))[0]
        return _box(
            slice(max(part.start - step, 0), min(part.stop + step, size))
            for part, step, size in zip(parts, steps, inside.shape, strict=True)
        )

    def crop(self, box: Box) -> Patch:
        """The part of the patch in ``box``."""
        k, j, i = box
        x, y, z = self.points
        first = (self.first[0] + k.start, self.first[1] + j.start, self.first[2] + i.start)
        index = (self.index[0][k], self.index[1][j], self.index[2][i])
        return Patch(index, first, (x[:, :, i], y[:, j], z[k]), self.allowed[box])

    def grid(self, whole: Grid) -> Grid:
        """The patch as a grid of its own, ``whole`` being the one it lies on."""
        first = tuple(whole.first_mm[a] + whole.spacing_mm[a] * self.first[2 - a] for a in range(3))
        shape = (len(self.index[0]), len(self.index[1]), len(self.index[2]))
        return Grid(shape, whole.spacing_mm, (first[0], first[1], first[2]))

    def visible(self, shape: tuple[int, int, int]) -> tuple[Box, Box]:
        """The box of a grid of ``shape`` that the patch covers, and the same voxels within the patch."""
        lows = [max(first, 0) for first in self.first]
        highs = [
            max(low, min(first + len(index), size))
            for low, first, index, size in zip(lows, self.first, self.index, shape, strict=True)
        ]
        return (
            _box(slice(low, high) for low, high in zip(lows, highs, strict=True)),
            _box(slice(low - first, high - first) for low, high, first in zip(lows, highs, self.first, strict=True)),
        )


def _box(parts: Iterable[slice]) -> Box:
    k, j, i = parts
    return (k, j, i)


def patch_at(
    point: npt.NDArray[np.float64],
    reach_mm: float,
    grid: Grid,
    allowed: Mask,
    tissues: npt.NDArray[np.uint8],
    blocked: Mask,
) -> Patch:
    """The neighbourhood of a point.

    Args:
        point: LPS (x, y, z), mm. allowed: table by tissue label. blocked: on ``grid``, where other lesions are.
    """
    index, first, points = [], [], []
    for axis in (2, 1, 0):
        centre = (point[axis] - grid.first_mm[axis]) / grid.spacing_mm[axis]
        half = reach_mm / grid.spacing_mm[axis]
        steps = np.arange(int(np.floor(centre - half)), int(np.ceil(centre + half)) + 1)
        index.append(np.clip(steps, 0, grid.shape[2 - axis] - 1))
        first.append(int(steps[0]))
        offsets = grid.first_mm[axis] + grid.spacing_mm[axis] * steps - point[axis]
        points.append(offsets.astype(np.float32).reshape([-1 if n == 2 - axis else 1 for n in range(3)]))
    k, j, i = index
    there = np.ix_(k, j, i)
    free = allowed[tissues[there]] & ~blocked[there]
    return Patch((k, j, i), (first[0], first[1], first[2]), (points[2], points[1], points[0]), free)


def conglomerate(lesion: LesionPlan, station: Station, patch: Patch, rng: np.random.Generator) -> Array:
    """One or several deformed nodes grown together, in mm from their common surface, negative inside.

    Nodes follow each other along the way the station runs; larger lesions have more of them.
    """
    x, y, z = patch.points
    radius = radius_mm(lesion.volume_ml)
    nodes = 1 + min(int(rng.poisson(0.9 + lesion.volume_ml / 22.0)), 11)
    node_radius = radius * nodes ** (-1 / 3)
    blend = np.float32(0.2 * node_radius)
    run = np.asarray(station.spread_mm) / np.mean(station.spread_mm)
    centre = np.zeros(3)
    union = np.zeros(patch.allowed.shape, dtype=np.float32)
    for _ in range(nodes):
        size = node_radius * rng.uniform(0.7, 1.3) * np.exp(rng.normal(0, 0.22, 3)) * np.asarray(NODE_AXES)
        squares = [
            ((axis - np.float32(c)) / np.float32(s)) ** 2 for axis, c, s in zip((x, y, z), centre, size, strict=True)
        ]
        away = squares[0] + squares[1] + squares[2]
        np.sqrt(away, out=away)
        away -= np.float32(1)
        away *= np.float32(-size.mean() / blend)
        np.minimum(away, np.float32(8), out=away)
        union += np.exp(away, out=away)
        way = rng.normal(0, 1, 3) * run
        centre = 0.6 * centre + way / np.linalg.norm(way) * node_radius * rng.uniform(0.9, 1.6)
    waves = rng.normal(0, 1, (5, 3)) * (np.array([2.0, 2.0, 2.5, 4.0, 4.5])[:, None] / radius)
    heights = np.array([0.06, 0.06, 0.06, 0.035, 0.035]) * radius
    distance = np.log(np.maximum(union, np.float32(1e-30), out=union), out=union)
    distance *= -blend
    for wave, height in zip(waves.astype(np.float32), heights, strict=True):
        phase = np.float32(rng.uniform(0, 2 * np.pi))
        # sin(a + b) from two small factors instead of a sine of every voxel
        plane, along = x * wave[0] + y * wave[1] + phase, z * wave[2]
        distance += np.float32(height) * (np.sin(plane) * np.cos(along) + np.cos(plane) * np.sin(along))
    return distance


@dataclass(frozen=True, eq=False)
class Growth:
    """A shape that found its place.

    Attributes:
        inside: the lesion, without its dead core. level_mm: the level of the distance at its surface.
        depth_mm: distance from the outer surface where the core is dead, None without necrosis.
        hollow_mm: depth at which the dead core begins.
    """

    inside: Mask
    level_mm: float
    depth_mm: Array | None = None
    hollow_mm: float = 0.0


def grow(
    lesion: LesionPlan, distance: Array, patch: Patch, grid: Grid, most_mm: float, rng: np.random.Generator
) -> Growth | None:
    """The level set of the planned volume where a lesion may be, in one piece.

    Args:
        most_mm: how far the level may rise before the place counts as too narrow.

    Returns:
        None where there is no room.
    """
    voxel_ml = float(np.prod(grid.spacing_mm)) / 1000
    wanted = max(round(lesion.volume_ml / voxel_ml), 1)
    hollow = float(rng.uniform(*CORE_SHARE)) if lesion.necrotic else 0.0
    whole = round(wanted / (1 - hollow))
    room = distance[patch.allowed]
    asked = whole
    for _ in range(_ROUNDS):
        if len(room) < asked + 1:
            return None
        level = float(np.partition(room, asked - 1)[asked - 1])
        if level > most_mm:
            return None
        pieces, count = ndimage.label(patch.allowed & (distance <= level), structure=NEIGHBOURS)
        if count == 1:
            break
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        pieces = pieces == int(sizes.argmax()) + 1
        missing = whole - int(sizes.max())
        if missing <= 0.02 * whole:
            break
        asked += missing
    else:
        return None
    inside = pieces > 0
    if not hollow:
        return Growth(inside, level)
    depth = ndimage.distance_transform_edt(inside, sampling=list(reversed(grid.spacing_mm))).astype(np.float32)
    dead = max(int(inside.sum()) - wanted, 1)
    limit = float(np.partition(depth[inside], -dead)[-dead])
    return Growth(inside & (depth < limit), level, depth, limit)
