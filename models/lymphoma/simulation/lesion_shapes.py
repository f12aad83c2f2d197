"""The shapes of lesions: conglomerates of deformed nodes that grow where tissue gives way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from lymphoma.simulation.anatomy import Grid
from lymphoma.simulation.disease import LesionPlan
from lymphoma.simulation.stations import Station

__all__ = [
    "NEIGHBOURS",
    "Box",
    "Conglomerate",
    "Growth",
    "Patch",
    "dilate",
    "draw_conglomerate",
    "grow",
    "patch_at",
    "radius_mm",
]

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Vector = npt.NDArray[np.float64]
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


def dilate(mask: Mask, steps: int) -> Mask:
    """The mask grown by ``steps`` voxels in all 26 directions; as separable maxima, which is quick."""
    return np.asarray(ndimage.maximum_filter(mask.view(np.uint8), size=2 * steps + 1, mode="constant"), dtype=bool)


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


Voxels = TypeVar("Voxels", bound=np.generic)
Index = npt.NDArray[np.intp]


def cut_out(volume: npt.NDArray[Voxels], k: Index, j: Index, i: Index) -> npt.NDArray[Voxels]:
    """The voxels at the indices, as ``volume[numpy.ix_(k, j, i)]``, quicker where rows and columns are not clipped."""
    if len(j) and len(i) and j[-1] - j[0] == len(j) - 1 and i[-1] - i[0] == len(i) - 1:
        return volume[:, j[0] : j[-1] + 1, i[0] : i[-1] + 1][k]
    return volume[np.ix_(k, j, i)]


def patch_at(
    point: Vector,
    reach_mm: tuple[Vector, Vector],
    grid: Grid,
    allowed: Mask,
    tissues: npt.NDArray[np.uint8],
    blocked: Mask,
) -> Patch:
    """The neighbourhood of a point.

    Args:
        point: LPS (x, y, z), mm. reach_mm: how far it goes from there, downwards (negative) and upwards, (x, y, z).
        allowed: table by tissue label. blocked: on ``grid``, where other lesions are.
    """
    index, first, points = [], [], []
    for axis in (2, 1, 0):
        centre = (point[axis] - grid.first_mm[axis]) / grid.spacing_mm[axis]
        low, high = (centre + reach[axis] / grid.spacing_mm[axis] for reach in reach_mm)
        steps = np.arange(int(np.floor(low)), int(np.ceil(high)) + 1)
        index.append(np.clip(steps, 0, grid.shape[2 - axis] - 1))
        first.append(int(steps[0]))
        offsets = grid.first_mm[axis] + grid.spacing_mm[axis] * steps - point[axis]
        points.append(offsets.astype(np.float32).reshape([-1 if n == 2 - axis else 1 for n in range(3)]))
    k, j, i = index
    free = allowed[cut_out(tissues, k, j, i)] & ~cut_out(blocked, k, j, i)
    return Patch((k, j, i), (first[0], first[1], first[2]), (points[2], points[1], points[0]), free)


@dataclass(frozen=True, eq=False)
class Conglomerate:
    """One or several deformed nodes grown together, and waves on their common surface.

    Attributes:
        radius_mm: of the ball of the same volume. centres, sizes: (n, 3), mm from the lesion's point, semi-axes.
        blend_mm: over which nodes melt into each other. waves: (m, 3), 1/mm. heights_mm, phases: (m,).
    """

    radius_mm: float
    centres: Vector
    sizes: Vector
    blend_mm: float
    waves: Vector
    heights_mm: Vector
    phases: Vector

    def extent_mm(self, margin_mm: float) -> tuple[Vector, Vector]:
        """The box of the nodes with a margin, (x, y, z) downwards and upwards of the lesion's point."""
        low, high = (self.centres - self.sizes).min(axis=0), (self.centres + self.sizes).max(axis=0)
        return low - margin_mm, high + margin_mm

    def distance(self, patch: Patch) -> Array:
        """About mm from the surface, negative inside; the shape's own volume lies below 0 only roughly."""
        x, y, z = patch.points
        blend = np.float32(self.blend_mm)
        union = np.zeros(patch.allowed.shape, dtype=np.float32)
        for centre, size in zip(self.centres, self.sizes, strict=True):
            squares = [
                ((axis - np.float32(c)) / np.float32(s)) ** 2
                for axis, c, s in zip((x, y, z), centre, size, strict=True)
            ]
            away = (squares[0] + squares[1]) + squares[2]
            np.sqrt(away, out=away)
            away -= np.float32(1)
            away *= np.float32(-size.mean()) / blend
            np.minimum(away, np.float32(8), out=away)
            union += np.exp(away, out=away)
        distance = np.log(np.maximum(union, np.float32(1e-30), out=union), out=union)
        distance *= -blend
        for wave, height, phase in zip(self.waves.astype(np.float32), self.heights_mm, self.phases, strict=True):
            # sin(a + b) from small factors instead of a sine of every voxel
            plane, along = x * wave[0] + y * wave[1] + np.float32(phase), z * wave[2]
            distance += (np.float32(height) * np.sin(plane)) * np.cos(along)
            distance += (np.float32(height) * np.cos(plane)) * np.sin(along)
        return distance


