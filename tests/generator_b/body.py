"""One person's body: a label map of some 90 structures, lofted, stamped and bent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from lymphoma.imaging.volume import Volume

from tests.generator_b import outline, skeleton, viscera
from tests.generator_b.geometry import Floats, Loft, Section, Warp, loft, mirrored, stamp, stream
from tests.generator_b.skeleton import VERTEBRAE, Tube

__all__ = ["NAMES", "Body", "Person", "build_body", "draw_person", "number_of"]

STREAM = 1
SWAY_MM = ((4.5, 4.5, 6.0), (5.0, 3.0, 14.0))


def _names() -> tuple[str, ...]:
    sides = ("left", "right")
    paired = (
        *("hip", "femur", "humerus", "scapula", "clavicula", "kidney", "adrenal_gland", "thyroid_gland"),
        *("parotid_gland", "submandibular_gland", "tonsil", "iliopsoas", "autochthon", "gluteus_maximus"),
        *("iliac_artery", "common_carotid_artery"),
    )
    single = (
        *("subcutaneous_fat", "muscles", "torso_fat", "mediastinum", "lung_upper_lobe_left", "lung_lower_lobe_left"),
        *("lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right", "skull", "brain", "spinal_cord"),
        *("sacrum", "sternum", "heart", "aorta", "inferior_vena_cava", "superior_vena_cava", "pulmonary_vein"),
        *("trachea", "esophagus", "liver", "gallbladder", "spleen", "pancreas", "stomach", "duodenum", "small_bowel"),
        *("colon", "urinary_bladder", "prostate", "uterus"),
    )
    ribs = tuple(f"rib_{side}_{n}" for n in range(1, 13) for side in sides)
    return (*single, *(f"{p}_{s}" for p in paired for s in sides), *(f"vertebrae_{v}" for v in VERTEBRAE), *ribs)


NAMES = _names()
"""Structures by label; label 1 is the first. The words are TotalSegmentator's where it has one."""

_NUMBER = {name: label for label, name in enumerate(NAMES, start=1)}


@cache
def number_of(*names: str) -> tuple[int, ...]:
    """Labels of structures; a name that ends in "*" stands for all that begin so."""
    return tuple(
        label
        for wanted in names
        for name, label in _NUMBER.items()
        if name == wanted or (wanted.endswith("*") and name.startswith(wanted[:-1]))
    )


@dataclass(frozen=True)
class Person:
    """Build of a person; scales are relative to the standard body of 1,750 mm."""

    sex: Literal["M", "F"]
    height_mm: float
    fat_mm: float
    girth: float
    arms_up: bool
    low_mm: float
    high_mm: float
    bladder_fill: float
    stomach_fill: float


def draw_person(seed: int) -> Person:
    """A grown person: height by a triangular draw, fat by a gamma draw, shorter and fatter for women."""
    rng = stream(seed, STREAM)
    male = bool(rng.random() < 0.55)
    height = float(rng.triangular(1560, 1760, 1950) if male else rng.triangular(1450, 1630, 1800))
    low = float(rng.uniform(610, 690)) * height / 1750
    return Person(
        sex="M" if male else "F",
        height_mm=height,
        fat_mm=float(5 + rng.gamma(3.0, 3.2) + (0 if male else 4)),
        girth=float(np.clip(1 + 0.05 * rng.standard_t(6), 0.86, 1.18)) * (1.0 if male else 0.95),
        arms_up=bool(rng.random() < 0.65),
        low_mm=low,
        high_mm=height + 14,
        bladder_fill=float(rng.uniform(0.6, 1.35)),
        stomach_fill=float(rng.uniform(0.6, 1.25)),
    )


