"""Tables of the inner organs in the standard body's space (see :mod:`tests.generator_b.outline`); assumptions [A]."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from tests.generator_b.geometry import Section, curve
from tests.generator_b.skeleton import SPINE, Tube

__all__ = [
    "GALLBLADDER", "HEART", "KIDNEY_LEFT", "KIDNEY_RIGHT", "LIVER", "SPLEEN", "VENTRICLE",
    "bladder", "colon", "diaphragm_mm", "glands", "small_bowel", "stomach", "ureters", "vessels",
]  # fmt: skip

S = Section

LIVER = (
    S(1092, -98, 8, 6, 10, 8, 10),
    S(1112, -94, 6, 30, 42, 24, 42, 1.05),
    S(1145, -80, 2, 52, 66, 38, 62, 1.05),
    S(1185, -64, 0, 82, 74, 56, 72, 0.95),
    S(1225, -56, 0, 108, 70, 70, 74, 0.86),
    S(1252, -56, 0, 100, 58, 64, 66, 0.86),
    S(1275, -62, 2, 48, 40, 48, 46),
    S(1288, -64, 2, 14, 12, 14, 14),
)

SPLEEN = (
    S(1148, 104, 34, 10, 14, 8, 16),
    S(1172, 98, 40, 24, 34, 14, 30, 1.05),
    S(1205, 92, 44, 32, 44, 16, 32, 1.1),
    S(1236, 86, 46, 30, 36, 18, 28, 1.05),
    S(1256, 80, 44, 12, 14, 10, 12),
)

KIDNEY_RIGHT = (
    S(1062, -66, 34, 10, 10, 10, 10),
    S(1080, -66, 36, 22, 22, 24, 22, 1.05),
    S(1110, -62, 40, 13, 24, 29, 24, 1.08),
    S(1140, -56, 44, 20, 24, 24, 22, 1.05),
    S(1160, -52, 46, 12, 12, 12, 12),
)

KIDNEY_LEFT = tuple(
    row._replace(z=row.z + 18, x=-row.x, left=row.right, right=row.left, y=row.y + 2) for row in KIDNEY_RIGHT
)

HEART = (
    S(1246, 34, -38, 22, 20, 30, 18),
    S(1258, 32, -36, 50, 30, 50, 34, 1.0),
    S(1285, 26, -32, 58, 40, 62, 44, 1.0),
    S(1315, 16, -26, 50, 42, 54, 46, 1.0),
    S(1345, 8, -20, 34, 34, 38, 38),
    S(1358, 6, -18, 14, 14, 14, 14),
)

GALLBLADDER = (
    S(1100, -52, -58, 8, 8, 8, 8),
    S(1118, -50, -52, 15, 15, 15, 15),
    S(1140, -44, -40, 10, 10, 10, 10),
    S(1152, -40, -34, 4, 4, 4, 4),
)


def diaphragm_mm(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Height of the floor of the lungs: two vaults, lower behind and at the sides."""
    right = 1282 - 0.010 * (x + 62) ** 2 - 0.006 * (y + 8) ** 2
    left = 1268 - 0.010 * (x - 66) ** 2 - 0.006 * (y + 8) ** 2
    return np.where(x < 0, right, left)


VENTRICLE = np.array([[12.0, -12, 1312], [58, -56, 1268]])
"""From the middle of the base of the left ventricle to its apex."""


def stomach(fill: float) -> Tube:
    """Fundus to pylorus; ``fill`` scales its width."""
    knots = [(34, 6, 1262, 15), (58, 18, 1252, 27), (64, 2, 1215, 27), (54, -28, 1170, 23), (28, -46, 1138, 19)]
    knots += [(-6, -42, 1134, 14), (-26, -32, 1142, 9)]
    return curve([(x, y, z, r * fill) for x, y, z, r in knots], 4)


