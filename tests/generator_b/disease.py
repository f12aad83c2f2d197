"""Lesions as bodies: random growth through the tissue, lumpy stars, and level sets of random fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from lymphoma.imaging.volume import Volume
from scipy import ndimage
from scipy.special import sph_harm_y
from skimage.graph import MCP_Geometric

from tests.generator_b.body import NAMES, Body, number_of
from tests.generator_b.burden import Burden, Focus
from tests.generator_b.geometry import Floats, field, stream
from tests.generator_b.stations import CHAINS, ORGANS

__all__ = ["Disease", "grow"]

STREAM = 25
GROWS_ML = 12.0
"""From this volume on a node grows by invasion; below it is a lumpy star."""
GAP_MM = 17.0
"""Room a lesion leaves to those already there, where it finds any: what the camera smears stays two lesions."""
TRIES = 40
ROOM = ("torso_fat", "mediastinum", "subcutaneous_fat", "muscles", "iliopsoas_*", "autochthon_*", "pancreas", "lung_*")
"""Tissue that a node may sit in."""

RESISTANCE = (
    (("torso_fat", "mediastinum"), 1.0),
    (("subcutaneous_fat",), 3.0),
    (("muscles", "iliopsoas_*", "autochthon_*", "gluteus_maximus_*"), 4.0),
    (("lung_*", "small_bowel", "duodenum", "pancreas", "tonsil_*"), 3.0),
    (("aorta", "inferior_vena_cava", "superior_vena_cava", "pulmonary_vein", "iliac_artery_*"), 5.0),
)
"""How a tissue slows growth; everything else (organs with a capsule, bone) is 14."""

Box = tuple[slice, slice, slice]
Ball = tuple[npt.NDArray[np.float64], float]
"""Middle, mm, and radius, mm."""


@dataclass(frozen=True, eq=False)
class Disease:
    """Attributes: suv: crisp uptake of the lesions. share: of each voxel, 0..1. boxes: one per lesion, for speed."""

    suv: Floats
    share: Floats
    boxes: tuple[Box, ...]


def grow(seed: int, body: Body, burden: Burden) -> Disease:
    """All lesions of one patient on its grid; where they meet, the hotter stays."""
    shape = body.organs.array.shape
    suv, share = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    boxes = []
    if burden.foci:
        grain = field(stream(seed, STREAM), body.organs, 13.0)
        drift = field(stream(seed, STREAM + 1), body.organs, 32.0)
        resistance = _resistance()
        taken: list[Ball] = []
        for number, focus in sorted(enumerate(burden.foci), key=lambda pair: -pair[1].volume_ml):
            rng = stream(seed, STREAM * 1000 + number)
            placed = _one(body, focus, (grain, drift), resistance, taken, rng)
            if placed is None:
                continue
            box, part = placed
            values = _texture(focus, part, grain[box], body.organs, rng)
            hotter = part * values > share[box] * suv[box]
            suv[box][hotter] = values[hotter]
            share[box] = np.maximum(share[box], part)
            boxes.append(box)
    return Disease(suv, share, tuple(boxes))


def _resistance() -> Floats:
    table = np.full(len(NAMES) + 1, 14.0, dtype=np.float32)
    table[0] = np.inf
    for names, value in RESISTANCE:
        table[list(number_of(*names))] = value
    return table


def _one(
    body: Body,
    focus: Focus,
    fields: tuple[Floats, Floats],
    resistance: Floats,
    taken: list[Ball],
    rng: np.random.Generator,
) -> tuple[Box, Floats] | None:
    """One lesion as its box and share; ``taken`` gains the ball that it fills."""
    grain, _ = fields
    grid = body.organs
    radius = _radius_mm(focus.volume_ml)
    if focus.organ is not None:
        site = ORGANS[focus.organ]
        home = body.mask(*site.structures)
        if not home.any():
            return None
        diffuse = {"bone marrow": 0.35, None: 0.5 * (site.structures == ("spleen",))}.get(site.counts_for, 0.0)
        if rng.random() < diffuse:
            return _level_set(grid, home, focus, grain)
        flat = rng.choice(np.flatnonzero(home), TRIES)
        seat = _freest(grid.points_mm(np.stack(np.unravel_index(flat, home.shape), -1)), radius, taken)
        return _star(body, seat, focus.volume_ml, rng, home if site.counts_for in ("bone marrow", "CNS") else None)
    seats = _seats(body, CHAINS[focus.chain or "mediastinal"].points(), rng)
    if not len(seats):
        return None
    seat = _freest(seats, radius, taken)
    if focus.volume_ml < GROWS_ML:
        return _star(body, seat, focus.volume_ml, rng, None)
    return _invade(body, np.rint(grid.index_kji(seat)).astype(int), focus.volume_ml, fields, resistance)


def _radius_mm(volume_ml: float) -> float:
    return float(np.cbrt(3000 * volume_ml / (4 * np.pi)))


def _seats(body: Body, chain: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Places for a node along a chain, in the order of preference: ever further off it, in tissue that can hold one."""
    grid = body.organs
    off = rng.normal(0, 1, (TRIES, 3)) * np.linspace(5, 19, TRIES)[:, None]
    points = body.warp.to_patient(chain[rng.integers(0, len(chain), TRIES)] + off)
    index = np.rint(grid.index_kji(points)).astype(int)
    seen = ((index >= 1) & (index < np.array(grid.array.shape) - 1)).all(axis=1)
    points, index = points[seen], index[seen]
    soft = np.isin(grid.array[tuple(index.T)], number_of(*ROOM))
    return np.asarray(points[soft] if soft.any() else points)


