"""The reference body's outline: fat, muscle, limbs, the rib cage and the cavities.

Profiles are tables over z of half width, half depth and the centre's y, in mm; cross-sections are superellipses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.frame import Canvas
from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.shapes import Array, Bounds, Capsule, Ellipsoid, Region, mirrored, tube

__all__ = ["CAGE", "CAVITY", "Profile", "paint_outline"]


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
        return np.asarray(np.abs(x / a) ** power + np.abs((y - centre) / b) ** power - np.float32(1))

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

EVERYWHERE: Bounds = ((-400.0, -400.0, -400.0), (400.0, 400.0, 1000.0))


def paint_outline(canvas: Canvas, plan: PatientPlan) -> None:
    """Skin, fat, muscle and the fatty filling of the cavities; every later organ lies on top."""
    fat_mm = _fat_mm(plan)
    for tissue, grow in (("skin", fat_mm + 2.0), ("fat", fat_mm), ("muscle", 0.0)):
        _paint_layer(canvas, plan, tissue, grow)
    canvas.paint("visceral_fat", Region(((-150, -120, -60), (150, 120, 346)), CAVITY.level))
    if plan.person.sex == "F":
        _paint_breasts(canvas, fat_mm)


def _fat_mm(plan: PatientPlan) -> float:
    """Thickness of the fat under the skin of the trunk: from body mass index, more in women (assumption)."""
    return float(np.clip(3.0 + 1.5 * (plan.person.bmi - 18.0), 3.0, 32.0)) * (1.3 if plan.person.sex == "F" else 1.0)


def _paint_layer(canvas: Canvas, plan: PatientPlan, tissue: str, grow: float) -> None:
    """One layer of trunk, limbs, neck and head; limbs and neck carry less fat than the trunk."""

    def trunk(x: Array, y: Array, z: Array) -> Array:
        back = np.where(y < 0, 1.15, 0.85) * (0.45 + 0.55 * np.clip((420 - z) / 200, 0, 1))
        return LEAN.level(x, y, z, np.asarray(grow * back, dtype=np.float32))

    # shapes of the head and limbs first lose the fat their lean radius stands for
    limb, neck, head = 0.55 * grow, 0.35 * grow, min(grow, 2.0) + 0.08 * grow
    canvas.paint(tissue, Region(EVERYWHERE, trunk))
    for side in (-1, 1):
        canvas.paint(
            tissue,
            *(
                Capsule(mirrored(a, side), mirrored(b, side), ra + limb, rb + limb)
                for a, b, ra, rb in (*_LEG, *(_ARM_UP if plan.scan.arms_up else _ARM_DOWN))
            ),
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
_ARM_UP = (
    ((160.0, 12.0, 508.0), (178.0, -6.0, 700.0), 46.0, 38.0),
    ((178.0, -6.0, 700.0), (150.0, -30.0, 960.0), 38.0, 32.0),
)
_ARM_DOWN = (
    ((172.0, 14.0, 500.0), (232.0, 26.0, 250.0), 46.0, 36.0),
    ((232.0, 26.0, 250.0), (232.0, -20.0, 10.0), 36.0, 26.0),
    ((232.0, -20.0, 10.0), (222.0, -30.0, -110.0), 26.0, 20.0),
)


def _paint_breasts(canvas: Canvas, fat_mm: float) -> None:
    size = 0.8 + 0.02 * fat_mm
    for side in (-1, 1):
        centre = (side * 78.0, -108.0 - 0.8 * fat_mm, 395.0)
        canvas.paint("skin", Ellipsoid(centre, (58 * size + 2, 42 * size + 2, 54 * size + 2)), only=("outside",))
        canvas.paint("fat", Ellipsoid(centre, (58 * size, 42 * size, 54 * size)), only=("skin",))
        canvas.paint(
            "gland",
            Ellipsoid((centre[0], centre[1] - 8, centre[2]), (30 * size, 20 * size, 28 * size)),
            only=("fat", "skin"),
        )