@dataclass(frozen=True, eq=False)
class Body:
    """One person as a label map.

    Attributes:
        organs: uint8 labels of :data:`NAMES`, 0 air. warp: to the standard body.
        wall_mm: about how deep under the skin a voxel lies, in mm; negative outside.
    """

    person: Person
    organs: Volume
    warp: Warp
    wall_mm: Floats

    def mask(self, *names: str) -> npt.NDArray[np.bool_]:
        """Voxels of structures; "vertebrae_*" stands for all that begin so."""
        return np.asarray(np.isin(self.organs.array, number_of(*names)))

    def place(self, tube: Tube) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """A canonical tube's points and radii in the patient, those in the field of view only."""
        points = self.warp.to_patient(tube[:, :3])
        index = self.organs.index_kji(points)
        seen = ((index > -3) & (index < np.array(self.organs.array.shape) + 2)).all(1)
        return points[seen], tube[seen, 3] * self.warp.scale

    def voxels_of(self, tubes: Sequence[Tube]) -> list[npt.NDArray[np.int64]]:
        """As :meth:`voxels` of many tubes, whose points are placed in one go."""
        ends = np.cumsum([len(tube) for tube in tubes])[:-1]
        points = np.split(self.warp.to_patient(np.concatenate(tubes)[:, :3]), ends)
        return [stamp(self.organs, at, tube[:, 3] * self.warp.scale) for at, tube in zip(points, tubes, strict=True)]

    def voxels(self, tube: Tube) -> npt.NDArray[np.int64]:
        """Flat indices of a canonical tube's voxels."""
        return stamp(self.organs, *self.place(tube))


def build_body(seed: int, person: Person, spacing_mm: float) -> Body:
    """The label map on a grid of cubic voxels that holds the whole body."""
    rng = stream(seed, STREAM + 1)
    scale = person.height_mm / 1750
    shapes = _outer(person, rng)
    grid = _grid(person, spacing_mm, scale, shapes)
    warp = Warp(grid, scale, person.girth, rng, SWAY_MM)
    painter = _Painter(grid, warp)
    wall = _paint_wall(painter, shapes)
    body = Body(person, Volume(painter.labels, grid.affine), warp, wall)
    _paint_chest_and_belly(painter, body, rng)
    _paint_organs(painter, body, rng)
    _paint_bones(painter, body, rng)
    painter.labels[wall < -0.3 * spacing_mm] = 0
    return body


@dataclass(frozen=True)
class _Outer:
    muscle: tuple[Loft, ...]
    skin: tuple[Loft, ...]


def _outer(person: Person, rng: np.random.Generator) -> _Outer:
    arm = outline.ARM_UP if person.arms_up else outline.ARM_DOWN
    limbs = [outline.LEG, mirrored(outline.LEG), arm, mirrored(arm)]
    muscle = tuple(loft(t, rng, 0.018) for t in (outline.TRUNK, outline.HEAD, *limbs))
    skins = []
    for part, share in zip(muscle, (1.0, 0.25, 0.75, 0.75, 0.45, 0.45), strict=True):
        belly = np.interp(part.heights, [830, 900, 1060, 1250, 1420, 1500], [0.9, 1.25, 1.3, 0.85, 0.6, 0.4])
        turn = np.arange(part.radius.shape[1]) * 2 * np.pi / part.radius.shape[1]
        around = 1 + 0.25 * np.cos(2 * turn) - 0.25 * np.sin(turn) * (np.abs(part.heights[:, None] - 1030) < 130)
        fat = person.fat_mm * share * (belly[:, None] if share == 1.0 else 1.0) * (around if share == 1.0 else 1.0)
        taper = np.minimum(1.0, part.radius / 20.0)
        skins.append(part.grown((3.0 + fat * taper).astype(np.float32)))
    if person.sex == "F":
        size = float(np.clip(0.62 + 0.022 * person.fat_mm + rng.normal(0, 0.08), 0.6, 1.35))
        breast = tuple(
            r._replace(left=r.left * size, right=r.right * size, front=r.front * size) for r in outline.BREAST
        )
        both = tuple(loft(side, rng, 0.03) for side in (breast, mirrored(breast)))
        return _Outer((*muscle, *(part.grown(-999.0) for part in both)), (*skins, *both))
    return _Outer(muscle, tuple(skins))