def _freest(seats: npt.NDArray[np.float64], radius_mm: float, taken: list[Ball]) -> npt.NDArray[np.float64]:
    """The first seat with a gap to all that is taken, or else the one with the widest; it is taken then."""
    gaps = np.full(len(seats), np.inf)
    for middle, reach in taken:
        gaps = np.minimum(gaps, np.linalg.norm(seats - middle, axis=1) - reach - radius_mm)
    free = gaps >= GAP_MM
    seat = seats[int(np.argmax(free)) if free.any() else int(np.argmax(gaps))]
    taken.append((seat, radius_mm))
    return np.asarray(seat)


def _box(grid: Volume, middle: npt.ArrayLike, reach_mm: float) -> Box:
    half = np.ceil(reach_mm / grid.spacing_mm[::-1]).astype(int) + 1
    base = np.rint(np.asarray(middle)).astype(int)
    parts = [slice(max(0, b - h), min(n, b + h + 1)) for b, h, n in zip(base, half, grid.array.shape, strict=True)]
    return parts[0], parts[1], parts[2]


def _star(
    body: Body,
    seat: npt.NDArray[np.float64],
    volume_ml: float,
    rng: np.random.Generator,
    home: npt.NDArray[np.bool_] | None,
) -> tuple[Box, Floats]:
    """A body whose radius is the exponential of random spherical harmonics, up to degree 4, in large lesions 7."""
    grid = body.organs
    r0 = _radius_mm(volume_ml)
    stretch = np.exp(rng.normal(0, 0.18, 3))
    stretch /= np.cbrt(stretch.prod())
    box = _box(grid, grid.index_kji(seat), 2.2 * r0 + 6)
    index = np.stack(np.meshgrid(*[np.arange(s.start, s.stop) for s in box], indexing="ij"), -1)
    d = (grid.points_mm(index) - seat) / stretch
    away = np.linalg.norm(d, axis=-1) + 1e-6
    polar, azimuth = np.arccos(np.clip(d[..., 2] / away, -1, 1)), np.arctan2(d[..., 1], d[..., 0])
    log_radius = np.zeros(away.shape)
    for degree in range(2, 5 if volume_ml < GROWS_ML else 8):
        for order in range(degree + 1):
            wave = sph_harm_y(degree, order, polar, azimuth) * (rng.normal() + 1j * rng.normal())
            log_radius += 0.34 / degree * wave.real
    depth = r0 * np.exp(np.clip(log_radius, -0.6, 0.55)) - away
    part = np.clip(0.5 + depth / float(grid.spacing_mm[0]), 0, 1).astype(np.float32)
    inside = body.organs.array[box] > 0 if home is None else home[box]
    return box, part * inside


def _invade(
    body: Body, index: npt.NDArray[np.int64], volume_ml: float, fields: tuple[Floats, Floats], resistance: Floats
) -> tuple[Box, Floats]:
    """First-passage growth: the voxels that a front of random speed reaches first."""
    grid = body.organs
    grain, drift = fields
    voxels = max(1, round(volume_ml / grid.voxel_volume_ml))
    reach = 2.1 * _radius_mm(volume_ml) + 10
    box = _box(grid, index, reach)
    cost = resistance[grid.array[box]] * np.exp(0.6 * grain[box] + 0.5 * drift[box])
    start = tuple(int(a - s.start) for a, s in zip(index, box, strict=True))
    if not np.isfinite(cost[start]):
        cost[start] = 4.0
    arrival, _ = MCP_Geometric(cost, sampling=tuple(grid.spacing_mm[::-1])).find_costs(
        [start], max_coverage=min(1.0, 1.3 * voxels / cost.size + 0.02)
    )
    arrival = ndimage.gaussian_filter(np.where(np.isfinite(arrival), arrival, arrival[np.isfinite(arrival)].max()), 0.6)
    order = np.sort(arrival[np.isfinite(cost)])
    limit = order[min(voxels, len(order) - 1)]
    return box, ((arrival <= limit) & np.isfinite(cost)).astype(np.float32)


def _level_set(grid: Volume, home: npt.NDArray[np.bool_], focus: Focus, grain: Floats) -> tuple[Box, Floats]:
    """Diffuse disease: where the random field is highest within an organ, as much as asked for."""
    values = np.where(home, grain, -np.inf)
    wanted = min(int(home.sum() * 0.85), max(1, round(1.3 * focus.volume_ml / grid.voxel_volume_ml)))
    limit = np.partition(values[home], -wanted)[-wanted]
    mask = values >= limit
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return box, mask[box].astype(np.float32)


def _texture(focus: Focus, part: Floats, grain: Floats, grid: Volume, rng: np.random.Generator) -> Floats:
    """Uneven uptake; a large lesion may have a cold, necrotic core."""
    values = focus.suv * np.exp(rng.uniform(0.1, 0.26) * grain)
    if focus.volume_ml > 60 and rng.random() < 0.3:
        inside = ndimage.distance_transform_edt(part > 0.5, sampling=grid.spacing_mm[::-1])
        edge = inside.max() * rng.uniform(0.4, 0.6)
        values *= 1 - 0.8 / (1 + np.exp(-(inside - edge - 3 * grain) / 2.5))
    return np.asarray(values, dtype=np.float32)
