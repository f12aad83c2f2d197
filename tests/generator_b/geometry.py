"""Lofts, tubes, patches and free-form deformation: the shapes of the second generator.

A loft is a stack of closed periodic splines (a contour per level), interpolated along z into a table of radii over
(level, angle). A tube is a spline curve with a radius along it; a patch a thick sheet through a mesh of points.
Everything is drawn in a standard body's space (canonical, LPS mm) and bent by a cubic B-spline free-form field.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from lymphoma.imaging.volume import Volume
from scipy import ndimage
from scipy.interpolate import BSpline, CubicSpline, PchipInterpolator

__all__ = ["Floats", "Loft", "Section", "Warp", "curve", "field", "loft", "mirrored", "patch", "stamp", "stream"]

Floats = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]
Sway = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Standard deviation of the displacement along x, y, z, for each of :data:`KNOTS_MM`."""

ANGLES = 180
KNOTS_MM = (90.0, 320.0)
"""Distance of the knots of the two free-form fields, one for organs, one for proportions."""
COARSE_MM = 12.0
"""Step at which the free-form field is tabulated for single points."""
STEP_MM = 2.0
"""Step of a loft's table along z."""


def stream(seed: int, number: int) -> np.random.Generator:
    """An independent random stream of one patient; 0xB keeps it apart from any other use of the same seed."""
    return np.random.default_rng([seed, number, 0xB])


class Section(NamedTuple):
    """A closed contour at height z around (x, y): radii to the four sides in mm; ``square`` swells the diagonals."""

    z: float
    x: float
    y: float
    left: float
    front: float
    right: float
    back: float
    square: float = 1.0


@dataclass(frozen=True, eq=False)
class Loft:
    """Star-shaped sections along z.

    Attributes:
        bottom_mm: height of the first level. x, y: shape (levels,), centre line. radius: shape (levels, ANGLES), mm;
            angle 0 is the patient's left, a quarter turn on the back.
    """

    bottom_mm: float
    x: Floats
    y: Floats
    radius: Floats

    def depth(self, x: Floats, y: Floats, z: Floats) -> Floats:
        """Distance in mm to the contour along the ray from the centre line: above 0 inside, far below past the ends."""
        cell, away = self.polar(x, y, z)
        return self.radius.reshape(-1)[cell] - away

    def polar(self, x: Floats, y: Floats, z: Floats) -> tuple[npt.NDArray[np.int32], Floats]:
        """Which entry of ``radius`` (flat) points look up, and how far they are from the centre line, in mm; above and
        below the loft 9999 mm."""
        level = np.rint((z - self.bottom_mm) / np.float32(STEP_MM)).astype(np.int32)
        within = (level >= 0) & (level < len(self.x))
        level = np.clip(level, 0, len(self.x) - 1)
        dx, dy = x - self.x[level], y - self.y[level]
        turn = np.rint(np.arctan2(dy, dx) * np.float32(ANGLES / (2 * np.pi))).astype(np.int32) % ANGLES
        away = np.where(within, np.sqrt(dx * dx + dy * dy), np.float32(9999.0))
        return level * ANGLES + turn, away.astype(np.float32)

    def grown(self, by_mm: float | Floats) -> Loft:
        """The same loft with larger radii; ``by_mm`` is a number or of the shape of ``radius``."""
        return Loft(self.bottom_mm, self.x, self.y, np.maximum(self.radius + by_mm, 0).astype(np.float32))

    @cached_property
    def heights(self) -> Floats:
        """Height of each level, mm."""
        return (self.bottom_mm + STEP_MM * np.arange(len(self.x))).astype(np.float32)

    @cached_property
    def bounds(self) -> npt.NDArray[np.float64]:
        """Shape (2, 3): lowest and highest (x, y, z)."""
        turn = np.arange(ANGLES) * 2 * np.pi / ANGLES
        x = self.x[:, None] + self.radius * np.cos(turn)
        y = self.y[:, None] + self.radius * np.sin(turn)
        low, high = (x.min(), y.min(), self.heights[0]), (x.max(), y.max(), self.heights[-1])
        return np.array([low, high], dtype=np.float64)


