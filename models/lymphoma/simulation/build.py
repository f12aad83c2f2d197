"""The patient's own build: sizes, places and variants of organs, fat, and how the arms lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.shapes import Ellipsoid, Point, mirrored
from lymphoma.simulation.tissues import SIDES

__all__ = ["Arm", "Build", "build_of"]


@dataclass(frozen=True)
class Arm:
    """One arm: its joints in the reference body, mm, and whether it lies beside the head."""

    raised: bool
    shoulder: Point
    elbow: Point
    wrist: Point


@dataclass(frozen=True, eq=False)
class Build:
    """The patient's own sizes and places of organs, drawn once and used on every grid.

    Attributes:
        scale: factor of size by organ. shift: (x, y, z) displacement in mm by organ.
        waves: shape (8, 4): wave vector (1/mm) and phase of the waves that fold the small bowel.
        dome_mm: height of the two diaphragm domes (right, left) in the reference body.
        colon_mm: (x, y, z) displacement of each point of the colon's course, shape (14, 3).
        fat_mm: thickness of the fat under the skin of the trunk. cavity_mm: how far the abdomen's fat outgrows the
            reference.
        arms: right and left.
        wall: where in the left ventricle's wall a focal uptake lies, degrees around its axis.
        kidneys: a variant of their shape. gallbladder, uterus: False where it is missing.
    """

    scale: Mapping[str, float]
    shift: Mapping[str, Point]
    waves: npt.NDArray[np.float64]
    dome_mm: tuple[float, float]
    colon_mm: npt.NDArray[np.float64]
    fat_mm: float
    cavity_mm: float
    arms: tuple[Arm, Arm]
    wall: float
    kidneys: Literal["usual", "ptotic", "horseshoe"]
    gallbladder: bool
    uterus: bool

    def ellipsoid(
        self, organ: str, centre: Point, radii: Point, turn: npt.NDArray[np.float64] | None = None
    ) -> Ellipsoid:
        """An ellipsoid of this organ at its own place and size."""
        size = self.scale[organ]
        return Ellipsoid(self.moved(organ, centre), (radii[0] * size, radii[1] * size, radii[2] * size), turn)

    def moved(self, organ: str, point: Point) -> Point:
        """A point that moves with this organ."""
        move = self.shift[organ]
        return (point[0] + move[0], point[1] + move[1], point[2] + move[2])

    def points(self, organ: str, points: tuple[Point, ...]) -> list[Point]:
        """Points that move with this organ."""
        return [self.moved(organ, point) for point in points]


# organ -> SD of its size, and its range [A]
_SIZES: dict[str, tuple[float, float, float]] = {
    "heart": (0.08, 0.85, 1.25),
    "aorta": (0.06, 0.85, 1.15),
    "liver": (0.07, 0.85, 1.18),
    "spleen": (0.11, 0.75, 1.35),
    "stomach": (0.14, 0.75, 1.25),
    "kidney_left": (0.05, 0.88, 1.15),
    "kidney_right": (0.05, 0.88, 1.15),
    "pancreas": (0.06, 0.85, 1.15),
    "colon": (0.06, 0.85, 1.15),
    "bladder": (0.16, 0.65, 1.3),
    "thyroid": (0.12, 0.8, 1.4),
    "breast": (0.20, 0.6, 1.4),
}


def build_of(plan: PatientPlan) -> Build:
    """Draws the build. Sizes vary most where filling does; organs lie within 10 mm of their place (SD 4 mm) [A]."""
    rng = np.random.default_rng([plan.seed, 3])
    person = plan.person
    scale = {organ: float(np.clip(rng.normal(1.0, sd), low, high)) for organ, (sd, low, high) in _SIZES.items()}
    moves = np.clip(rng.normal(0.0, 4.0, (len(_SIZES), 3)), -10, 10)
    shift = {organ: _point(move) for organ, move in zip(_SIZES, moves, strict=True)}
    direction = rng.normal(size=(8, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    waves = np.concatenate(
        [direction * 2 * np.pi / rng.uniform(42, 75, (8, 1)), rng.uniform(0, 2 * np.pi, (8, 1))], axis=1
    )
    right = float(rng.uniform(-12, 10))
    kidneys: Literal["usual", "ptotic", "horseshoe"] = "usual"
    kind = rng.random()
    if kind < 0.02:
        kidneys = "ptotic" if kind < 0.015 else "horseshoe"
    female = person.sex == "F"
    fat = float(np.clip(3.0 + 1.5 * (person.bmi - 18.0), 3.0, 32.0)) * (1.3 if female else 1.0)
    return Build(
        scale=scale,
        shift=shift,
        waves=waves,
        dome_mm=(340.0 + right, 326.0 + right + float(rng.uniform(-6, 6))),
        colon_mm=_draw_colon(rng),
        fat_mm=fat * float(np.exp(np.clip(rng.normal(0, 0.2), -0.4, 0.4))),
        cavity_mm=float(np.clip(7.0 + 0.7 * (person.bmi - 25.0) + rng.normal(0, 2), 2.0, 14.0)),
        arms=_draw_arms(rng, plan.scan.arms_up),
        wall=float(rng.uniform(0, 360)),
        kidneys=kidneys,
        gallbladder=bool(rng.random() > 0.12),
        uterus=female and bool(rng.random() > (0.18 if person.age_years > 50 else 0.02)),
    )


def _draw_colon(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Each point of the course wanders; the transverse colon may sag, and the sigmoid wanders most."""
    spread = np.array([[6.0, 4.0, 8.0]] * 9 + [[14.0, 8.0, 12.0]] * 3 + [[2.0, 3.0, 3.0]] * 2)
    moved = np.clip(rng.normal(0, 1, spread.shape), -1.8, 1.8) * spread
    moved[3:6, 2] -= np.array([0.6, 1.0, 0.6]) * rng.uniform(-10, 45)
    return np.asarray(moved)


def _draw_arms(rng: np.random.Generator, arms_up: bool) -> tuple[Arm, Arm]:
    """Both arms lie alike but for some degrees; one in fifty keeps one arm down (or up)."""
    odd = int(rng.choice([-1, 1])) if rng.random() < 0.02 else 0
    common = rng.normal(0, 1, 4)
    arms = []
    for side in SIDES:
        way = 0.8 * common + 0.6 * rng.normal(0, 1, 4)
        way = np.clip(way, -1.8, 1.8)
        raised = arms_up != (side == odd)
        if raised:
            joints = (
                (160.0, 12.0, 510.0 + 3 * way[0]),
                (196.0 + 12 * way[1], -8.0 + 10 * way[2], 735.0 + 14 * way[0]),
                (92.0 + 30 * way[3], -34.0 + 10 * way[2], 915.0),
            )
        else:
            joints = (
                (171.0, 14.0, 502.0 + 3 * way[0]),
                (228.0 + 8 * way[1], 26.0 + 8 * way[2], 252.0 + 6 * way[0]),
                (226.0 + 12 * way[3], -24.0 + 16 * way[2], 12.0 + 10 * way[0]),
            )
        arms.append(Arm(raised, *(mirrored(joint, side) for joint in joints)))
    return arms[0], arms[1]


def _point(values: npt.NDArray[np.float64]) -> Point:
    return (float(values[0]), float(values[1]), float(values[2]))
