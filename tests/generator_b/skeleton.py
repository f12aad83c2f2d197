"""Tables of the bones in the standard body's space (see :mod:`tests.generator_b.outline`); assumptions [A]."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from tests.generator_b.geometry import Loft, Section, curve, loft, mirrored, patch
from tests.generator_b.outline import CHEST

__all__ = [
    "BRAIN", "CEREBELLUM", "VERTEBRAE", "Tube", "limb_bones", "ribs", "sacrum", "sheets", "skull", "vertebrae",
]  # fmt: skip

Tube = npt.NDArray[np.float64]
"""Shape (n, 4): x, y, z, radius in mm."""

S = Section

VERTEBRAE = (*(f"C{n}" for n in range(1, 8)), *(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 6)))

SPINE = PchipInterpolator(
    [890, 920, 960, 1010, 1040, 1120, 1215, 1310, 1400, 1455, 1490, 1540, 1600],
    [92, 96, 90, 64, 48, 34, 44, 58, 54, 40, 29, 16, 18],
)
"""y of the middle of the vertebral body over z."""

TOPS = np.concatenate((np.linspace(1602, 1488, 8), np.linspace(1488, 1206, 13)[1:], np.linspace(1206, 1030, 6)[1:]))
"""Upper edge of C1 .. L5, then the lower edge of L5."""

CEREBRUM = (
    S(1626, 0, 8, 26, 24, 26, 34),
    S(1633, 0, 8, 45, 52, 45, 56),
    S(1642, 0, 8, 55, 68, 55, 66),
    S(1653, 0, 7, 60, 78, 60, 71),
    S(1666, 0, 7, 64.5, 83, 64.5, 74),
    S(1678, 0, 7, 66.5, 84, 66.5, 74),
    S(1690, 0, 7, 64.5, 81, 64.5, 72),
    S(1702, 0, 8, 59.5, 74.5, 59.5, 65.5),
    S(1714, 0, 8, 50.5, 64, 50.5, 56.5),
    S(1724, 0, 8, 41, 52, 41, 46),
    S(1731, 0, 9, 31.5, 40, 31.5, 35),
    S(1736, 0, 9, 21.5, 27, 21.5, 24),
    S(1739, 0, 9, 11, 14, 11, 12),
    S(1740, 0, 9, 4, 5, 4, 5),
)
"""An egg: round at the vertex and both poles, widest behind the middle; the orbits' roofs and the tent cut its base."""

TEMPORAL_LOBE = (
    S(1602, 35, -8, 4, 6, 4, 8),
    S(1605, 36, -7, 10, 15, 10, 18),
    S(1611, 37, -6, 15, 25, 14, 32),
    S(1620, 39, -4, 17.5, 33, 16, 44),
    S(1632, 41, -2, 19, 37, 18, 50),
    S(1644, 42, 0, 19.5, 36, 18, 52),
    S(1656, 42, 2, 19, 30, 16, 48),
)

CEREBELLUM = (
    S(1583, 0, 48, 11, 7, 11, 8),
    S(1587, 0, 48, 25, 13, 25, 16),
    S(1595, 0, 48, 39, 19, 39, 23),
    S(1606, 0, 49, 48, 23, 48, 28),
    S(1618, 0, 49, 50, 24, 50, 29),
    S(1630, 0, 48, 45, 22, 45, 27),
    S(1639, 0, 46, 33, 16, 33, 20),
)

BRAIN_STEM = (
    S(1590, 0, 31, 8, 8, 8, 8),
    S(1608, 0, 27, 11, 11, 11, 12),
    S(1622, 0, 22, 16, 15, 16, 14),
    S(1642, 0, 16, 17, 14, 17, 14),
)

BRAIN = (CEREBRUM, TEMPORAL_LOBE, mirrored(TEMPORAL_LOBE), CEREBELLUM, BRAIN_STEM)
"""The parts that make up the brain; the cerebellum is the last but one."""

SKULL_BASE = (
    S(1596, 0, 8, 26, 18, 26, 22),
    S(1608, 0, 2, 50, 42, 50, 40),
    S(1624, 0, 0, 54, 60, 54, 48),
    S(1636, 0, 0, 54, 70, 54, 50),
)

SKULL_MM = 6.5


@cache
def skull() -> tuple[Loft, ...]:
    """The vault with the hollows for temporal lobes and cerebellum, and the base: solids in which the brain lies."""
    return (*(loft(_swollen(part, SKULL_MM)) for part in BRAIN[:4]), loft(SKULL_BASE))


