"""The reference body's outline: fat, muscle, limbs, the rib cage and the cavities.

Profiles are tables over z of half width, half depth and the centre's y, in mm; cross-sections are superellipses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.build import Build
from lymphoma.simulation.frame import Canvas
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.shapes import Array, Bounds, Capsule, Ellipsoid, Region, mirrored, tube
from lymphoma.simulation.tissues import SIDES

__all__ = ["CAGE", "CAVITY", "Profile", "paint_outline", "spine_y"]


@dataclass(frozen=True, eq=False)
class Profile:
    """Cross-sections along z; ``table`` has rows (z, half width, half depth, centre y), z ascending."""

    table: npt.NDArray[np.float64]
    power: float = 2.0

    def at(self, z: Array) -> tuple[Array, Array, Array]:
        """Half width, half depth and centre y at z; zero size beyond the table."""
        flat = z.ravel()
        columns = [np.interp(flat, self.table[:, 0], self.table[:, n], left=0.0, right=0.0) for n in (1, 2, 3)]
        a, b, centre = (column.reshape(z.shape).astype(np.float32) for column in columns)
        return np.maximum(a, np.float32(1e-3)), np.maximum(b, np.float32(1e-3)), centre

    def level(self, x: Array, y: Array, z: Array, grow: Array | float = 0.0) -> Array:
        """Negative inside; the section is grown outwards by ``grow`` mm."""
        a, b, centre = self.at(z)
        a, b = np.maximum(a + np.float32(grow), 1e-3), np.maximum(b + np.float32(grow), 1e-3)
        power = np.float32(self.power)
        # powers are taken before the axes meet, while the arrays are small
        across = np.asarray(np.abs(x) ** power) * np.asarray(a**-power)
        return np.asarray(across + (np.abs((y - centre) / b) ** power - np.float32(1)))

    def distance(self, x: Array, y: Array, z: Array) -> Array:
        """Radial distance to the section's ellipse, in mm (power 2)."""
        a, b, centre = self.at(z)
        u, v = (x / a) ** 2, ((y - centre) / b) ** 2
        level = np.sqrt(u + v)
        # the radius of the ellipse in this direction, then the way from it
        radius = np.sqrt(x**2 + (y - centre) ** 2) / np.maximum(level, np.float32(1e-3))
        return np.asarray((level - np.float32(1)) * radius)


LEAN = Profile(
    np.array(
        [
            (-112, 60, 60, 8), (-95, 118, 92, 8), (-70, 168, 106, 8), (-30, 176, 112, 6), (0, 175, 113, 4),
            (60, 165, 111, 2), (110, 153, 107, 0), (150, 146, 104, 0), (200, 147, 106, 0), (260, 153, 112, 0),
            (340, 160, 119, -2), (400, 166, 119, -2), (455, 178, 112, 4), (490, 194, 94, 10), (515, 190, 78, 14),
            (535, 150, 64, 16), (550, 100, 58, 14), (562, 66, 56, 10), (566, 40, 40, 10),
        ],
        dtype=float,
    ),
    power=2.4,
)  # fmt: skip
"""Trunk without subcutaneous fat."""

CAGE = Profile(
    np.array(
        [
            (150, 118, 84, 2), (200, 128, 93, 2), (240, 134, 99, 0), (290, 139, 105, -2), (340, 140, 107, -3),
            (400, 136, 102, -3), (450, 126, 92, 0), (490, 110, 76, 6), (520, 92, 62, 12), (545, 66, 48, 18),
            (560, 42, 34, 22),
        ],
        dtype=float,
    )
)  # fmt: skip
"""Outer surface of the rib cage."""

CAVITY = Profile(
    np.array(
        [
            (-58, 18, 16, 0), (-35, 42, 42, -2), (0, 60, 60, -4), (30, 74, 68, -6), (60, 100, 76, -8),
            (110, 118, 80, -10), (170, 121, 82, -10), (240, 124, 86, -8), (300, 128, 94, -6), (345, 128, 96, -4),
        ],
        dtype=float,
    ),
    power=2.2,
)  # fmt: skip
"""Abdomen and pelvis inside the muscular wall."""

