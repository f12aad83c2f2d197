"""Organs of the chest of the reference body."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.build import Build
from lymphoma.simulation.frame import Canvas
from lymphoma.simulation.outline import CAGE
from lymphoma.simulation.shapes import Array, Capsule, Point, Region, mirrored, rotation, tube
from lymphoma.simulation.tissues import LUNGS, SIDES

__all__ = ["diaphragm", "paint_chest"]


def diaphragm(x: Array, y: Array, build: Build) -> Array:
    """Height of the diaphragm above (x, y), mm."""
    top = np.where(x < 0, np.float32(build.dome_mm[0]), np.float32(build.dome_mm[1]))
    fall = 48 * ((np.abs(x) - 62) / 72) ** 2 + np.where(y > -15, 78, 40) * ((y + 15) / 92) ** 2
    return np.asarray(np.maximum(top - fall, 212), dtype=np.float32)


def paint_chest(canvas: Canvas, build: Build) -> None:
    """Mediastinal fat, lungs with their vessels, heart, great vessels."""

    def thorax(x: Array, y: Array, z: Array) -> Array:
        return np.asarray(np.maximum(CAGE.distance(x, y, z) + 9.5, diaphragm(x, y, build) - z))

    def lung(x: Array, y: Array, z: Array) -> Array:
        middle = np.interp(z, (300, 380, 440, 480, 520, 550), (36, 33, 30, 27, 20, 13)).astype(np.float32)
        middle = middle - np.where(y < -40, np.clip((-40 - y) * 0.45, 0, 24), 0) + np.where(y > 30, -8, 0)
        return np.asarray(np.maximum(thorax(x, y, z), (middle - np.abs(x)).astype(np.float32)))

    low, high = (-140.0, -115.0, 205.0), (140.0, 115.0, 552.0)
    canvas.paint("visceral_fat", Region((low, high), thorax))
    canvas.paint("lung_lower_lobe_right", Region((low, (0.0, *high[1:])), lung))
    canvas.paint("lung_lower_lobe_left", Region(((0.0, *low[1:]), high), lung))
    _paint_lobes(canvas)
    _paint_lung_vessels(canvas)
    _paint_heart(canvas, build)
    _paint_vessels(canvas, build)


def _paint_lobes(canvas: Canvas) -> None:
    """The oblique fissures rise from the diaphragm in front to T3 behind; on the right a horizontal one as well."""

    def in_front(x: Array, y: Array, z: Array) -> Array:
        return np.asarray((408 + 1.15 * y + 0.12 * np.abs(x) - z) + 0 * x, dtype=np.float32)

    def middle(x: Array, y: Array, z: Array) -> Array:
        return np.asarray(np.maximum(in_front(x, y, z), z - 418 - 0.10 * y), dtype=np.float32)

    for side, name in SIDES.items():
        low, high = sorted((side * 1.0, side * 140.0))
        bounds = ((low, -115.0, 205.0), (high, 115.0, 552.0))
        canvas.paint(f"lung_upper_lobe_{name}", Region(bounds, in_front), only=(f"lung_lower_lobe_{name}",))
    canvas.paint(
        "lung_middle_lobe_right",
        Region(((-140.0, -115.0, 205.0), (-1.0, 115.0, 440.0)), middle),
        only=("lung_upper_lobe_right",),
    )


def _paint_lung_vessels(canvas: Canvas) -> None:
    for side, name in SIDES.items():
        lung = tuple(lobe for lobe in LUNGS if lobe.endswith(name))
        canvas.paint("blood", *_lung_vessels(side), only=lung)


@cache
def _lung_vessels(side: int) -> tuple[Capsule, ...]:
    """Two generations of pulmonary vessels fanning out of the hilum."""
    rng = np.random.default_rng([7, 1 + side])  # the same fan in everybody; the body itself differs
    root = np.array([side * 40.0, 12.0, 428.0])
    pieces: list[Capsule] = []
    for _ in range(9):
        way = np.array([side * rng.uniform(0.25, 1.0), rng.uniform(-0.9, 0.8), rng.uniform(-1.2, 0.9)])
        fork = root + way / np.linalg.norm(way) * rng.uniform(28, 40)
        pieces += tube([_point(root), _point(fork)], 4.0, 3.0)
        for _ in range(3):
            onward = way + rng.normal(0, 0.5, 3)
            tip = fork + onward / np.linalg.norm(onward) * rng.uniform(25, 45)
            pieces += tube([_point(fork), _point(tip)], 2.6, 1.4)
    return tuple(pieces)


def _point(values: npt.NDArray[np.float64]) -> Point:
    return (float(values[0]), float(values[1]), float(values[2]))


def _paint_heart(canvas: Canvas, build: Build) -> None:
    tilt = rotation("z", -38.0) @ rotation("x", -35.0) @ rotation("y", 35.0)
    canvas.paint("visceral_fat", build.ellipsoid("heart", (20.0, -36.0, 374.0), (60.0, 45.0, 56.0)))
    canvas.paint("heart_atrium_right", build.ellipsoid("heart", (-20.0, -34.0, 388.0), (27.0, 30.0, 38.0)))
    canvas.paint("heart_ventricle_right", build.ellipsoid("heart", (12.0, -52.0, 370.0), (44.0, 26.0, 38.0)))
    canvas.paint("heart_atrium_left", build.ellipsoid("heart", (10.0, -8.0, 408.0), (33.0, 25.0, 26.0)))
    outer, inner = (33.0, 32.0, 45.0), (21.0, 20.0, 36.0)
    centre = (42.0, -36.0, 366.0)
    canvas.paint("myocardium", build.ellipsoid("heart", centre, outer, tilt))
    # half of the wall, to one side of the ventricle's axis
    angle = np.radians(build.wall)
    off = tilt @ np.array([30.0 * np.cos(angle), 30.0 * np.sin(angle), 6.0])
    focus = (centre[0] + float(off[0]), centre[1] + float(off[1]), centre[2] + float(off[2]))
    canvas.paint("myocardium_focus", build.ellipsoid("heart", focus, (26.0, 26.0, 30.0)), only=("myocardium",))
    canvas.paint("heart_ventricle_left", build.ellipsoid("heart", (38.0, -33.0, 372.0), inner, tilt))


def _paint_vessels(canvas: Canvas, build: Build) -> None:
    aorta = build.points(
        "aorta",
        (
            (2.0, -30.0, 415.0), (-10.0, -38.0, 455.0), (0.0, -24.0, 482.0), (14.0, 0.0, 488.0), (24.0, 26.0, 470.0),
            (24.0, 34.0, 420.0), (20.0, 34.0, 350.0), (10.0, 18.0, 270.0), (8.0, 6.0, 190.0), (4.0, 2.0, 120.0),
        ),
    )  # fmt: skip
    wide = build.scale["aorta"]
    canvas.paint("superior_vena_cava", *tube(((-24.0, -28.0, 504.0), (-26.0, -24.0, 420.0)), 9.0))
    canvas.paint("superior_vena_cava", *tube(((34.0, -30.0, 524.0), (-22.0, -34.0, 500.0)), 7.0))
    canvas.paint("pulmonary_artery", *tube(((-42.0, 10.0, 428.0), (0.0, -8.0, 446.0), (40.0, 8.0, 440.0)), 10.0))
    canvas.paint("pulmonary_artery", *tube(((14.0, -40.0, 408.0), (12.0, -22.0, 445.0)), 13.0))
    canvas.paint("vena_cava", *tube(((-22.0, -6.0, 345.0), (-22.0, 6.0, 270.0), (-20.0, 4.0, 120.0)), 10.5))
    canvas.paint("aorta", *tube(aorta, 14.0 * wide, 9.0 * wide))
    for side, name in SIDES.items():
        iliac = ((2.0, 2.0, 118.0), (side * 34.0, 16.0, 78.0), (side * 62.0, -30.0, 25.0), (side * 74.0, -62.0, -30.0))
        canvas.paint(f"iliac_artery_{name}", *tube(iliac, 6.5, 5.0))
        canvas.paint(f"iliac_vena_{name}", *tube([(x - side * 3, y + 11, z) for x, y, z in iliac], 7.0, 5.5))
        neck = [mirrored(p, side) for p in ((14.0, -14.0, 490.0), (29.0, 0.0, 556.0), (28.0, -2.0, 640.0))]
        canvas.paint(f"common_carotid_artery_{name}", *tube(neck, 5.5, 4.0))
        jugular = [mirrored(p, side) for p in ((32.0, -30.0, 525.0), (38.0, -6.0, 640.0))]
        canvas.paint("blood", *tube(jugular, 6.5, 5.0))