def _grid(person: Person, spacing_mm: float, scale: float, shapes: _Outer) -> Volume:
    bounds = np.array([part.bounds for part in shapes.skin])
    half = (np.abs(bounds[..., :2]).max(axis=(0, 1)) * scale * max(1.0, person.girth) + 16) // spacing_mm + 1
    slices = int((person.high_mm - person.low_mm) / spacing_mm)
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    affine[:3, 3] = (-half[0] * spacing_mm, -half[1] * spacing_mm, person.low_mm)
    shape = (slices, int(2 * half[1]) + 1, int(2 * half[0]) + 1)
    return Volume(np.broadcast_to(np.uint8(0), shape), affine)


class _Painter:
    """A label map under the brush; what is painted later lies on top."""

    def __init__(self, grid: Volume, warp: Warp) -> None:
        self.labels = np.zeros(grid.array.shape, dtype=np.uint8)
        self.warp = warp

    def loft(self, name: str, shape: Loft, over: tuple[int, ...] = (), least_mm: float = 0.0) -> None:
        box = self.warp.box(shape.bounds)
        inside = self.warp.depth(shape, box) >= least_mm
        part = self.labels[box]
        if over:
            inside &= np.isin(part, over)
        part[inside] = _NUMBER[name]

    def voxels(self, name: str, flat: npt.NDArray[np.int64], over: tuple[int, ...] = ()) -> None:
        line = self.labels.reshape(-1)
        if over:
            flat = flat[np.isin(line[flat], over)]
        line[flat] = _NUMBER[name]


def _paint_wall(painter: _Painter, shapes: _Outer) -> Floats:
    """Fat and muscle; returns the depth under the skin."""
    wall = np.full(painter.labels.shape, -999.0, dtype=np.float32)
    warp = painter.warp
    for skin, muscle in zip(shapes.skin, shapes.muscle, strict=True):
        box = warp.box(skin.bounds)
        cell, away = skin.polar(warp.x[box], warp.y[box], warp.z[box])
        np.maximum(wall[box], skin.radius.reshape(-1)[cell] - away, out=wall[box])
        part = painter.labels[box]
        part[(wall[box] >= 0) & (part == 0)] = _NUMBER["subcutaneous_fat"]
        part[muscle.radius.reshape(-1)[cell] >= away] = _NUMBER["muscles"]
    return wall


def _paint_chest_and_belly(painter: _Painter, body: Body, rng: np.random.Generator) -> None:
    warp = painter.warp
    chest, belly = loft(outline.CHEST, rng, 0.015), loft(outline.BELLY, rng, 0.02)
    painter.loft("torso_fat", belly)
    box = warp.box(chest.bounds)
    x, y, z = warp.x[box], warp.y[box], warp.z[box]
    inside = warp.depth(chest, box) >= 0
    part = painter.labels[box]
    half = np.interp(z, [1230, 1330, 1380, 1420, 1460], [30, 30, 26, 24, 20]).astype(np.float32)
    spine = np.hypot(x, y - skeleton.SPINE(np.clip(z, 1100, 1500)).astype(np.float32)) < 24
    front = np.clip((-y - 40) / 30, 0, 1) * 14
    middle = (np.abs(x - 4) <= half - front) | spine
    above = z > viscera.diaphragm_mm(x, y)
    part[inside & ~above & (z > 1200)] = _NUMBER["torso_fat"]
    part[inside & middle & (z > 1235)] = _NUMBER["mediastinum"]
    lung = inside & ~middle & above
    oblique = z > 1330 + 0.9 * y
    part[lung & (x > 0)] = _NUMBER["lung_lower_lobe_left"]
    part[lung & (x > 0) & oblique] = _NUMBER["lung_upper_lobe_left"]
    part[lung & (x <= 0)] = _NUMBER["lung_lower_lobe_right"]
    part[lung & (x <= 0) & oblique] = _NUMBER["lung_middle_lobe_right"]
    part[lung & (x <= 0) & oblique & (z > 1325)] = _NUMBER["lung_upper_lobe_right"]