_SPINE_Z = (-20.0, 20.0, 60.0, 100.0, 140.0, 200.0, 280.0, 350.0, 430.0, 500.0, 560.0, 600.0, 655.0, 680.0)
_SPINE_Y = (74.0, 66.0, 50.0, 32.0, 26.0, 32.0, 46.0, 56.0, 55.0, 40.0, 22.0, 12.0, 14.0, 16.0)


def spine_y(z: Array) -> Array:
    """y of the centre of the vertebral bodies at z, mm."""
    return np.asarray(np.interp(z.ravel(), _SPINE_Z, _SPINE_Y).reshape(z.shape), dtype=np.float32)


EVERYWHERE: Bounds = ((-400.0, -400.0, -400.0), (400.0, 400.0, 1000.0))


def paint_outline(canvas: Canvas, plan: PatientPlan, build: Build) -> None:
    """Skin, fat, muscle and the fatty filling of the cavities; every later organ lies on top."""
    for tissue, grow in (("skin", build.fat_mm + 2.0), ("fat", build.fat_mm), ("muscle", 0.0)):
        _paint_layer(canvas, build, tissue, grow)

    def cavity(x: Array, y: Array, z: Array) -> Array:
        return CAVITY.level(x, y, z, build.cavity_mm)

    canvas.paint("visceral_fat", Region(((-150, -125, -60), (150, 125, 346)), cavity))
    if plan.person.sex == "F":
        _paint_breasts(canvas, build)
    else:
        canvas.paint("skin", Ellipsoid((0.0, -64.0, -96.0), (33.0, 27.0, 38.0)), only=("outside", "skin", "fat"))


def _paint_layer(canvas: Canvas, build: Build, tissue: str, grow: float) -> None:
    """One layer of trunk, limbs, neck and head; limbs and neck carry less fat than the trunk."""

    def trunk(x: Array, y: Array, z: Array) -> Array:
        back = np.where(y < 0, 1.15, 0.85) * (0.45 + 0.55 * np.clip((420 - z) / 200, 0, 1))
        return LEAN.level(x, y, z, np.asarray(grow * back, dtype=np.float32))

    # shapes of the head and limbs first lose the fat their lean radius stands for
    limb, neck, head = 0.55 * grow, 0.35 * grow, min(grow, 2.0) + 0.08 * grow
    canvas.paint(tissue, Region(EVERYWHERE, trunk))
    for side in SIDES:
        canvas.paint(
            tissue, *(Capsule(mirrored(a, side), mirrored(b, side), ra + limb, rb + limb) for a, b, ra, rb in _LEG)
        )
    for arm in build.arms:
        canvas.paint(
            tissue,
            Capsule(arm.shoulder, arm.elbow, 46.0 + limb, 34.0 + limb),
            Capsule(arm.elbow, arm.wrist, 35.0 + limb, 24.0 + limb),
            Ellipsoid((arm.wrist[0], arm.wrist[1], arm.wrist[2] + (60 if arm.raised else -60)), (38, 20, 75)),
        )
    canvas.paint(
        tissue,
        *tube(((0, 14, 665), (0, 14, 600), (0, 16, 540)), 52 + neck, 60 + neck),
        Ellipsoid((0, 0, 742), (76 + head, 97 + head, 88 + head)),
        Ellipsoid((0, -28, 660), (58 + head, 62 + head, 78 + head)),
        Capsule((0, -95, 690), (0, -104, 668), 7 + head, 11 + head),
    )


_LEG = (
    ((92.0, 4.0, -60.0), (88.0, 6.0, -330.0), 74.0, 62.0),
    ((90.0, 40.0, -20.0), (92.0, 30.0, -80.0), 72.0, 62.0),
)


def _paint_breasts(canvas: Canvas, build: Build) -> None:
    size = (0.8 + 0.02 * build.fat_mm) * build.scale["breast"]
    for side, name in SIDES.items():
        # a breast of a woman on her back falls to the side
        centre = (side * (76.0 + 8.0 * size), -104.0 - 0.8 * build.fat_mm, 395.0)
        canvas.paint("skin", Ellipsoid(centre, (60 * size + 2, 40 * size + 2, 54 * size + 2)), only=("outside",))
        canvas.paint("fat", Ellipsoid(centre, (60 * size, 40 * size, 54 * size)), only=("skin",))
        canvas.paint(
            f"gland_{name}",
            Ellipsoid((centre[0], centre[1] - 8, centre[2]), (30 * size, 20 * size, 28 * size)),
            only=("fat", "skin"),
        )