def colon(rng: np.random.Generator) -> tuple[Tube, ...]:
    """Ascending, transverse, descending, sigmoid and rectum, with haustra; five tubes in this order."""
    sag = rng.uniform(0, 70)
    knots = [
        [(-88, -22, 972, 20), (-98, -14, 1000, 25), (-102, 0, 1050, 23), (-100, 4, 1098, 22)],
        [
            (-100, 2, 1098, 22),
            (-76, -42, 1098 - sag / 3, 20),
            (-8, -66, 1100 - sag, 18),
            (58, -52, 1112 - sag / 2, 18),
            (100, 4, 1152, 18),
        ],
        [(102, 6, 1152, 18), (108, 18, 1100, 16), (106, 14, 1040, 16), (98, -2, 985, 15)],
        [
            (98, -4, 985, 15),
            (70, -26, 948, 15),
            (34, -30, 940, 16),
            (20, 6, 962, 15),
            (34, 40, 950, 15),
            (14, 60, 930, 16),
        ],
        [(12, 62, 930, 17), (0, 70, 905, 21), (0, 66, 875, 20), (0, 56, 842, 12)],
    ]
    tubes = []
    for part in knots:
        moved = np.array(part, dtype=np.float64)
        moved[1:-1, :3] += rng.normal(0, 4, moved[1:-1, :3].shape)
        tube = curve(moved, 4)
        tube[:, 3] *= rng.uniform(0.8, 1.15) * (1 + 0.14 * np.sin(np.arange(len(tube)) * 4 / 7 + rng.uniform(0, 6)))
        tubes.append(tube)
    return tuple(tubes)


def small_bowel(rng: np.random.Generator) -> tuple[Tube, ...]:
    """Duodenum, jejunum (upper left) and ileum (lower right), loops through scattered points, next to next."""
    duodenum = curve(
        [
            (-26, -32, 1142, 12),
            (-46, -14, 1138, 12),
            (-48, 6, 1105, 12),
            (-30, 12, 1075, 12),
            (12, 6, 1080, 11),
            (34, -6, 1098, 11),
        ],
        4,
    )
    loops = []
    for centre, extent in (((34, -36, 1062), (58, 26, 44)), ((-12, -36, 990), (66, 26, 44))):
        points = np.asarray(centre) + rng.uniform(-1, 1, (22, 3)) * extent
        loops.append(curve(np.column_stack((_nearest_order(points), rng.uniform(8, 13, 22))), 4))
    return (duodenum, *loops)


