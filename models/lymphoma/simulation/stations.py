"""Where lymphoma sits: nodal stations and extranodal organs, with anchor points in the reference body.

Anchor points are (x, y, z) in mm of the reference body (see :mod:`lymphoma.simulation.frame`), given for the patient's
left where the station is paired. Frequencies are shares of patients. Published are: marrow or bone 20.7 % on PET
(n = 169), and of primary extranodal disease (32 % of 25,992) 34 % in the gut, 14 % in the head and neck, 11 % in skin
and soft tissue. All others are assumptions [A]: no source gives incidences by station.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = [
    "EXTRANODAL",
    "PLACES",
    "PRIMARY_SHARE",
    "REGIONS",
    "SITE_FREQUENCY",
    "STATIONS",
    "Point",
    "Region",
    "Station",
]

Point = tuple[float, float, float]
Region = Literal["head_neck", "thorax", "abdomen", "pelvis"]
REGIONS: tuple[Region, ...] = ("head_neck", "thorax", "abdomen", "pelvis")
"""From the head downwards; the diaphragm lies between the second and the third."""


@dataclass(frozen=True)
class Station:
    """A place of disease.

    Attributes:
        weight: how many of the lesions of its site lie here, relative to other stations of involved sites.
        most_ml: the largest single lesion drawn there, mL. most: number of lesions it can hold.
        organ: the extranodal organ, None for lymphatic tissue (nodes, spleen, Waldeyer's ring).
        spread_mm: scatter (x, y, z) of lesions about an anchor.
        into: organs, by whole name or first words, that a lesion here may replace besides fat and muscle.
        confined: it may replace nothing else. snap: it moves to the nearest tissue of ``into``.
        depth_mm: under the skin, outwards from the anchor; None for places that are not superficial.
        sex: of whom; None both.
    """

    name: str
    region: Region
    weight: float
    most_ml: float
    anchors: tuple[Point, ...]
    most: int = 8
    organ: str | None = None
    paired: bool = True
    spread_mm: Point = (5.0, 5.0, 8.0)
    into: tuple[str, ...] = ()
    confined: bool = False
    snap: bool = False
    depth_mm: float | None = None
    sex: Literal["M", "F"] | None = None

    @property
    def site(self) -> str:
        """What is involved: the organ, or the station itself."""
        return self.organ or self.name

    @property
    def above(self) -> bool:
        """Above the diaphragm."""
        return self.region in ("head_neck", "thorax")


_GUT = ("small_bowel", "duodenum")
_CHEST = ("lung",)

STATIONS: tuple[Station, ...] = (
    Station(
        "cervical", "head_neck", 1.0, 150,
        ((38, 6, 612), (38, 14, 588), (40, 2, 630), (36, -40, 598), (46, 26, 600)), most=12, spread_mm=(5, 6, 14),
    ),
    Station(
        "waldeyer", "head_neck", 0.4, 40, ((18, -18, 636), (10, -6, 650), (14, -28, 622)), 2,
        into=("tonsil", "lingual_tonsil", "soft_palate"),
    ),
    Station("supraclavicular", "head_neck", 0.7, 100, ((60, -4, 545), (48, -10, 552), (70, 10, 548)), 6),
    Station(
        "axillary", "thorax", 1.0, 250,
        ((146, 6, 452), (142, -10, 430), (143, 16, 470), (120, -36, 486), (140, 0, 410)), most=10, spread_mm=(6, 8, 14),
    ),
    Station(
        "mediastinal", "thorax", 1.3, 900,
        ((12, -58, 450), (20, -22, 478), (14, -44, 425), (12, 14, 438), (10, 14, 405), (24, 4, 468)), most=10,
        spread_mm=(5, 6, 12), into=_CHEST,
    ),
    Station("hilar", "thorax", 0.5, 40, ((46, 8, 430), (48, 14, 418)), 3, into=_CHEST),
    Station("cardiophrenic", "thorax", 0.4, 60, ((34, -84, 338), (48, -74, 330)), 3, into=_CHEST),
    Station(
        "mesenteric", "abdomen", 1.4, 1200,
        ((24, -38, 142), (12, -46, 116), (30, -30, 170), (4, -34, 150), (38, -44, 104)), most=12,
        spread_mm=(14, 8, 18), into=_GUT,
    ),
    Station("portal", "abdomen", 0.4, 200, ((-16, -10, 236), (-4, -8, 246), (-22, -14, 224)), 4, paired=False),
    Station("splenic_hilum", "abdomen", 0.3, 80, ((78, 18, 262), (80, 26, 278)), 3, paired=False),
    Station(
        "paraaortic", "abdomen", 1.6, 900,
        ((30, 4, 168), (27, 4, 134), (31, 4, 198), (8, -14, 160), (14, 30, 300), (32, 6, 222)), most=14,
        spread_mm=(5, 5, 16), into=("duodenum",),
    ),
    Station(
        "iliac", "pelvis", 1.0, 450,
        ((50, 12, 72), (64, -14, 34), (58, 8, 24), (40, 24, 96), (46, -6, 20)), most=10, spread_mm=(5, 7, 12),
        into=_GUT,
    ),
    Station(
        "inguinal", "pelvis", 0.9, 220,
        ((74, -68, -24), (80, -64, -44), (70, -74, -10), (82, -56, -66)), most=8, spread_mm=(6, 4, 10),
    ),
    Station(
        "spleen", "abdomen", 0.5, 200, ((104, 38, 268), (104, 46, 288), (106, 32, 248)), most=4, paired=False,
        spread_mm=(7, 9, 12), into=("spleen",), confined=True, snap=True,
    ),
)  # fmt: skip


def _bone(
    name: str,
    region: Region,
    weight: float,
    anchors: tuple[Point, ...],
    into: str,
    *,
    most: int = 3,
    most_ml: float = 60,
    paired: bool = True,
    spread_mm: Point = (4, 4, 8),
) -> Station:
    return Station(
        name, region, weight, most_ml, anchors, most, "bone", paired, spread_mm, (into,), snap=True,
    )  # fmt: skip


def _organ(
    name: str, region: Region, most_ml: float, anchors: tuple[Point, ...], into: tuple[str, ...], *, organ: str = "",
    most: int = 3, paired: bool = True, confined: bool = False, spread_mm: Point = (8, 8, 10), weight: float = 0.4,
    snap: bool = True, depth_mm: float | None = None, sex: Literal["M", "F"] | None = None,
) -> Station:  # fmt: skip
    return Station(
        name,
        region,
        weight,
        most_ml,
        anchors,
        most,
        organ or name,
        paired,
        spread_mm,
        into,
        confined,
        snap,
        depth_mm,
        sex,
    )


EXTRANODAL: tuple[Station, ...] = (
    _bone(
        "spine", "abdomen", 0.9, ((0, 30, 118), (0, 28, 150), (0, 32, 200), (0, 40, 245), (0, 50, 300), (0, 56, 345),
        (0, 56, 400), (0, 54, 450), (0, 44, 500)), "vertebrae", most=8, most_ml=60, paired=False,
    ),
    _bone("sacrum", "pelvis", 0.3, ((26, 58, 60), (12, 66, 30)), "sacrum", most_ml=80),
    _bone("pelvis_bone", "pelvis", 0.6, ((92, 50, 86), (104, -10, 70), (86, 4, 10), (66, 36, -46)), "hip", most_ml=90),
    _bone("femur", "pelvis", 0.4, ((126, 8, -40), (118, 2, -110), (90, 0, 4)), "femur", most_ml=70),
    _bone("ribs", "thorax", 0.4, ((128, 20, 360), (118, -58, 400), (110, 66, 380), (128, 30, 300)), "rib", most_ml=25),
    _bone("sternum", "thorax", 0.2, ((4, -98, 430), (8, -84, 490)), "sternum", most=2, most_ml=30, paired=False),
    _bone("scapula", "thorax", 0.15, ((112, 74, 450), (130, 60, 500)), "scapula", most=2, most_ml=30),
    _bone("humerus", "thorax", 0.3, ((160, 12, 512), (165, 10, 540)), "humerus", most=2, most_ml=40),
    _bone("skull", "head_neck", 0.1, ((60, -30, 775), (40, 70, 770)), "skull", most=2, most_ml=15),
    _organ(
        "liver", "abdomen", 350, ((-88, -8, 268), (-70, 20, 240), (-40, -30, 290), (-100, 10, 220), (-60, 0, 310)),
        ("liver",), most=7, paired=False, confined=True, weight=0.8, spread_mm=(14, 14, 16),
    ),
    _organ("lung", "thorax", 250, ((82, 10, 440), (86, 30, 400), (80, -40, 420), (70, 20, 500), (90, 50, 340)), _CHEST,
           most=6, weight=0.6, spread_mm=(14, 14, 18)),
    _organ("pleura", "thorax", 150, ((124, 20, 400), (112, 60, 360), (118, -50, 380)), _CHEST, most=5),
    _organ("stomach", "abdomen", 350, ((62, -62, 262), (50, -66, 240), (84, -20, 280), (36, -60, 222)), ("stomach",),
           paired=False),
    _organ("small_bowel", "abdomen", 300, ((-50, -44, 80), (40, -50, 90), (-20, -40, 140), (60, -40, 120)),
           ("small_bowel",), organ="bowel", paired=False, spread_mm=(12, 8, 12)),
    _organ("colon", "abdomen", 250, ((-92, -28, 72), (-97, -18, 120), (102, -4, 200), (70, -14, 56)), ("colon",),
           organ="bowel", paired=False, spread_mm=(5, 5, 10)),
    _organ("kidney", "abdomen", 200, ((66, 44, 220), (62, 46, 180), (60, 40, 240)), ("kidney", "renal"), most=4),
    _organ("adrenal", "abdomen", 90, ((40, 26, 262),), ("adrenal",), most=2, spread_mm=(2, 3, 4)),
    _organ("pancreas", "abdomen", 150, ((-28, -22, 198), (0, -24, 212), (40, -2, 228)), ("pancreas",), most=2,
           paired=False),
    _organ("cns", "head_neck", 50, ((26, -8, 756), (20, 24, 748), (10, -30, 760)), ("brain",), confined=True, most=4),
    _organ(
        "head_neck", "head_neck", 70, ((30, -54, 668), (12, -60, 672), (0, -34, 618), (56, -2, 650), (36, -78, 690)),
        ("airway", "tongue", "parotid", "skull", "submandibular"), most=2, snap=False, spread_mm=(3, 4, 4),
    ),
    _organ("thyroid", "head_neck", 80, ((16, -8, 552), (15, -6, 560)), ("thyroid",), most=2, spread_mm=(2, 2, 4)),
    _organ("breast", "thorax", 120, ((72, -84, 395), (88, -80, 400)), ("gland", "breast"), snap=False, depth_mm=22,
           sex="F"),
    _organ("testis", "pelvis", 90, ((16, -58, -78),), ("testis",), most=2, spread_mm=(2, 3, 3), sex="M"),
    _organ("skin", "thorax", 40, ((90, -70, 300), (-90, 80, 350), (60, 90, 480), (90, -60, 100), (120, 40, -120)),
           ("skin",), most=6, snap=False, depth_mm=5, spread_mm=(10, 5, 60)),
    _organ("soft_tissue", "pelvis", 250, ((100, 50, -60), (90, 40, -150), (60, 78, 300), (90, 70, 400), (110, 60, 60)),
           (), most=4, snap=False, spread_mm=(8, 8, 20)),
)  # fmt: skip

PLACES: Mapping[str, Station] = MappingProxyType({station.name: station for station in (*STATIONS, *EXTRANODAL)})
"""Station by name."""

SITE_FREQUENCY: Mapping[str, float] = MappingProxyType(
    {
        "cervical": 0.45, "waldeyer": 0.10, "supraclavicular": 0.35, "axillary": 0.35, "mediastinal": 0.40,
        "hilar": 0.15, "cardiophrenic": 0.08, "mesenteric": 0.35, "portal": 0.15, "splenic_hilum": 0.08,
        "paraaortic": 0.50, "iliac": 0.35, "inguinal": 0.30, "spleen": 0.20, "bone": 0.207, "liver": 0.08, "lung": 0.08,
        "pleura": 0.03, "stomach": 0.085, "bowel": 0.085, "kidney": 0.035, "adrenal": 0.03, "pancreas": 0.02,
        "cns": 0.01, "head_neck": 0.06, "thyroid": 0.02, "breast": 0.015, "testis": 0.018, "skin": 0.03,
        "soft_tissue": 0.05,
    }
)  # fmt: skip
"""Share of patients with disease at a site, primary or not."""

PRIMARY_SHARE: Mapping[str, float] = MappingProxyType(
    {
        "stomach": 0.18, "bowel": 0.16, "head_neck": 0.14, "skin": 0.05, "soft_tissue": 0.06, "bone": 0.13,
        "lung": 0.06, "liver": 0.04, "thyroid": 0.04, "testis": 0.045, "breast": 0.03, "kidney": 0.025,
        "adrenal": 0.02, "pancreas": 0.01, "cns": 0.01,
    }
)  # fmt: skip
"""Of primary extranodal disease, the share that began in each organ."""