def _paint_organs(painter: _Painter, body: Body, rng: np.random.Generator) -> None:
    person = body.person
    cavity = number_of("torso_fat", "mediastinum", "lung*", "muscles")
    inner = number_of("torso_fat", "mediastinum", "muscles")
    glands = viscera.glands(person.sex == "M")
    flats = dict(zip([n for n, _ in glands], body.voxels_of([tube for _, tube in glands]), strict=True))
    for name in [n for n in flats if n.startswith(("iliopsoas", "autochthon", "gluteus"))]:
        painter.voxels(name, flats.pop(name), over=inner)
    loops = viscera.small_bowel(rng)
    for tube in loops[1:]:
        painter.voxels("small_bowel", body.voxels(tube), over=number_of("torso_fat"))
    for tube in viscera.colon(rng):
        painter.voxels("colon", body.voxels(tube), over=number_of("torso_fat", "small_bowel", "muscles"))
    painter.voxels("stomach", body.voxels(viscera.stomach(person.stomach_fill)), over=cavity)
    painter.voxels("duodenum", body.voxels(loops[0]), over=number_of("torso_fat", "colon", "small_bowel"))
    painter.loft(
        "heart", loft(viscera.HEART, rng, 0.04), over=number_of("mediastinum", "lung*", "torso_fat", "stomach")
    )
    tables: tuple[tuple[str, tuple[Section, ...], float], ...] = (
        ("liver", viscera.LIVER, 0.05),
        ("spleen", viscera.SPLEEN, 0.07),
        ("gallbladder", viscera.GALLBLADDER, 0.1),
        ("kidney_right", viscera.KIDNEY_RIGHT, 0.05),
        ("kidney_left", viscera.KIDNEY_LEFT, 0.05),
    )
    soft = (*cavity, *number_of("stomach", "colon", "small_bowel", "duodenum", "liver", "iliopsoas*"))
    for name, table, wobble in tables:
        shift = rng.normal(0, 3.0, 3) * (1, 1, 3 if name.startswith("kidney") else 1.5)
        moved = tuple(r._replace(x=r.x + shift[0], y=r.y + shift[1], z=r.z + shift[2]) for r in table)
        shape = loft(moved, rng, wobble)
        size = np.float32(np.exp(rng.laplace(0, 0.05)))
        painter.loft(name, Loft(shape.bottom_mm, shape.x, shape.y, shape.radius * size), over=soft)
    for name, flat in flats.items():
        painter.voxels(name, flat)
    tubes = viscera.vessels()
    for (name, _), flat in zip(tubes, body.voxels_of([tube for _, tube in tubes]), strict=True):
        painter.voxels(name, flat)
    painter.loft("urinary_bladder", loft(viscera.bladder(person.bladder_fill), rng, 0.04))


def _paint_bones(painter: _Painter, body: Body, rng: np.random.Generator) -> None:
    for bone in skeleton.skull():
        painter.loft("skull", bone)
    for part in skeleton.BRAIN:
        painter.loft("brain", loft(part, rng, 0.01))
    ribs = skeleton.ribs()
    near = number_of("muscles", "subcutaneous_fat", "lung*", "autochthon*")
    for (name, _), flat in zip(ribs, body.voxels_of([tube for _, tube in ribs]), strict=True):
        painter.voxels(name, flat, over=near)
    bones = (*skeleton.sheets(), *skeleton.limb_bones(body.person.arms_up))
    for (name, _), flat in zip(bones, body.voxels_of([tube for _, tube in bones]), strict=True):
        painter.voxels(name, flat)
    spine = skeleton.vertebrae()
    for (name, shape, _), flat in zip(spine, body.voxels_of([arch for *_, arch in spine]), strict=True):
        painter.voxels(name, flat)
        painter.loft(name, shape)
    painter.loft("sacrum", skeleton.sacrum())
    cord = [(0.0, float(skeleton.SPINE(z)) + np.interp(z, [1050, 1210, 1480], [30, 26, 16]), z, 5.0)
            for z in np.arange(1110.0, 1600.0, 3.0)]  # fmt: skip
    painter.voxels("spinal_cord", body.voxels(np.array(cord)))