def _swollen(sections: tuple[Section, ...], by_mm: float) -> tuple[Section, ...]:
    """A rounded body's sections, larger by about ``by_mm`` all round, above and below as well."""
    low, high = sections[0].z, sections[-1].z
    tall = 1 + 2 * by_mm / (high - low)
    left, front, right, back = (1 + by_mm / max(row[side] for row in sections) for side in range(3, 7))
    return tuple(
        row._replace(
            z=(low + high) / 2 + (row.z - (low + high) / 2) * tall,
            left=row.left * left,
            front=row.front * front,
            right=row.right * right,
            back=row.back * back,
        )
        for row in sections
    )


@cache
def vertebrae() -> tuple[tuple[str, Loft, Tube], ...]:
    """Name, body (a waisted loft) and arch (pedicles, laminae and spinous process as one curve) of C1 to L5."""
    found = []
    for name, top, bottom in zip(VERTEBRAE, TOPS[:-1], TOPS[1:], strict=True):
        middle, high = (top + bottom) / 2, top - bottom
        growth = np.interp(middle, [1040, 1210, 1480, 1600], [1.0, 0.82, 0.52, 0.5])
        y = float(SPINE(middle))
        wide, deep = 24.0 * growth, 17.0 * growth
        edge = high / 2 - 1.5
        body = loft(
            (
                S(middle - edge, 0, y, wide, deep, wide, deep * 0.9, 1.05),
                S(middle, 0, y, wide * 0.86, deep * 0.9, wide * 0.86, deep * 0.85, 1.05),
                S(middle + edge, 0, y, wide, deep, wide, deep * 0.9, 1.05),
            )
        )
        back, half = y + deep + 20 * growth, 15 * growth + 4
        r = 2.5 + 2.5 * growth
        arch = [(-half * 0.8, y + deep, middle + 2, r), (-half * 1.5, back - 6, middle, r * 1.1), (0, back, middle, r)]
        other = [(-x, *rest) for x, *rest in arch[:2]]
        spine = [(0, back, middle, r), (0, back + 26 * growth, middle - 8, r)]
        tube = np.concatenate((curve([*arch, *other[::-1]], 3.0), curve(spine, 3.0)))
        found.append((f"vertebrae_{name}", body, tube))
    return tuple(found)


def sacrum() -> Loft:
    """The sacrum and coccyx, a wedge that leans back."""
    rows = [(1030, 54, 20), (1000, 52, 18), (960, 38, 14), (925, 20, 10), (895, 9, 6)]
    return loft(tuple(S(z, 0, float(SPINE(z)) + 4, w, d, w, d * 1.3, 0.95) for z, w, d in rows))


@cache
def ribs() -> tuple[tuple[str, Tube], ...]:
    """Twelve pairs that run on the chest wall from the vertebra forwards and down, as (name, tube)."""
    chest = loft(CHEST)
    found = []
    for number in range(1, 13):
        start = TOPS[6 + number] - 8
        drop = np.interp(number, [1, 3, 8, 12], [35, 62, 88, 60])
        end = np.interp(number, [1, 7, 10, 11, 12], [-62, -62, -28, 15, 35])
        turn = np.radians(np.linspace(74, end, 60))
        share = np.linspace(0, 1, 60)
        z = start - drop * share**0.9
        if number <= 10:
            z = z + np.interp(share, [0.75, 1], [0, 12 + 2 * number])
        level = np.clip(np.rint((np.clip(z, 1195, 1462) - chest.bottom_mm) / 2).astype(int), 0, len(chest.x) - 1)
        r = chest.radius[level, np.rint(np.degrees(turn) / 2).astype(int) % len(chest.radius[0])] + 4.5
        left = np.stack((chest.x[level] + r * np.cos(turn), chest.y[level] + r * np.sin(turn), z, 4.8 + 0 * z), 1)
        tube = curve(left, 3.0)
        found.append((f"rib_left_{number}", tube))
        found.append((f"rib_right_{number}", tube * (-1, 1, 1, 1)))
    return tuple(found)


