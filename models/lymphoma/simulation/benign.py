"""Avid findings that are neither lymphoma nor an organ: drawn here, painted by :mod:`lymphoma.simulation.confusers`.

Frequencies and uptake are assumptions of the generator [A], chosen so that all of it together is seen about as often
as in practice: inflammation of one kind or another in a tenth of patients, worn joints in a sixth, brown fat mostly in
the young and thin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lymphoma.simulation.person import Person
from lymphoma.simulation.shapes import Point

__all__ = ["KINDS", "Confuser", "ConfuserKind", "chance_of", "draw_confusers"]

ConfuserKind = Literal[
    "brown_fat",
    "reactive_nodes",
    "rib_fracture",
    "end_plate",
    "joint",
    "dental",
    "injection",
    "wound",
    "thyroid_nodule",
    "polyp",
    "forearm",
    "infection",
]
KINDS: tuple[ConfuserKind, ...] = (
    "brown_fat", "reactive_nodes", "rib_fracture", "end_plate", "joint", "dental", "injection", "wound",
    "thyroid_nodule", "polyp", "forearm", "infection",
)  # fmt: skip
_RATES: dict[ConfuserKind, float] = {
    "reactive_nodes": 0.04,
    "rib_fracture": 0.03,
    "end_plate": 0.05,
    "joint": 0.16,
    "dental": 0.07,
    "injection": 0.05,
    "wound": 0.03,
    "thyroid_nodule": 0.03,
    "polyp": 0.05,
    "forearm": 0.03,
    "infection": 0.03,
}


@dataclass(frozen=True)
class Confuser:
    """One avid spot.

    Attributes:
        side: +1 patient's left, -1 right, 0 in the middle.
        centre_mm: in the reference body (x, y, z), or from the joint named in ``at``.
        radii_mm: of the ellipsoid it lies in. suv: uptake before blur, g/mL.
        into: tissues, organs or wholes that it lights.
        at: what ``centre_mm`` is measured from.
    """

    kind: ConfuserKind
    side: Literal[-1, 0, 1]
    centre_mm: Point
    radii_mm: Point
    suv: float
    into: tuple[str, ...]
    at: Literal["body", "elbow", "forearm", "shoulder"] = "body"


_FAT = ("fat", "visceral_fat", "muscle")
_NODE = ("visceral_fat", "lung_left", "lung_right", "muscle", "blood", "pulmonary_artery")


def chance_of(kind: ConfuserKind, person: Person) -> float:
    """Probability that a patient has at least one of this kind."""
    if kind != "brown_fat":
        return _RATES[kind]
    young = 0.28 if person.age_years < 35 else 0.12 if person.age_years < 50 else 0.025
    thin = 1.4 if person.bmi < 22 else 0.5 if person.bmi > 28 else 1.0
    return young * thin * (1.3 if person.sex == "F" else 0.8)


def draw_confusers(rng: np.random.Generator, person: Person) -> tuple[Confuser, ...]:
    """Each kind is there or not, independently of the others; a kind may bring several spots."""
    # a stream for each kind, so that one that is there does not change the next
    there, streams = rng.random(len(KINDS)), rng.integers(2**63, size=len(KINDS))
    found: list[Confuser] = []
    for kind, chance, stream in zip(KINDS, there, streams, strict=True):
        if chance < chance_of(kind, person):
            found += _DRAW[kind](np.random.default_rng(int(stream)))
    return tuple(found)


def _side(rng: np.random.Generator) -> Literal[-1, 1]:
    return 1 if rng.random() < 0.5 else -1


def _near(rng: np.random.Generator, side: int, point: Point, spread_mm: float = 3.0) -> Point:
    off = np.clip(rng.normal(0, spread_mm, 3), -2 * spread_mm, 2 * spread_mm)
    x, y, z = ((side or 1) * point[0] + off[0], point[1] + off[1], point[2] + off[2])
    return (round(float(x), 1), round(float(y), 1), round(float(z), 1))


def _radii(rng: np.random.Generator, low: float, high: float) -> Point:
    a, b, c = rng.uniform(low, high, 3)
    return (round(float(a), 1), round(float(b), 1), round(float(c), 1))


def _suv(rng: np.random.Generator, median: float, low: float, high: float) -> float:
    """Log-normal with log-SD 0.4 within bounds."""
    return round(float(np.clip(np.exp(rng.normal(np.log(median), 0.4)), low, high)), 2)


_BROWN: tuple[Point, ...] = (
    (42, 12, 590), (50, 8, 566), (60, -4, 543), (82, 8, 540), (124, 2, 500), (27, 48, 500), (27, 54, 474),
    (27, 58, 446), (27, 58, 418), (27, 58, 390), (27, 56, 362), (12, -44, 462), (66, 70, 236),
)  # fmt: skip


def _brown_fat(rng: np.random.Generator) -> list[Confuser]:
    """Nearly symmetric: neck and shoulders always, along the spine and around the kidneys when it is strong."""
    suv = _suv(rng, 6.0, 2.5, 14.0)
    reach = int(rng.choice((5, 5, 11, 12, 13)))
    spots = []
    for point in _BROWN[:reach]:
        for side in (-1, 1):
            if rng.random() < 0.85:
                size = _radii(rng, 6.0, 13.0) if point[0] > 35 else _radii(rng, 4.0, 7.0)
                own = round(suv * float(rng.uniform(0.6, 1.1)), 2)
                spots.append(Confuser("brown_fat", side, _near(rng, side, point), size, own, _FAT))
    return spots


def _reactive_nodes(rng: np.random.Generator) -> list[Confuser]:
    """Both hila alike and the mediastinum between them, as in sarcoidosis."""
    suv = _suv(rng, 5.5, 2.5, 11.0)
    spots = []
    places: tuple[tuple[Literal[-1, 0, 1], Point], ...] = (
        (-1, (47, 12, 430)), (1, (47, 12, 430)), (-1, (44, 18, 410)), (1, (44, 18, 410)), (0, (2, 26, 432)),
        (-1, (20, -12, 470)), (1, (22, -30, 458)),
    )  # fmt: skip
    for side, point in places:
        if rng.random() < 0.85:
            own = round(suv * float(rng.uniform(0.7, 1.1)), 2)
            spots.append(Confuser("reactive_nodes", side, _near(rng, side, point), _radii(rng, 5.0, 9.0), own, _NODE))
    return spots


def _rib_fracture(rng: np.random.Generator) -> list[Confuser]:
    """Two to four neighbouring ribs on one side, in a row."""
    side, angle = _side(rng), rng.uniform(-0.5, 0.9)
    x, y = 134.0 * np.cos(angle), 101.0 * np.sin(angle) - 3.0
    first = int(rng.integers(3, 6)) + (1 if y < 0 else 0)
    spots = []
    for rib in range(first, first + int(rng.integers(2, 5))):
        z = 262.0 + (rib + 0.5) * 25.6 - 0.40 * (95.0 - y) - 0.28 * x
        suv = _suv(rng, 5.0, 2.0, 9.0)
        spots.append(
            Confuser("rib_fracture", side, _near(rng, side, (x, y, z), 1.5), (11.0, 11.0, 9.0), suv, ("ribs",))
        )
    return spots


_PLATES: tuple[Point, ...] = (
    (8, 24, 130), (6, 26, 163), (6, 29, 196), (5, 34, 229), (4, 42, 262), (4, 46, 286), (3, 50, 310), (2, 54, 358),
)  # fmt: skip


def _end_plate(rng: np.random.Generator) -> list[Confuser]:
    """Degenerative or after a fracture: a flat band at one or two plates."""
    spots = []
    for index in rng.choice(len(_PLATES), size=int(rng.integers(1, 3)), replace=False):
        side = _side(rng)
        spots.append(
            Confuser(
                "end_plate",
                side,
                _near(rng, side, _PLATES[int(index)], 2.0),
                (19.0, 15.0, 6.0),
                _suv(rng, 4.5, 2.0, 8.0),
                ("vertebrae",),
            )
        )
    return spots


def _joint(rng: np.random.Generator) -> list[Confuser]:
    """Worn joints, often on both sides: shoulder, collar bone, hip, facet joints."""
    suv = _suv(rng, 3.6, 2.0, 7.0)
    kind = int(rng.integers(4))
    centre, radii, into = (
        ((0.0, 0.0, 0.0), (28.0, 28.0, 28.0), ("joint",)),
        ((18.0, -54.0, 521.0), (9.0, 8.0, 9.0), ("sternum", "clavicula_left", "clavicula_right", "muscle")),
        ((88.0, 0.0, 2.0), (29.0, 29.0, 29.0), ("joint",)),
        ((19.0, 58.0, float(rng.uniform(120, 200))), (7.0, 7.0, 9.0), ("vertebrae", "muscle")),
    )[kind]
    sides: tuple[Literal[-1, 1], ...] = (-1, 1) if rng.random() < 0.5 else (_side(rng),)
    return [
        Confuser(
            "joint",
            side,
            (side * centre[0], centre[1], centre[2]),
            radii,
            round(suv * float(rng.uniform(0.7, 1.1)), 2),
            into,
            "shoulder" if kind == 0 else "body",
        )
        for side in sides
    ]


def _dental(rng: np.random.Generator) -> list[Confuser]:
    side = _side(rng)
    into = ("gingiva", "skull", "tongue", "muscle", "fat")
    place = _near(rng, side, (22.0, -66.0, 620.0), 4.0)
    return [Confuser("dental", side, place, _radii(rng, 5.0, 9.0), _suv(rng, 5.5, 3.0, 12.0), into)]


def _injection(rng: np.random.Generator) -> list[Confuser]:
    """Tracer beside the vein at the elbow; half of them with a hot node in the armpit of that side."""
    side = _side(rng)
    long = float(rng.uniform(12, 35))
    spots = [
        Confuser(
            "injection",
            side,
            _near(rng, side, (0.0, -26.0, 0.0), 6.0),
            (10.0, 9.0, round(long, 1)),
            _suv(rng, 22.0, 6.0, 80.0),
            ("muscle", "fat", "skin"),
            "elbow",
        )
    ]
    if rng.random() < 0.5:
        place = _near(rng, side, (142.0, 6.0, 452.0), 5.0)
        spots.append(Confuser("injection", side, place, _radii(rng, 4.0, 7.0), _suv(rng, 6.0, 3.0, 12.0), _FAT))
    return spots


def _wound(rng: np.random.Generator) -> list[Confuser]:
    """A healing cut in the midline of the belly, or around a port under the collar bone."""
    into, suv = ("fat", "muscle", "skin"), _suv(rng, 4.0, 2.0, 7.0)
    if rng.random() < 0.5:
        long = round(float(rng.uniform(20, 55)), 1)
        return [Confuser("wound", 0, _near(rng, 0, (0.0, -112.0, 110.0), 4.0), (7.0, 12.0, long), suv, into)]
    side = _side(rng)
    return [Confuser("wound", side, _near(rng, side, (72.0, -104.0, 478.0), 5.0), (14.0, 9.0, 14.0), suv, into)]


def _thyroid_nodule(rng: np.random.Generator) -> list[Confuser]:
    side = _side(rng)
    place = _near(rng, side, (14.5, -12.0, 551.0), 4.0)
    suv = _suv(rng, 7.0, 3.0, 15.0)
    return [Confuser("thyroid_nodule", side, place, _radii(rng, 5.0, 10.0), suv, ("thyroid", "muscle"))]


def _polyp(rng: np.random.Generator) -> list[Confuser]:
    side = _side(rng)
    point = (97.0, -8.0, 120.0) if side > 0 else (96.0, -20.0, 110.0)
    place = _near(rng, side, point, 10.0)
    return [Confuser("polyp", side, place, (15.0, 15.0, 8.0), _suv(rng, 7.0, 4.0, 14.0), ("colon",))]


def _forearm(rng: np.random.Generator) -> list[Confuser]:
    side, suv = _side(rng), _suv(rng, 3.5, 2.0, 7.0)
    return [Confuser("forearm", side, (0.0, 0.0, 0.0), (30.0, 30.0, 85.0), suv, ("muscle",), "forearm")]


def _infection(rng: np.random.Generator) -> list[Confuser]:
    """A patch of inflamed lung, mostly in a lower lobe."""
    side = _side(rng)
    place = _near(rng, side, (88.0, 44.0, 360.0), 14.0)
    suv = _suv(rng, 3.2, 1.5, 7.0)
    return [Confuser("infection", side, place, _radii(rng, 9.0, 20.0), suv, ("lung_left", "lung_right"))]


_DRAW = {
    "brown_fat": _brown_fat,
    "reactive_nodes": _reactive_nodes,
    "rib_fracture": _rib_fracture,
    "end_plate": _end_plate,
    "joint": _joint,
    "dental": _dental,
    "injection": _injection,
    "wound": _wound,
    "thyroid_nodule": _thyroid_nodule,
    "polyp": _polyp,
    "forearm": _forearm,
    "infection": _infection,
}
