"""Organs of the chest, abdomen and pelvis of the reference body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.frame import Canvas
from lymphoma.simulation.outline import CAGE, CAVITY
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.shapes import Array, Ellipsoid, Region, mirrored, rotation, tube

__all__ = ["Build", "build_of", "paint_abdomen", "paint_chest", "paint_pelvic_organs"]

Point = tuple[float, float, float]
_NOT_BONE = ("muscle", "fat", "visceral_fat")


@dataclass(frozen=True, eq=False)
class Build:
    """The patient's own sizes and places of organs, drawn once and used on every grid.

    Attributes:
        scale: factor of size by organ. shift: (x, y, z) displacement in mm by organ.
        waves: shape (8, 4): wave vector (1/mm) and phase of the waves that fold the small bowel.
        dome_mm: height of the two diaphragm domes (right, left) in the reference body.
    """

    scale: dict[str, float]
    shift: dict[str, Point]
    waves: npt.NDArray[np.float64]
    dome_mm: tuple[float, float]

    def ellipsoid(
        self, organ: str, centre: Point, radii: Point, turn: npt.NDArray[np.float64] | None = None
    ) -> Ellipsoid:
        """An ellipsoid of this organ at its own place and size."""
        move, size = self.shift[organ], self.scale[organ]
        moved = (centre[0] + move[0], centre[1] + move[1], centre[2] + move[2])
        return Ellipsoid(moved, (radii[0] * size, radii[1] * size, radii[2] * size), turn)

    def points(self, organ: str, points: tuple[Point, ...]) -> list[Point]:
        """Points moved with this organ."""
        dx, dy, dz = self.shift[organ]
        return [(x + dx, y + dy, z + dz) for x, y, z in points]


_ORGANS = (
    "heart",
    "aorta",
    "liver",
    "spleen",
    "stomach",
    "kidney_left",
    "kidney_right",
    "pancreas",
    "colon",
    "bladder",
)


def build_of(plan: PatientPlan) -> Build:
    """Draws sizes (SD 6 %) and places (SD 3 mm) of the organs; the bladder's volume varies most [assumption]."""
    rng = np.random.default_rng([plan.seed, 3])
    scale = {organ: float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.15)) for organ in _ORGANS}
    shift = {}
    for organ in _ORGANS:
        moved = np.clip(rng.normal(0.0, 3.0, 3), -6, 6)
        shift[organ] = (float(moved[0]), float(moved[1]), float(moved[2]))
    scale["bladder"] = float(rng.uniform(0.7, 1.25))
    direction = rng.normal(size=(8, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    waves = np.concatenate(
        [direction * 2 * np.pi / rng.uniform(42, 75, (8, 1)), rng.uniform(0, 2 * np.pi, (8, 1))], axis=1
    )
    right = float(rng.uniform(-8, 8))
    return Build(scale, shift, waves, (340.0 + right, 326.0 + right + float(rng.uniform(-4, 4))))


def _dome(x: Array, y: Array, build: Build) -> Array:
    """Height of the diaphragm above (x, y)."""
    top = np.where(x < 0, np.float32(build.dome_mm[0]), np.float32(build.dome_mm[1]))
    fall = 48 * ((np.abs(x) - 62) / 72) ** 2 + np.where(y > -15, 78, 40) * ((y + 15) / 92) ** 2
    return np.asarray(np.maximum(top - fall, 212), dtype=np.float32)


def paint_chest(canvas: Canvas, build: Build) -> None:
    """Mediastinal fat, lungs with their vessels, heart, great vessels."""

    def thorax(x: Array, y: Array, z: Array) -> Array:
        return np.asarray(np.maximum(CAGE.distance(x, y, z) + 9.5, _dome(x, y, build) - z))

    def lung(x: Array, y: Array, z: Array) -> Array:
        middle = np.interp(z, (300, 380, 440, 480, 520, 550), (38, 36, 33, 30, 22, 14)).astype(np.float32)
        middle = middle - np.where(y < -40, np.clip((-40 - y) * 0.45, 0, 24), 0) + np.where(y > 30, -8, 0)
        return np.asarray(np.maximum(thorax(x, y, z), (middle - np.abs(x)).astype(np.float32)))

    bounds = ((-140.0, -115.0, 205.0), (140.0, 115.0, 552.0))
    canvas.paint("visceral_fat", Region(bounds, thorax))
    canvas.paint("lung_right", Region((bounds[0], (0.0, *bounds[1][1:])), lung))
    canvas.paint("lung_left", Region(((0.0, *bounds[0][1:]), bounds[1]), lung))
    _paint_lung_vessels(canvas)
    _paint_heart(canvas, build)
    _paint_vessels(canvas, build)


def _paint_lung_vessels(canvas: Canvas) -> None:
    """Two generations of pulmonary vessels fanning out of each hilum."""
    rng = np.random.default_rng(7)  # the same fan in everybody; the body itself differs
    for side, lung in ((-1, "lung_right"), (1, "lung_left")):
        root = np.array([side * 40.0, 12.0, 428.0])
        for _ in range(9):
            way = np.array([side * rng.uniform(0.25, 1.0), rng.uniform(-0.9, 0.8), rng.uniform(-1.2, 0.9)])
            fork = root + way / np.linalg.norm(way) * rng.uniform(28, 40)
            canvas.paint("blood", *tube([_point(root), _point(fork)], 4.0, 3.0), only=(lung,))
            for _ in range(3):
                onward = way + rng.normal(0, 0.5, 3)
                tip = fork + onward / np.linalg.norm(onward) * rng.uniform(25, 45)
                canvas.paint("blood", *tube([_point(fork), _point(tip)], 2.6, 1.4), only=(lung,))


def _point(values: npt.NDArray[np.float64]) -> Point:
    return (float(values[0]), float(values[1]), float(values[2]))


def _paint_heart(canvas: Canvas, build: Build) -> None:
    tilt = rotation("z", -38.0) @ rotation("x", -35.0) @ rotation("y", 35.0)
    canvas.paint("visceral_fat", build.ellipsoid("heart", (22.0, -36.0, 376.0), (58.0, 44.0, 56.0)))
    canvas.paint("heart_blood", build.ellipsoid("heart", (-2.0, -34.0, 392.0), (40.0, 38.0, 44.0)))
    canvas.paint("heart_blood", build.ellipsoid("heart", (14.0, -52.0, 366.0), (44.0, 26.0, 36.0)))
    canvas.paint("heart_blood", build.ellipsoid("heart", (12.0, -8.0, 410.0), (32.0, 26.0, 26.0)))
    outer, inner = (32.0, 31.0, 44.0), (21.0, 20.0, 36.0)
    canvas.paint("myocardium", build.ellipsoid("heart", (42.0, -36.0, 366.0), outer, tilt))
    canvas.paint("heart_blood", build.ellipsoid("heart", (38.0, -33.0, 372.0), inner, tilt))


def _paint_vessels(canvas: Canvas, build: Build) -> None:
    aorta = build.points(
        "aorta",
        (
            (2.0, -30.0, 415.0), (-10.0, -38.0, 455.0), (0.0, -24.0, 482.0), (14.0, 0.0, 488.0), (24.0, 26.0, 470.0),
            (24.0, 34.0, 420.0), (20.0, 34.0, 350.0), (10.0, 18.0, 270.0), (8.0, 6.0, 190.0), (4.0, 2.0, 120.0),
        ),
    )  # fmt: skip
    canvas.paint("blood", *tube(((-24.0, -28.0, 500.0), (-26.0, -24.0, 420.0)), 9.0))
    canvas.paint("blood", *tube(((-40.0, 10.0, 428.0), (0.0, -8.0, 446.0), (38.0, 8.0, 440.0)), 10.0))
    canvas.paint("vena_cava", *tube(((-22.0, -6.0, 345.0), (-22.0, 6.0, 270.0), (-20.0, 4.0, 120.0)), 10.5))
    canvas.paint("aorta", *tube(aorta, 14.0, 9.0))
    for side in (-1, 1):
        iliac = ((2.0, 2.0, 118.0), (side * 34.0, 16.0, 78.0), (side * 62.0, -30.0, 25.0), (side * 74.0, -62.0, -30.0))
        canvas.paint("blood", *tube(iliac, 6.5, 5.0), *tube([(x - side * 3, y + 11, z) for x, y, z in iliac], 7.0, 5.5))
        canvas.paint("blood", *tube([mirrored(p, side) for p in ((14.0, -14.0, 490.0), (24.0, -2.0, 640.0))], 5.5, 4.0))


def paint_abdomen(canvas: Canvas, build: Build) -> None:
    """Bowel, stomach, pancreas, kidneys, spleen, liver, and the muscles along the spine."""
    for side in (-1, 1):
        psoas = ((20.0, 34.0, 250.0), (36.0, 34.0, 160.0), (52.0, 18.0, 80.0), (76.0, -18.0, 10.0), (92.0, 0.0, -50.0))
        canvas.paint("muscle", *tube([mirrored(p, side) for p in psoas], 14.0, 18.0))
    _paint_bowel(canvas, build)
    for radii, tissue in (((40.0, 34.0, 44.0), "stomach_wall"), ((34.0, 28.0, 38.0), "stomach_fluid")):
        canvas.paint(tissue, build.ellipsoid("stomach", (60.0, -34.0, 268.0), radii), only=_ABDOMEN)
        canvas.paint(
            tissue, build.ellipsoid("stomach", (36.0, -56.0, 226.0), (radii[0] * 0.9, 22.0, 22.0)), only=_ABDOMEN
        )
    canvas.paint(
        "stomach_gas", build.ellipsoid("stomach", (60.0, -52.0, 282.0), (22.0, 12.0, 26.0)), only=("stomach_fluid",)
    )
    canvas.paint(
        "pancreas",
        *tube(build.points("pancreas", ((-32.0, -22.0, 196.0), (0.0, -24.0, 212.0), (78.0, 22.0, 244.0))), 14.0, 9.0),
        only=_ABDOMEN,
    )
    for side, name in ((-1, "right"), (1, "left")):
        _paint_kidney(canvas, build, side, name)

    def under_diaphragm(solid: Ellipsoid) -> Region:
        def level(x: Array, y: Array, z: Array) -> Array:
            inside = np.maximum(CAGE.distance(x, y, z) + 10, z - _dome(x, y, build) + 3)
            return np.asarray(np.maximum(solid.distance(x, y, z), inside))

        return Region(solid.bounds, level)

    canvas.paint("spleen", under_diaphragm(build.ellipsoid("spleen", (106.0, 40.0, 268.0), (30.0, 42.0, 58.0))))
    right = build.ellipsoid("liver", (-74.0, -8.0, 262.0), (76.0, 92.0, 92.0), rotation("y", -12.0))
    left = build.ellipsoid("liver", (-4.0, -52.0, 292.0), (80.0, 44.0, 40.0), rotation("y", 14.0))
    canvas.paint("liver", under_diaphragm(right), under_diaphragm(left), only=_ABDOMEN)
    canvas.paint(
        "gallbladder", build.ellipsoid("liver", (-62.0, -56.0, 212.0), (15.0, 17.0, 28.0)), only=(*_ABDOMEN, "liver")
    )


_ABDOMEN = (
    "visceral_fat", "small_bowel", "colon_wall", "colon_content", "colon_gas", "stomach_wall", "stomach_fluid",
    "stomach_gas", "lung_left", "lung_right", "blood", "pancreas",  "heart_blood",
)  # fmt: skip


def _paint_kidney(canvas: Canvas, build: Build, side: int, name: str) -> None:
    organ = f"kidney_{name}"
    height = 208.0 if side > 0 else 192.0
    turn = rotation("y", side * 14.0) @ rotation("z", side * 32.0)
    centre = (side * 64.0, 44.0, height)
    canvas.paint(f"adrenal_{name}", Ellipsoid((side * 40.0, 26.0, height + 58), (5.0, 12.0, 15.0)))
    canvas.paint("visceral_fat", build.ellipsoid(organ, centre, (36.0, 34.0, 64.0), turn), only=("muscle",))
    canvas.paint(organ, build.ellipsoid(organ, centre, (27.0, 25.0, 56.0), turn))
    canvas.paint("visceral_fat", build.ellipsoid(organ, (side * 49.0, 36.0, height), (11.0, 8.0, 22.0)))
    canvas.paint(f"renal_pelvis_{name}", build.ellipsoid(organ, (side * 53.0, 38.0, height), (9.0, 6.0, 15.0)))
    way = ((48.0, 34.0, height - 14), (40.0, 24.0, 150.0), (42.0, 18.0, 90.0), (48.0, 24.0, 40.0), (20.0, 8.0, 6.0))
    pieces = tube([mirrored(p, side) for p in way], 2.8)
    canvas.paint(f"ureter_{name}", *(piece for n, piece in enumerate(pieces) if n != 1 + (side > 0)))


def _paint_bowel(canvas: Canvas, build: Build) -> None:
    def loops(x: Array, y: Array, z: Array) -> Array:
        field = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=np.float32)
        for kx, ky, kz, phase in build.waves.astype(np.float32):
            field += np.cos(kx * x + ky * y + kz * z + phase)
        around = np.sqrt((x / 98) ** 2 + ((y + 42) / 44) ** 2 + ((z - 108) / 80) ** 2) - 1
        return np.asarray(np.maximum(np.maximum(np.abs(field) - np.float32(1.25), around), CAVITY.level(x, y, z)))

    canvas.paint("small_bowel", Region(((-100.0, -90.0, 28.0), (100.0, 5.0, 190.0)), loops), only=("visceral_fat",))
    frame = (
        (-92.0, -28.0, 66.0), (-98.0, -18.0, 130.0), (-92.0, -26.0, 196.0), (-50.0, -66.0, 176.0), (10.0, -72.0, 164.0),
        (66.0, -60.0, 188.0), (102.0, -4.0, 236.0), (104.0, 12.0, 160.0), (100.0, -2.0, 92.0), (70.0, -14.0, 54.0),
        (30.0, 14.0, 62.0), (6.0, 36.0, 44.0), (0.0, 44.0, 10.0), (0.0, 40.0, -45.0),
    )  # fmt: skip
    path = build.points("colon", frame)
    canvas.paint("colon_wall", *tube(path, 21.0, 15.0), only=(*_NOT_BONE, "small_bowel"))
    canvas.paint("colon_content", *tube(path, 17.0, 11.0), only=("colon_wall",))
    gas = [(x, y - 8, z) for x, y, z in path[:9]]
    canvas.paint("colon_gas", *tube(gas, 10.0, 8.0), only=("colon_content",))


def paint_pelvic_organs(canvas: Canvas, build: Build, plan: PatientPlan) -> None:
    """Bladder, and prostate or uterus."""
    size = build.scale["bladder"]
    if plan.person.sex == "M":
        canvas.paint("prostate", Ellipsoid((0.0, -4.0, -26.0), (23.0, 19.0, 19.0)))
    else:
        canvas.paint("uterus", Ellipsoid((0.0, 10.0, 40.0), (24.0, 22.0, 32.0), rotation("x", 35.0)))
    canvas.paint("bladder", build.ellipsoid("bladder", (0.0, -26.0, 2.0 + 22 * size), (40.0, 32.0, 30.0)))