def draw_conglomerate(lesion: LesionPlan, station: Station, rng: np.random.Generator) -> Conglomerate:
    """Nodes that follow each other along the way the station runs; larger lesions have more of them.

    Masses with a dead core are of few large ones [A].
    """
    radius = radius_mm(lesion.volume_ml)
    nodes = 1 + min(int(rng.poisson(1.0 + lesion.volume_ml / 20.0)), 2 if lesion.necrotic else 11)
    node_radius = radius * nodes ** (-1 / 3)
    run = np.asarray(station.spread_mm) / np.mean(station.spread_mm)
    scales = rng.uniform(0.7, 1.3, (nodes, 1)) * np.exp(rng.normal(0, 0.27, (nodes, 3)))
    sizes = node_radius * scales * np.asarray(NODE_AXES)
    ways = rng.normal(0, 1, (nodes, 3)) * run
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    apart, parents = rng.uniform(0.55, 0.9, nodes), rng.random(nodes)
    centres = np.zeros((nodes, 3))
    for n in range(1, nodes):
        # half of the nodes follow the last one, the others sprout anywhere
        parent = n - 1 if parents[n] < 0.5 else int((parents[n] - 0.5) * 2 * n)
        centres[n] = centres[parent] + ways[n] * apart[n] * (sizes[n].mean() + sizes[parent].mean())
    volumes = sizes.prod(axis=1, keepdims=True)
    centres -= (centres * volumes).sum(axis=0) / volumes.sum()
    waves = rng.normal(0, 1, (5, 3)) * np.array([2.0, 2.0, 2.5, 4.0, 4.5])[:, None] / radius
    heights = np.array([0.075, 0.075, 0.07, 0.045, 0.04]) * radius
    return Conglomerate(radius, centres, sizes, 0.16 * node_radius, waves, heights, rng.uniform(0, 2 * np.pi, 5))


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
    if int(inside.sum()) > 1.01 * whole:
        inside = _trimmed(inside, distance, whole)
    if not hollow:
        return Growth(inside, level)
    depth = ndimage.distance_transform_edt(inside, sampling=list(reversed(grid.spacing_mm))).astype(np.float32)
    # depths on a grid are often equal: the distance of the shape decides between them
    depth = np.where(inside, np.maximum(depth - np.float32(0.01) * distance, np.float32(0.01)), np.float32(0))
    dead = max(int(inside.sum()) - wanted, 1)
    limit = float(np.partition(depth[inside], -dead)[-dead])
    return Growth(inside & (depth < limit), level, depth, limit)


def _trimmed(inside: Mask, distance: Array, wanted: int) -> Mask:
    """The innermost ``wanted`` voxels of a piece that stay in one piece.

    A rise of the level may have joined a further piece at once; it is taken back, and the main piece grows into it
    layer by layer from where they touch.
    """
    core = inside & (distance <= np.partition(distance[inside], wanted - 1)[wanted - 1])
    pieces, _ = ndimage.label(core, structure=NEIGHBOURS)
    core = np.asarray(pieces == int(np.bincount(pieces.ravel())[1:].argmax()) + 1, dtype=bool)
    missing = wanted - int(core.sum())
    while missing > 0:
        layer = dilate(core, 1) & inside & ~core
        size = int(layer.sum())
        if size == 0:
            break
        if size > missing:
            layer &= distance <= np.partition(distance[layer], missing - 1)[missing - 1]
        core |= layer
        missing -= size
    return core