def loft(sections: tuple[Section, ...], rng: np.random.Generator | None = None, wobble: float = 0.05) -> Loft:
    """The loft through sections, by ascending z; ``wobble`` is the share by which its Fourier modes 2 to 6 vary."""
    rows = sorted(sections)
    z = np.array([row.z for row in rows])
    heights = np.arange(z[0], z[-1] + STEP_MM / 2, STEP_MM)
    contours = _contours(rows)
    table = PchipInterpolator(z, contours)(heights)
    if rng is not None and wobble > 0:
        table = table * (1 + _ripple(heights, rng, wobble))
    centre = PchipInterpolator(z, np.array([(row.x, row.y) for row in rows]))(heights)
    x, y = centre.T.astype(np.float32)
    return Loft(float(z[0]), x, y, np.maximum(table, 0.0).astype(np.float32))


def _contours(rows: list[Section]) -> npt.NDArray[np.float64]:
    """Radii, shape (rows, ANGLES), of the periodic splines through the four sides and four diagonals."""
    sides = np.array([(row.left, row.back, row.right, row.front) for row in rows])
    following = np.roll(sides, -1, axis=1)
    square = np.array([[row.square] for row in rows])
    # the diagonal of an ellipse with these two half-axes, swollen
    diagonals = square * sides * following * np.sqrt(2) / np.maximum(1e-6, np.hypot(sides, following))
    knots = np.stack((sides, diagonals), axis=2).reshape(len(rows), 8)
    closed = np.concatenate((knots, knots[:, :1]), axis=1)
    spline = CubicSpline(np.linspace(0, 2 * np.pi, 9), closed, axis=1, bc_type="periodic")
    return np.asarray(spline(np.arange(ANGLES) * 2 * np.pi / ANGLES))


def _ripple(heights: npt.NDArray[np.float64], rng: np.random.Generator, share: float) -> npt.NDArray[np.float64]:
    """Relative change of radius, shape (levels, ANGLES): Fourier modes whose weights drift along z."""
    turn = np.arange(ANGLES) * 2 * np.pi / ANGLES
    knots = max(2, int((heights[-1] - heights[0]) / 50) + 2)
    levels = np.linspace(0, knots - 1, len(heights))
    modes = np.arange(2, 7)
    size = share / np.sqrt(modes)
    drawn = rng.standard_normal((knots, 2, len(modes))) * size
    weights = PchipInterpolator(np.arange(knots), drawn, axis=0)(levels)
    total = weights[:, 0] @ np.cos(np.outer(modes, turn)) + weights[:, 1] @ np.sin(np.outer(modes, turn))
    return np.asarray(np.clip(total, -0.35, 0.35))


def mirrored(sections: tuple[Section, ...]) -> tuple[Section, ...]:
    """The sections of the other side of the body."""
    return tuple(row._replace(x=-row.x, left=row.right, right=row.left) for row in sections)


def curve(knots: npt.ArrayLike, step_mm: float) -> npt.NDArray[np.float64]:
    """Points about every ``step_mm`` along the cubic spline through ``knots``; further columns are carried along.

    Args:
        knots: shape (n, 3 or more): x, y, z in mm and, say, a radius.
    """
    points = np.asarray(knots, dtype=np.float64)
    reach = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(points[:, :3], axis=0), axis=1))))
    at = np.linspace(0, reach[-1], max(2, int(reach[-1] / step_mm) + 1))
    return np.asarray(PchipInterpolator(reach, points)(at))


def patch(mesh: npt.ArrayLike, step_mm: float) -> npt.NDArray[np.float64]:
    """Points of the smooth sheet through a mesh of shape (rows, columns, 3 or more)."""
    nodes = np.asarray(mesh, dtype=np.float64)
    sides = np.linalg.norm(np.diff(nodes[..., :3], axis=0), axis=-1).sum(0).max()
    across = np.linalg.norm(np.diff(nodes[..., :3], axis=1), axis=-1).sum(1).max()
    rows = PchipInterpolator(np.arange(nodes.shape[0]), nodes, axis=0)(
        np.linspace(0, nodes.shape[0] - 1, int(sides / step_mm) + 2)
    )
    both = PchipInterpolator(np.arange(nodes.shape[1]), rows, axis=1)(
        np.linspace(0, nodes.shape[1] - 1, int(across / step_mm) + 2)
    )
    return np.asarray(both.reshape(-1, nodes.shape[2]))