@cache
def limb_bones(arms_up: bool) -> tuple[tuple[str, Tube], ...]:
    """Femora, humeri, clavicles, sternum and lower jaw as tubes (name without side for the midline)."""
    femur = np.concatenate(
        (
            np.array([[90.0, 4, 908, 23]]),
            curve([(92, 4, 906, 20), (112, 8, 896, 14), (134, 12, 884, 15), (132, 12, 870, 15)], 4),
            curve([(130, 12, 872, 15), (122, 4, 820, 13.5), (108, -2, 720, 12.5), (92, 2, 560, 13)], 4),
        )
    )
    if arms_up:
        up = [(170, 16, 1424, 22), (178, 14, 1446, 17), (190, 8, 1520, 11), (196, -2, 1640, 11), (176, -18, 1700, 15)]
        fore = [(176, -20, 1706, 11), (150, -32, 1770, 9), (92, -40, 1850, 8)]
    else:
        up = [(168, 18, 1424, 22), (184, 18, 1404, 17), (210, 20, 1320, 11), (232, 20, 1170, 11), (238, 18, 1118, 15)]
        fore = [(240, 14, 1104, 12), (244, 4, 1000, 9), (236, -22, 860, 8), (232, -25, 770, 8)]
    humerus = np.concatenate((curve(up, 4), curve(fore, 4)))
    clavicle = curve([(16, -18, 1432, 8), (60, -18, 1440, 5.5), (110, -2, 1452, 5.5), (150, 10, 1450, 6.5)], 3)
    sides = [("femur", femur), ("humerus", humerus), ("clavicula", clavicle)]
    sternum = patch(
        [
            [(-20, -42, 1428, 5), (0, -44, 1430, 5), (20, -42, 1428, 5)],
            [(-14, -62, 1390, 5), (0, -64, 1390, 5), (14, -62, 1390, 5)],
            [(-15, -84, 1300, 5), (0, -86, 1300, 5), (15, -84, 1300, 5)],
            [(-4, -86, 1262, 4), (0, -87, 1262, 4), (4, -86, 1262, 4)],
        ],
        4,
    )
    jaw = curve(
        [
            (52, 0, 1580, 5),
            (48, -14, 1546, 6),
            (28, -66, 1532, 6),
            (0, -82, 1534, 6),
            (-28, -66, 1532, 6),
            (-48, -14, 1546, 6),
            (-52, 0, 1580, 5),
        ],
        3,
    )
    teeth = curve(
        [(30, -50, 1556, 6), (16, -76, 1556, 6), (0, -82, 1556, 6), (-16, -76, 1556, 6), (-30, -50, 1556, 6)], 3
    )
    upper = [(26, -62, 1568, 8), (46, -54, 1588, 6), (62, -30, 1596, 4), (66, -4, 1598, 4)]
    orbit = [
        (10, -78, 1606, 4),
        (30, -84, 1598, 4),
        (48, -66, 1606, 5),
        (50, -58, 1626, 5),
        (34, -84, 1640, 5),
        (12, -86, 1636, 5),
    ]
    face = np.concatenate([curve(part, 3) * (sign, 1, 1, 1) for part in (upper, orbit) for sign in (1, -1)])
    both = tuple((f"{name}_{side}", tube * (sign, 1, 1, 1)) for name, tube in sides for side, sign in _SIDES)
    return (*both, ("sternum", sternum), ("skull", np.concatenate((jaw, teeth, face))))


_SIDES = (("left", 1), ("right", -1))


@cache
def sheets() -> tuple[tuple[str, Tube], ...]:
    """Hip bones and shoulder blades, thick bent sheets with rims."""
    wing = patch(
        [
            [(38, 74, 1024, 8), (80, 58, 1058, 6), (116, 12, 1062, 5), (124, -42, 1000, 7)],
            [(44, 76, 985, 9), (78, 50, 1005, 4), (106, 8, 1005, 4), (116, -44, 968, 7)],
            [(52, 66, 950, 10), (74, 38, 950, 8), (96, 2, 950, 9), (104, -28, 940, 9)],
        ],
        4,
    )
    socket = patch(
        [
            [(70, 34, 945, 10), (84, 30, 944, 9), (100, -14, 944, 9)],
            [(66, 26, 915, 9), (70, 4, 912, 7), (72, -22, 912, 9)],
            [(66, 34, 890, 11), (70, 10, 882, 8), (70, -16, 888, 10)],
        ],
        4,
    )
    rims = np.concatenate(
        (
            curve([(68, -18, 902, 9), (40, -42, 896, 7), (6, -52, 884, 8)], 3),
            curve([(66, 40, 890, 13), (60, 46, 852, 13), (48, 20, 842, 9), (10, -42, 868, 7)], 3),
        )
    )
    blade = patch(
        [
            [(72, 92, 1440, 4), (118, 66, 1444, 5), (150, 32, 1440, 7)],
            [(78, 102, 1385, 3), (118, 88, 1380, 3), (142, 58, 1390, 5)],
            [(92, 104, 1315, 3), (108, 100, 1312, 3), (116, 92, 1318, 4)],
        ],
        4,
    )
    hip = np.concatenate((wing, socket, rims))
    parts = (("hip", hip), ("scapula", blade))
    return tuple((f"{name}_{side}", tube * (sign, 1, 1, 1)) for name, tube in parts for side, sign in _SIDES)