def _nearest_order(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    left = list(range(1, len(points)))
    order = [0]
    while left:
        last = points[order[-1]]
        following = min(left, key=lambda i: float(np.linalg.norm(points[i] - last)))
        left.remove(following)
        order.append(following)
    return points[order]


def bladder(fill: float) -> tuple[Section, ...]:
    """The bladder, about 60 mL at ``fill`` .7 and 350 mL at 1.3."""
    low, r = 876.0, 33 * fill
    high = low + 2.0 * r
    return (
        S(low, 0, -22, 8, 8, 8, 8),
        S(low + 0.25 * r, 0, -24, 0.75 * r, 0.6 * r, 0.75 * r, 0.6 * r),
        S(low + 0.9 * r, 0, -28, 1.15 * r, 0.85 * r, 1.15 * r, 0.8 * r, 1.03),
        S(low + 1.6 * r, 0, -32, 0.9 * r, 0.7 * r, 0.9 * r, 0.65 * r),
        S(high, 0, -32, 8, 8, 8, 8),
    )


def ureters(rng: np.random.Generator) -> tuple[Tube, ...]:
    """The stretches of the ureters that hold urine at the time of the scan: two thin tubes per side at most."""
    found = []
    for sign in (-1.0, 1.0):
        whole = curve(
            [(36, 28, 1112, 3.5), (34, 22, 1060, 2.6), (36, 16, 1010, 2.6), (42, 22, 960, 2.6), (30, 10, 905, 2.8)], 3
        )
        for _ in range(int(rng.integers(0, 3))):
            start = int(rng.integers(0, len(whole) - 8))
            found.append(whole[start : start + int(rng.integers(4, 26))] * (sign, 1, 1, 1))
    return tuple(found)


@cache
def vessels() -> tuple[tuple[str, Tube], ...]:
    """Great vessels, airways and gullet; the first named lie under the later."""
    spine = [(float(SPINE(z)), z) for z in (1340, 1280, 1210)]
    aorta = curve(
        [(4, -24, 1326, 15), (-8, -26, 1362, 15), (4, -10, 1390, 14), (18, 16, 1388, 13), (24, 34, 1364, 12)]
        + [(20, y - 18, z, 11) for y, z in spine]
        + [(10, 12, 1150, 9.5), (6, 8, 1090, 8.5), (4, 12, 1052, 8)],
        3,
    )
    cava = curve([(-16, 12, 1052, 10), (-18, 10, 1120, 11), (-22, 6, 1190, 12), (-18, -8, 1262, 12)], 3)
    upper = curve([(-22, -24, 1400, 9), (-26, -22, 1360, 10), (-24, -16, 1330, 11)], 3)
    pulmonary = np.concatenate(
        (
            curve([(14, -36, 1330, 13), (14, -22, 1352, 13), (0, -2, 1352, 11), (-42, 4, 1346, 9)], 3),
            curve([(14, -22, 1352, 13), (30, 4, 1356, 10), (50, 12, 1352, 8)], 3),
        )
    )
    iliac = [
        (4, 12, 1052, 7),
        (26, 26, 1010, 6.5),
        (52, 22, 965, 6),
        (70, -14, 930, 6),
        (80, -42, 890, 6),
        (84, -40, 800, 5),
    ]
    airway = np.concatenate(
        (
            curve([(0, -6, 1500, 8), (0, 2, 1440, 8.5), (0, 14, 1378, 8.5)], 3),
            curve([(0, 14, 1380, 8), (26, 16, 1356, 6.5), (44, 16, 1340, 5)], 3),
            curve([(0, 14, 1380, 8), (-24, 14, 1360, 7), (-42, 14, 1338, 5)], 3),
        )
    )
    gullet = curve([(0, 10, 1500, 6), (2, 24, 1420, 6), (6, 32, 1340, 6.5), (16, 16, 1270, 7), (30, 6, 1258, 7)], 3)
    neck = curve([(24, 0, 1408, 5), (27, -4, 1470, 4.5), (28, -2, 1545, 4.5)], 3)
    return (
        ("pulmonary_vein", pulmonary),
        ("superior_vena_cava", upper),
        ("inferior_vena_cava", cava),
        ("aorta", aorta),
        ("iliac_artery_left", curve(iliac, 3)),
        ("iliac_artery_right", curve(iliac, 3) * (-1, 1, 1, 1)),
        ("common_carotid_artery_left", neck),
        ("common_carotid_artery_right", neck * (-1, 1, 1, 1)),
        ("esophagus", gullet),
        ("trachea", airway),
    )


@cache
def glands(male: bool) -> tuple[tuple[str, Tube], ...]:
    """Pancreas, adrenals, thyroid, salivary glands, tonsils, psoas and the pelvic organ."""
    pancreas = curve(
        [(-34, -8, 1102, 15), (-26, -14, 1126, 14), (2, -16, 1136, 10), (34, 2, 1148, 10), (68, 24, 1170, 9)], 3
    )
    pelvic = [(0, 8, 862, 16), (0, 4, 874, 17)] if male else [(0, 20, 880, 14), (2, 14, 910, 18), (4, -4, 935, 23)]
    paired: list[tuple[str, list[tuple[float, float, float, float]]]] = [
        ("adrenal_gland", [(34, 24, 1172, 4), (42, 28, 1160, 4.5), (48, 30, 1150, 3.5)]),
        ("thyroid_gland", [(16, -10, 1450, 6), (19, -10, 1466, 8), (18, -8, 1484, 5)]),
        ("parotid_gland", [(56, 12, 1548, 8), (60, 8, 1568, 12), (58, 6, 1588, 7)]),
        ("submandibular_gland", [(32, -38, 1522, 8), (36, -28, 1526, 9)]),
        ("tonsil", [(15, -16, 1546, 6), (16, -18, 1560, 7)]),
        (
            "iliopsoas",
            [(34, 34, 1180, 6), (38, 38, 1110, 15), (52, 30, 1030, 23), (74, -6, 950, 22), (100, -10, 890, 14)],
        ),
        (
            "autochthon",
            [(28, 66, 1030, 20), (32, 66, 1120, 22), (32, 88, 1280, 17), (28, 84, 1400, 15), (20, 56, 1500, 15)],
        ),
        ("gluteus_maximus", [(60, 92, 1010, 18), (86, 84, 950, 26), (106, 60, 880, 28), (118, 40, 830, 18)]),
    ]
    found = [
        (f"{name}_{side}", curve([(x * sign, *rest) for x, *rest in knots], 4))
        for name, knots in paired
        for side, sign in (("left", 1), ("right", -1))
    ]
    return (("pancreas", pancreas), ("prostate" if male else "uterus", curve(pelvic, 3)), *found)