def field(rng: np.random.Generator, grid: Volume, knot_mm: float) -> Floats:
    """A smooth random field of unit standard deviation at its knots: cubic B-splines on a coarse lattice.

    Returns:
        float32, the shape of ``grid``.
    """
    basis = [_basis(np.arange(n) * step, n * step, knot_mm) for n, step in _axes(grid)]
    return _tensor(basis, _knots(rng, basis))


def _knots(rng: np.random.Generator, basis: list[Floats]) -> Floats:
    """Standard normal weights; they take one draw of ``rng`` whatever their number, so that what is drawn next does not
    depend on the grid."""
    own = np.random.default_rng(int(rng.integers(0, 2**62)))
    return own.standard_normal([b.shape[1] for b in basis]).astype(np.float32)


def _axes(grid: Volume) -> tuple[tuple[int, float], ...]:
    return tuple(zip(grid.array.shape, grid.spacing_mm[::-1].tolist(), strict=True))


def _basis(at_mm: npt.ArrayLike, length_mm: float, knot_mm: float) -> Floats:
    """Cubic B-splines at positions 0..length: shape (positions, knots)."""
    inner = max(2, int(np.ceil(length_mm / knot_mm)) + 1)
    knots = np.linspace(0, length_mm, inner)
    step = knots[1]
    full = np.concatenate((knots[0] - step * np.arange(3, 0, -1), knots, knots[-1] + step * np.arange(1, 4)))
    where = np.clip(np.asarray(at_mm, dtype=np.float64), 0, length_mm)
    return np.asarray(BSpline.design_matrix(where, full, 3).toarray(), dtype=np.float32)


def _tensor(basis: list[Floats], weights: Floats) -> Floats:
    rows = np.tensordot(basis[0], weights, (1, 0))
    rows = np.einsum("krc,jr->kjc", rows, basis[1], optimize=True)
    return np.ascontiguousarray(rows @ basis[2].T, dtype=np.float32)


class Warp:
    """From the patient to the standard body: canonical = patient / scale + B-spline displacement.

    Attributes:
        grid: the patient's grid. scale: patient over standard size, all axes. girth, head: further scale of x and y
            from the shoulders down, and of the head. x, y, z: canonical coordinates of the grid's voxels, float32.
    """

    def __init__(self, grid: Volume, scale: float, girth: float, rng: np.random.Generator, sway_mm: Sway) -> None:
        self.grid = grid
        self.scale = scale
        self.girth = girth
        self.head = float(0.975 * scale**-0.95)
        places = [np.linspace(0, n * step, int(n * step / COARSE_MM) + 2) for n, step in _axes(grid)]
        self._bend_step = np.array([at[1] for at in places])
        self._bend = [np.zeros([len(at) for at in places], dtype=np.float32) for _ in range(3)]
        bends = [np.zeros(grid.array.shape, dtype=np.float32) for _ in range(3)]
        for knot_mm, size_mm in zip(KNOTS_MM, sway_mm, strict=True):
            basis = [_basis(np.arange(n) * step, n * step, knot_mm) for n, step in _axes(grid)]
            coarse = [_basis(at, n * step, knot_mm) for at, (n, step) in zip(places, _axes(grid), strict=True)]
            for a in range(3):
                weights = _knots(rng, basis) * np.float32(size_mm[a])
                bends[a] += _tensor(basis, weights)
                self._bend[a] += _tensor(coarse, weights)
        self.reach_mm = float(max(np.abs(bend).max() for bend in bends))
        plain = [(grid.affine[a, 3] + grid.affine[a, a] * np.arange(grid.array.shape[2 - a])) / scale for a in range(3)]
        width = self._width(plain[2])[:, None, None]
        flat = (plain[0][None, None, :] / width, plain[1][None, :, None] / width, plain[2][:, None, None])
        self.x, self.y, self.z = (flat[a].astype(np.float32) + bends[a] for a in range(3))

    def _width(self, z_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Girth at a standard height; heads vary less than bodies do."""
        return np.asarray(self.head + (self.girth - self.head) * np.clip((1540 - z_mm) / 90, 0, 1))

    def box(self, bounds: npt.NDArray[np.float64]) -> Box:
        """Array slices that hold every voxel whose canonical place can lie within ``bounds`` of shape (2, 3)."""
        margin = self.reach_mm + 2.0
        widths = np.array([[self.girth, self.girth, 1.0], [self.head, self.head, 1.0]])
        lower, upper = bounds[0] - margin, bounds[1] + margin
        low = self.grid.index_kji((lower * widths).min(axis=0) * self.scale)
        high = self.grid.index_kji((upper * widths).max(axis=0) * self.scale)
        slices = [
            slice(max(0, min(n, int(a))), max(0, min(n, int(np.ceil(b)) + 1)))
            for a, b, n in zip(low, high, self.grid.array.shape, strict=True)
        ]
        return slices[0], slices[1], slices[2]

    def depth(self, shape: Loft, box: Box) -> Floats:
        """A loft's depth at the voxels of a box."""
        return shape.depth(self.x[box], self.y[box], self.z[box])

    def to_patient(self, canonical: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Patient points of canonical points, shape (n, 3); fixed point of the forward map."""
        found = canonical * self.scale
        for _ in range(3):
            straight = canonical - self._displacement(found)
            straight[:, :2] *= self._width(straight[:, 2])[:, None]
            found = straight * self.scale
        return np.asarray(found)

    def _displacement(self, patient_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        places = ((patient_mm - self.grid.affine[:3, 3])[:, ::-1] / self._bend_step).T
        bent = [ndimage.map_coordinates(bend, places, order=1, mode="nearest") for bend in self._bend]
        return np.stack(bent, axis=1).astype(np.float64)


def stamp(grid: Volume, points_mm: npt.NDArray[np.float64], radii_mm: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Voxels whose centre lies within a radius of one of the points; where a tube is thinner than a voxel, the nearest.

    Args:
        points_mm: shape (n, 3), patient space. radii_mm: shape (n,).

    Returns:
        Flat indices into the grid's array, sorted, each once.
    """
    found = []
    spacing = grid.spacing_mm[::-1]
    place = grid.index_kji(points_mm)
    base = np.rint(place).astype(np.int64)
    radii = np.maximum(radii_mm, 0.5 * spacing.max())
    order = np.argsort(radii)
    for part in np.array_split(order, max(1, min(8, len(order) // 40))):
        part = part[_spread(points_mm[part], 0.3 * float(radii[part].min()))]
        half = np.ceil(radii[part].max() / spacing).astype(int)
        steps = [base[part, a, None] + np.arange(-h, h + 1) for a, h in enumerate(half)]
        away = [
            np.where((at >= 0) & (at < n), ((at - place[part, a, None]) * spacing[a]) ** 2, np.inf).astype(np.float32)
            for a, (at, n) in enumerate(zip(steps, grid.array.shape, strict=True))
        ]
        far = away[0][:, :, None, None] + away[1][:, None, :, None] + away[2][:, None, None, :]
        point, k, j, i = np.nonzero(far <= (radii[part] ** 2).astype(np.float32)[:, None, None, None])
        index = (steps[0][point, k], steps[1][point, j], steps[2][point, i])
        found.append(np.unique(np.ravel_multi_index(index, grid.array.shape)))
    return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


def _spread(points_mm: npt.NDArray[np.float64], cell_mm: float) -> npt.NDArray[np.int64]:
    """Indices of one point per cell: a tube needs no more for its radius."""
    cells = np.floor(points_mm / cell_mm).astype(np.int64) - np.floor(points_mm.min(0) / cell_mm).astype(np.int64)
    key = np.ravel_multi_index(tuple(cells.T), tuple(cells.max(0) + 1))
    return np.asarray(np.unique(key, return_index=True)[1])
